"""What is answered to what, beyond the scenarios of `tests/scenarios`."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.message import Message
from bitswap.options import ServerOptions

from .support import Answer, Node, block, cid, one

pytestmark = pytest.mark.usefixtures("implementation")

NO_REPLACE = ServerOptions(want_have_replace_size=0)


def test_a_cancel_in_a_message_wins_over_a_want_in_it() -> None:
    node = Node()
    message = Message()
    message.add_entry(cid("a"), 5)
    message.cancel(cid("a"))
    node.receive("A", message)
    assert node.drain() == []
    assert node.wantlist("A") == ""


def test_a_cancel_leaves_what_is_under_way() -> None:
    node = Node()
    node.want("A", "a")
    begun = node.begin()
    assert begun is not None
    node.want("A", cancels="a")
    node.engine.envelope_sent(begun[0], node.now)
    assert node.engine.stat.blocks_sent == 1


def test_a_have_does_not_answer_a_want_for_the_block() -> None:
    node = Node(NO_REPLACE, stored="")
    node.want("A", "", "a")
    node.arrive([block("a")])
    begun = node.begin()
    assert begun is not None
    assert begun[1].haves == "a"
    node.want("A", "a")
    assert node.wantlist("A") == "a"
    node.engine.envelope_sent(begun[0], node.now)
    assert one(node.drain()).blocks == "a"


@pytest.mark.parametrize(("size", "blocks", "haves"), [(1024, "s", ""), (1025, "", "s")])
def test_a_small_block_is_sent_instead_of_have(size: int, blocks: str, haves: str) -> None:
    node = Node(stored="")
    node.add([block("s", size)])
    message = Message()
    message.add_entry(block("s", size).cid, 1, 1)
    node.receive("A", message)
    assert one(node.drain()) == Answer("A", blocks, haves)


def test_an_unknown_want_type_asks_whether_we_have_it() -> None:
    node = Node(NO_REPLACE)
    message = Message()
    message.add_entry(cid("a"), 1, 5)
    node.receive("A", message)
    assert one(node.drain()) == Answer("A", haves="a")


@pytest.mark.parametrize("kind", [0, 1])
def test_a_block_of_no_bytes_is_not_a_missing_one(kind: int) -> None:
    node = Node(stored="")
    empty = block("")
    node.store[empty.cid] = empty
    node.names[empty.cid] = "0"
    message = Message()
    message.add_entry(empty.cid, 1, kind, True)
    node.receive("A", message)
    assert one(node.drain()).blocks == "0"
    node.store.clear()
    node.receive("A", message)
    assert one(node.drain()).dont_haves == "0"
    node.arrive([empty])
    assert one(node.drain()).blocks == "0"


def test_never_saying_dont_have() -> None:
    node = Node(ServerOptions(send_dont_haves=False))
    node.want("A", "1a", "2", ask=True)
    del node.store[cid("a")]
    assert node.drain() == []
    assert node.wantlist("A") == "12a"


def test_a_full_wantlist_replaces_wants_and_queue() -> None:
    node = Node()
    node.want("A", "ab12")
    node.want("A", "b3", full=True)
    assert node.wantlist("A") == "3b"
    assert one(node.drain()).blocks == "b"
    node.arrive([block("1")])
    assert node.drain() == []
    node.arrive([block("3")])
    assert one(node.drain()).blocks == "3"


def test_an_empty_full_wantlist_clears() -> None:
    node = Node()
    node.want("A", "a1")
    node.receive("A", Message(full=True))
    assert node.wantlist("A") == ""
    assert node.drain() == []
    assert node.engine.peers() == []


def test_an_empty_message_says_nothing() -> None:
    node = Node()
    node.want("A", "a1")
    node.receive("A", Message())
    assert node.wantlist("A") == "1a"


def test_priorities_order_what_is_sent_and_ties_are_served_in_order_of_arrival() -> None:
    node = Node(ServerOptions(target_message_size=1, adaptive=False))
    node.want("A", "bc", priority=10)
    node.want("A", "a", priority=11)
    node.want("A", "d", priority=12)
    assert [answer.blocks for answer in node.drain()] == ["d", "b", "a", "c"]


def test_a_repeat_can_raise_a_priority_and_never_lowers_it() -> None:
    node = Node(ServerOptions(target_message_size=1, adaptive=False))
    node.want("A", "ab", priority=10)
    node.want("A", "b", priority=20)
    node.want("A", "b", priority=1)
    assert [answer.blocks for answer in node.drain()] == ["b", "a"]


def test_pending_bytes_are_what_is_left_for_that_peer() -> None:
    node = Node(ServerOptions(target_message_size=1, adaptive=False), stored="")
    node.add(block(name, 2000) for name in "xyz")
    message = Message()
    for name in "xyz":
        message.add_entry(block(name, 2000).cid, 1)
    node.receive("A", message)
    assert [answer.pending_bytes for answer in node.drain()] == [4000, 2000, 0]


def test_statistics_count_what_was_sent() -> None:
    node = Node()
    node.want("B", "abc")
    node.want("A", "1")
    stat = node.engine.stat
    assert stat.peers == ("A", "B")
    assert (stat.wants, stat.pending_tasks, stat.active_tasks) == (4, 3, 0)
    begun = node.begin()
    assert begun is not None
    stat = node.engine.stat
    assert stat.peers == ("A",)
    assert (stat.wants, stat.pending_tasks, stat.active_tasks, stat.blocks_sent) == (1, 0, 3, 0)
    node.engine.envelope_sent(begun[0], node.now)
    node.engine.envelope_sent(begun[0], node.now)
    stat = node.engine.stat
    assert (stat.active_tasks, stat.blocks_sent, stat.data_sent, stat.messages_sent) == (0, 3, 3, 1)


@pytest.mark.parametrize("replace_size", [0, 1])
def test_with_no_replace_size_a_block_first_asked_for_by_have_weighs_nothing(replace_size: int) -> None:
    node = Node(ServerOptions(want_have_replace_size=replace_size, target_message_size=10))
    node.store.update({cid(name): Block(cid(name), bytes(20)) for name in "ab"})
    node.want("A", haves="a")
    node.want("A", blocks="ab")
    answers = [(answer.blocks, answer.pending_bytes) for answer in node.drain()]
    assert answers == ([("ab", 0)] if replace_size == 0 else [("a", 20), ("b", 0)])
