"""Stores and messages for a server on threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.network.interface import Peer

from .fake_network import PATIENCE, FakeNetwork
from .support import block, cid


class GatedStore(MemoryBlockstore):
    """A store whose look-ups of sizes and reads of blocks wait at gates that are open at first."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes_gate, self.reads_gate = threading.Event(), threading.Event()
        self.sizes_gate.set()
        self.reads_gate.set()
        self.at_sizes, self.at_reads = threading.Event(), threading.Event()

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        found = super().sizes(cids)
        self.at_sizes.set()
        assert self.sizes_gate.wait(PATIENCE)
        return found

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        found = super().get_many(cids)
        self.at_reads.set()
        assert self.reads_gate.wait(PATIENCE)
        return found


def store_with(names: str) -> GatedStore:
    store = GatedStore()
    store.put_many([block(name) for name in names])
    return store


def wants(blocks: str = "", haves: str = "", *, cancels: str = "", full: bool = False) -> Message:
    """A message that asks for all of it, and to be told DONT_HAVE."""
    message = Message(full)
    for name in blocks:
        message.add_entry(cid(name), 1, WantType.BLOCK, True)
    for name in haves:
        message.add_entry(cid(name), 1, WantType.HAVE, True)
    for name in cancels:
        message.cancel(cid(name))
    return message


def data(message: Message) -> list[bytes]:
    return sorted(item.data for item in message.blocks())


class Recorder:
    """A tracer."""

    def __init__(self, network: FakeNetwork) -> None:
        self.network = network
        self.sent: list[tuple[str, list[bytes], bool]] = []

    def message_received(self, peer: Peer, message: Message) -> None:
        raise ValueError("a tracer may fail")

    def message_sent(self, peer: Peer, message: Message) -> None:
        self.sent.append((peer, data(message), self.network.sent[peer].empty()))
        raise ValueError("a tracer may fail")
