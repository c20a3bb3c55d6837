"""A small Bitswap server over our network, right in all that the suite looks at, and made to be got wrong.

Everything happens on the network's thread. One message at a time goes to a peer, of the highest priorities.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple

from bitswap import CID, Block
from bitswap.message import PROTOCOLS, Entry, Message, WantType
from bitswap.multihash import IDENTITY
from bitswap.network.interface import ANSWERS
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import NetworkOptions

MESSAGE = 16 * 1024
"""Bytes of blocks a message, with one more."""
REPLACED = 1024
"""Bytes of a block that is sent where a HAVE was asked for."""
MAX_CID = 168


class Answer(NamedTuple):
    """One that waits."""

    kind: str
    """block, have or dont_have"""
    priority: int


class PlainServer:
    """A context manager; `address` is where it listens."""

    protocols: Sequence[str] = PROTOCOLS
    options = NetworkOptions()

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.blocks: dict[bytes, bytes] = {block.cid.multihash: block.data for block in blocks}
        self.queues: dict[str, dict[CID, Answer]] = {}
        self.waiting: dict[str, dict[CID, Entry]] = {}
        """Wants for blocks that are not there."""
        self.sending: set[str] = set()
        self.network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], options=self.options, protocols=self.protocols)

    @property
    def address(self) -> str:
        return self.network.addrs[0]

    def __enter__(self) -> PlainServer:
        self.network.start(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.network.close()

    # What the network tells.

    def peer_connected(self, peer: str) -> None:
        self.queues.setdefault(peer, {})
        self.waiting.setdefault(peer, {})

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None:
        self.queues.pop(peer, None)
        self.waiting.pop(peer, None)
        self.sending.discard(peer)

    def receive_error(self, peer: str, error: BaseException) -> None:
        """The network has reset the stream."""

    def message_received(self, peer: str, message: Message) -> None:
        if message.full:
            self.queues[peer].clear()
        for entry in message.wantlist():
            if len(entry.cid) > MAX_CID or entry.cid.hash_code == IDENTITY:
                continue
            if entry.cancel:
                self.cancel(peer, entry.cid)
            else:
                self.want(peer, entry)
        self.take(peer, message)
        self.send_next(peer)

    # What it does; each is somewhere got wrong.

    def find(self, cid: CID) -> bytes | None:
        return self.blocks.get(cid.multihash)

    def want(self, peer: str, entry: Entry) -> None:
        kind = self.answer(entry)
        if kind is not None:
            before = self.queues[peer].get(entry.cid)
            priority = entry.priority if before is None else max(before.priority, entry.priority)
            self.queues[peer][entry.cid] = Answer(kind, priority)
        if kind in (None, "dont_have"):
            self.waiting[peer][entry.cid] = entry

    def answer(self, entry: Entry) -> str | None:
        data = self.find(entry.cid)
        if not data:
            return "dont_have" if entry.send_dont_have else None
        small = len(data) <= REPLACED
        return "block" if entry.want_type == WantType.BLOCK or small else "have"

    def cancel(self, peer: str, cid: CID) -> None:
        self.queues[peer].pop(cid, None)
        self.waiting[peer].pop(cid, None)

    def take(self, peer: str, message: Message) -> None:
        """Blocks and presences: it wants none."""

    def data(self, cid: CID) -> bytes:
        return self.find(cid) or b""

    def send_next(self, peer: str) -> None:
        queue = self.queues.get(peer)
        if not queue or peer in self.sending:
            return
        message, size = Message(), 0
        for cid, (kind, _) in sorted(queue.items(), key=lambda item: -item[1].priority):
            if size >= MESSAGE:
                break
            del queue[cid]
            if kind == "block":
                data = self.data(cid)
                message.add_block(Block(cid, data))
                size += len(data)
            elif kind == "have":
                message.add_have(cid)
            else:
                message.add_dont_have(cid)
        message.pending_bytes = min(len(queue), 1000)
        self.sending.add(peer)
        self.network.send(peer, message, ANSWERS, lambda error: self.sent(peer))

    def sent(self, peer: str) -> None:
        self.sending.discard(peer)
        if self.network.is_connected(peer):
            self.send_next(peer)
