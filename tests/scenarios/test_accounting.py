"""Who is known for how long, and that both ends of an exchange count the same."""

from __future__ import annotations

import pytest

from tests.decision.support import Node, block, one

pytestmark = pytest.mark.usefixtures("implementation")


def test_giver_and_taker_keep_the_same_account() -> None:
    ernie, bert = Node(), Node()
    for _ in range(1000):
        bert.engine.blocks_received("ernie", len(block("a").data))
        ernie.want("bert", "a")
        assert one(ernie.drain()).blocks == "a"
    given, taken = ernie.engine.ledger_for_peer("bert"), bert.engine.ledger_for_peer("ernie")
    assert (given.sent, given.recv, given.exchanged) == (1000, 0, 1000)
    assert (taken.sent, taken.recv, taken.exchanged) == (0, 1000, 1000)
    assert given.value == 1000.0
    assert taken.value == 0.0
    assert ernie.engine.ledger_for_peer("nobody") == ("nobody", 0.0, 0, 0, 0)


def test_a_peer_that_wants_what_we_lack_is_known_until_it_leaves() -> None:
    node = Node(stored="")
    node.want("A", "a", ask=True, full=True)
    assert node.engine.peers() == ["A"]
    assert node.engine.stat.peers == ("A",)
    node.engine.peer_disconnected("A")
    assert node.engine.peers() == []
    assert node.engine.queued_peers() == []
    assert node.drain() == []


def test_wants_of_two_messages_add_up_and_belong_to_their_peer() -> None:
    node = Node(stored="")
    node.want("A", "ab")
    node.want("A", "cd")
    assert node.wantlist("A") == "abcd"
    assert node.wantlist("B") == ""
    node.engine.peer_disconnected("A")
    assert node.wantlist("A") == ""
    node.arrive([block("a")])
    assert node.drain() == []


def test_wants_are_listed_from_the_oldest_to_the_newest() -> None:
    node = Node(stored="")
    for name in "dacb":
        node.want("A", name)
    node.want("A", "a", priority=50)
    assert [node.names[wanted] for wanted in node.engine.wantlist_for_peer("A")] == list("dacb")
