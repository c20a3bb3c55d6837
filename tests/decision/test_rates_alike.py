"""Both cores under rates: the same answers at the same times, whatever comes, leaves or fails."""

from __future__ import annotations

import random

import pytest

from bitswap.decision.implementations import implementations
from bitswap.message import Message, WantType
from bitswap.options import KIB, ServerOptions
from tests.decision.support import ALPHABET, Node, block

pytestmark = pytest.mark.skipif("c" not in implementations(), reason="there is one core here")

SIZES = {name: 1 << 10 + at % 6 for at, name in enumerate(ALPHABET)}
STEPS = 400


class Side:
    """One node; `step` does what it is told and says all that can be seen of it."""

    def __init__(self, implementation: str, options: ServerOptions) -> None:
        self.node = Node(options, stored="", implementation=implementation, envelopes_per_peer=2)
        self.node.add(block(name, SIZES[name]) for name in ALPHABET[:20])
        self.out: list[object] = []

    def step(self, what: str, chance: random.Random) -> object:
        node, engine = self.node, self.node.engine
        peer = chance.choice("ABC")
        said: object = None
        if what == "want":
            message = Message(chance.random() < 0.1)
            for name in chance.sample(ALPHABET, chance.randrange(1, 12)):
                if chance.random() < 0.2:
                    message.cancel(block(name, SIZES[name]).cid)
                else:
                    kind = chance.choice((WantType.BLOCK, WantType.HAVE))
                    message.add_entry(block(name, SIZES[name]).cid, chance.randrange(3), kind, True)
            node.receive(peer, message)
        elif what == "leave":
            engine.peer_disconnected(peer)
        elif what == "come":
            node.arrive([block(chance.choice(ALPHABET), 2 * KIB)])
        elif what == "hold":
            engine._core.hold(peer, node.now + chance.random() * 3)
        elif what == "next":
            taken = node.take()
            if taken is not None:
                self.out.append(taken[0])
                said = (taken[0].peer, taken[1].to_frame())
        elif self.out and what in ("sent", "failed"):
            envelope = self.out.pop(chance.randrange(len(self.out)))
            end = engine.envelope_sent if what == "sent" else engine.envelope_failed
            said = end(envelope, node.now)  # type: ignore[arg-type]
        elif what == "time":
            node.clock.advance(chance.choice((0.001, 0.05, 0.3, 2.0)))
        lists = [engine.wantlist_for_peer(name) for name in "ABC"]
        return said, engine.ready, engine.next_deadline(), engine.stat, lists


@pytest.mark.parametrize("seed", range(25))
def test_both_cores_agree(seed: int) -> None:
    chance = random.Random(seed)
    options = ServerOptions(
        max_peer_rate=chance.choice((None, 8.0 * KIB, 100.0 * KIB)),
        max_total_rate=chance.choice((None, 20.0 * KIB)),
        rate_burst=chance.choice((0.01, 1.0)),
    )
    sides = [Side(implementation, options) for implementation in ("py", "c")]
    kinds = (
        "want",
        "next",
        "next",
        "next",
        "sent",
        "sent",
        "failed",
        "time",
        "time",
        "come",
        "hold",
        "leave",
    )
    for number in range(STEPS):
        what = chance.choice(kinds)
        told = [side.step(what, random.Random(f"{seed}.{number}")) for side in sides]
        assert told[0] == told[1], (number, what)
    compiled = sides[1].node.engine._core
    compiled.check()  # type: ignore[attr-defined]


def test_a_hold_is_of_one_peer_and_ends_when_it_leaves() -> None:
    for implementation in ("py", "c"):
        node = Node(implementation=implementation)
        node.engine._core.hold("A", node.now + 1000.0)
        node.engine._core.hold("A", node.now + 1.0)
        assert node.engine.queued_peers() == []
        assert node.engine.next_deadline() == node.now + 1000.0
        for peer in "AB":
            node.want(peer, "a")
        assert [answer.peer for answer in node.drain()] == ["B"]
        node.engine.peer_disconnected("A")
        node.want("A", "a")
        assert [answer.peer for answer in node.drain()] == ["A"]
