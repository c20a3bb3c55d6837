"""Peers worth keeping a connection to: those who are owed something, and those who were useful."""

from __future__ import annotations

import pytest

from bitswap.decision.score_ledger import DefaultScoreLedger
from bitswap.options import ServerOptions
from tests.decision.support import Node, one

pytestmark = pytest.mark.usefixtures("implementation")


def test_a_peer_counts_as_queued_until_its_last_answer_has_left() -> None:
    """boxo takes the tag off when it looks for more work; here the end of the send is enough."""
    node = Node()
    assert node.engine.queued_peers() == []
    node.want("A", "abcde")
    assert node.engine.queued_peers() == ["A"]
    begun = node.begin()
    assert begun is not None
    assert node.engine.queued_peers() == ["A"]
    node.engine.envelope_sent(begun[0], node.now)
    assert node.engine.queued_peers() == []


def test_a_peer_that_leaves_is_queued_no_more() -> None:
    """boxo leaves the tag on, because clearing a queue tells nobody; everything is forgotten here."""
    node = Node()
    node.want("A", "a")
    node.engine.peer_disconnected("A")
    assert node.engine.queued_peers() == []


def test_three_exchanges_make_a_peer_useful_for_longer_than_one() -> None:
    node = Node(ServerOptions(score_ledger=lambda: DefaultScoreLedger(interval=0.02)))
    assert node.drain() == []  # starts the clock of the samples
    for _ in range(3):
        assert node.engine.scores() == {}
        node.want("A", "a")
        assert one(node.drain()).blocks == "a"
        samples(node, 1)
        assert node.engine.scores()["A"] > 0
        samples(node, 10)
    assert node.engine.scores()["A"] > 0
    samples(node, 10)
    assert node.engine.scores()["A"] > 0
    samples(node, 10)
    assert node.engine.scores() == {}


def samples(node: Node, count: int) -> None:
    for _ in range(count):
        deadline = node.engine.next_deadline()
        assert deadline is not None
        assert node.now < deadline <= node.now + 0.0201
        node.clock.advance_to(deadline)
        assert node.engine.next_envelope(node.now) is None
