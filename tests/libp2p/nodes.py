"""What the tests of whole networks share: nodes that are joined, messages, outcomes, and peers that agree."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from bitswap.block import Block
from bitswap.message import Message
from bitswap.network.interface import WANTS, Network
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.network.libp2p.multistream import HEADER
from tests.libp2p.puppet import WAIT, Puppet, Received, Tape, line

Node = tuple[Libp2pNetwork, Received]
MakeNode = Callable[..., Node]
MakePuppet = Callable[..., Puppet]

BITSWAP = "/ipfs/bitswap/1.2.0"
OLDER = ("/ipfs/bitswap/1.1.0", "/ipfs/bitswap/1.0.0", "/ipfs/bitswap")


class Done:
    """A send's outcome."""

    def __init__(self) -> None:
        self.calls: list[BaseException | None] = []
        self._event = threading.Event()

    def __call__(self, error: BaseException | None) -> None:
        self.calls.append(error)
        self._event.set()

    def wait(self) -> BaseException | None:
        assert self._event.wait(WAIT), "the send has no outcome"
        return self.calls[0]


def message_of(*data: bytes) -> Message:
    message = Message()
    for item in data:
        message.add_block(Block.of(item))
    return message


def send(network: Network, peer: str, message: Message, lane: int = WANTS) -> BaseException | None:
    done = Done()
    network.send(peer, message, lane, done)
    return done.wait()


def datas(receiver: Received) -> list[bytes]:
    return [block.data for _, message in receiver.messages for block in message.blocks()]  # type: ignore[attr-defined]


def join(left: Node, right: Node) -> tuple[str, str]:
    """Connect and wait until both know; returns the ids (left's, right's)."""
    (one, ours), (two, theirs) = left, right
    assert one.connect(two.addrs[0]) == two.self_id
    theirs.wait(lambda: one.self_id in theirs.connected)
    ours.wait(lambda: two.self_id in ours.connected)
    return one.self_id, two.self_id


def still_works(node: Node, friend: Node) -> None:
    """A friend's connection carries messages as before."""
    payload = os.urandom(20)
    assert send(friend[0], node[0].self_id, message_of(payload)) is None
    node[1].wait(lambda: payload in datas(node[1]))
    assert friend[1].disconnected == []


def accept(puppet: Puppet, protocol: str, skip: int = 0) -> Tape:
    """Wait for a stream on which the node proposes `protocol`, and agree."""
    proposal = line(HEADER) + line(protocol)

    def found() -> list[Tape]:
        return [tape for tape in puppet.streams if tape.data.startswith(proposal)][skip:]

    puppet.wait(lambda: bool(found()))
    tape = found()[0]
    assert tape.stream is not None
    tape.data = tape.data[len(proposal) :]
    tape.stream.write(proposal)
    puppet.flush()
    return tape
