"""Too many wants, blocks that are too large or vanish, a CID without a limit; see also `tests/scenarios`."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID, RAW
from bitswap.decision.task import largest_block
from bitswap.message import Message
from bitswap.options import MAX_FRAME, ServerOptions

from .support import Answer, Node, block, cid, one

pytestmark = pytest.mark.usefixtures("implementation")


def test_no_limit_on_cids() -> None:
    node = Node(ServerOptions(max_cid_size=0))
    long = CID(b"\x01\x55\x1e\xf0\x01" + b"\x07" * 240)
    node.names[long] = "L"
    message = Message()
    message.add_entry(long, 1, 0, True)
    node.receive("A", message)
    assert one(node.drain()).dont_haves == "L"


def limited(limit: int = 4, **more: object) -> Node:
    return Node(ServerOptions(max_wantlist_entries=limit, **more), stored="")  # type: ignore[arg-type]


def test_higher_priorities_push_the_lowest_out() -> None:
    node = limited()
    node.want("A", "0123", priority=10)  # 0 -> 13 … 3 -> 10
    node.want("A", "45", priority=11)  # 4 -> 12, 5 -> 11
    assert node.wantlist("A") == "0124"
    node.arrive([block("3"), block("5")])
    assert node.drain() == []
    assert node.engine.stat.wants_refused == 2


def test_who_is_refused_is_told_if_it_asked() -> None:
    node = limited()
    node.want("A", "0123", priority=10)
    node.want("A", "45", priority=1, ask=True)
    assert one(node.drain()) == Answer("A", dont_haves="45")


def test_an_available_block_that_is_pushed_out_is_refused() -> None:
    node = limited()
    node.add([block("a")])
    node.want("A", "123a", priority=10, ask=True)
    node.want("A", "4", priority=20, ask=True)
    assert node.wantlist("A") == "1234"
    assert one(node.drain()) == Answer("A", dont_haves="1234a")


def test_an_available_block_that_is_refused_is_not_sent() -> None:
    node = limited()
    node.add([block("a")])
    node.want("A", "1234", priority=10)
    node.want("A", "a", priority=1, ask=True)
    assert one(node.drain()) == Answer("A", dont_haves="a")


def test_who_was_told_dont_have_is_not_told_again_when_pushed_out() -> None:
    node = limited()
    node.want("A", "0123", priority=10, ask=True)
    assert one(node.drain()) == Answer("A", dont_haves="0123")
    node.want("A", "4", priority=20)
    assert node.wantlist("A") == "0124"
    assert node.drain() == []


def test_among_equals_what_we_have_is_kept_and_then_what_came_first() -> None:
    node = limited()
    node.add([block("a")])
    for name in "01234a":
        node.want("A", name, priority=5)
    assert node.wantlist("A") == "012a"
    assert one(node.drain()).blocks == "a"


def test_a_known_want_is_updated_even_when_there_is_no_room() -> None:
    node = limited()
    node.add([block("a", 5000)])
    large = block("a", 5000).cid
    message = Message()
    message.add_entry(large, 7, 1)
    node.receive("A", message)
    node.want("A", "123", priority=7)
    upgrade = Message()
    upgrade.add_entry(large, 7, 0)
    node.receive("A", upgrade)
    assert one(node.drain()).blocks == "a"


def test_a_cancel_makes_room_in_its_own_message() -> None:
    node = limited()
    node.want("A", "0123")
    node.want("A", "4", cancels="0", priority=-5)
    assert node.wantlist("A") == "1234"


def test_a_full_wantlist_that_is_too_long_keeps_the_highest() -> None:
    node = limited()
    node.want("A", "9")
    node.want("A", "01234567", full=True, ask=True)
    assert node.wantlist("A") == "0123"
    assert one(node.drain()).dont_haves == "01234567"


def test_refusals_are_bounded_too() -> None:
    node = limited(10)
    message = Message()
    for number in range(200):
        message.add_entry(block(f"refused {number}").cid, 1, 0, True)
    node.receive("A", message)
    assert len(node.engine.wantlist_for_peer("A")) == 10
    assert node.engine.stat.pending_tasks <= 30


def test_a_peer_may_have_an_eighth_of_the_room_that_is_left() -> None:
    node = limited(8, min_wantlist_entries=2, max_total_wantlist_entries=48)
    for peer, kept in ("A", 6), ("B", 5), ("C", 4), ("D", 4), ("E", 3), ("F", 3), ("G", 2), ("H", 2):
        node.want(peer, "01234567", priority=5)
        assert len(node.wantlist(peer)) == kept
    # Who had more keeps it, and can still put the new in place of the old.
    node.want("A", "89", priority=50)
    assert node.wantlist("A") == "012389"


def test_however_little_room_is_left_each_peer_may_have_some_wants() -> None:
    node = limited(8, min_wantlist_entries=2, max_total_wantlist_entries=3)
    for peer in "ABCD":
        node.want(peer, "01234567", priority=5)
        assert node.wantlist(peer) == "01"


def test_long_overflow_stays_in_order() -> None:
    node = limited(100)
    for start in range(0, 2000, 50):
        message = Message()
        for number in range(start, start + 50):
            message.add_entry(block(f"n{number}").cid, (number * 7919) % 2003, 0)
        node.receive("A", message)
    best = sorted(range(2000), key=lambda number: (number * 7919) % 2003)[-100:]
    assert set(node.engine.wantlist_for_peer("A")) == {block(f"n{number}").cid for number in best}


def test_a_vanished_block_is_dont_have_if_asked_and_silence_otherwise() -> None:
    node = Node()
    node.want("A", "a", ask=True)
    node.want("A", "b")
    node.want("A", "c")
    del node.store[cid("a")], node.store[cid("b")]
    assert one(node.drain()) == Answer("A", blocks="c", dont_haves="a")
    assert node.wantlist("A") == "ab"
    node.arrive([block("a"), block("b")])
    assert one(node.drain()) == Answer("A", blocks="ab")


def test_nothing_is_sent_when_all_has_vanished() -> None:
    node = Node()
    node.want("A", "a")
    node.store.clear()
    assert node.begin() is None
    node.want("A", "a")
    node.arrive([block("a")])
    assert one(node.drain()).blocks == "a"


def test_a_block_that_comes_back_while_it_was_looked_for_is_sent() -> None:
    node = Node()
    node.want("A", "a")
    envelope = node.engine.next_envelope(node.now)
    assert envelope is not None
    # The store was read and had nothing; then the block came.
    node.engine.notify_new_blocks({cid("a"): 1}, node.now)
    assert node.engine.fill(envelope, [None]) is None
    assert one(node.drain()).blocks == "a"
    assert node.wantlist("A") == ""


def test_a_block_that_comes_back_while_dont_have_is_under_way_is_sent_after_it() -> None:
    node = Node()
    node.want("A", "a", ask=True)
    node.store.clear()
    begun = node.begin()
    assert begun is not None
    assert begun[1] == Answer("A", dont_haves="a")
    node.arrive([block("a")])
    node.engine.envelope_sent(begun[0], node.now)
    assert one(node.drain()) == Answer("A", blocks="a")


def test_a_block_travels_under_the_cid_that_was_asked_for() -> None:
    node = Node(stored="")
    item = block("a")
    asked = CID.v0(item.cid.digest)
    message = Message()
    message.add_entry(asked, 1)
    node.receive("A", message, {asked: 1})
    envelope = node.engine.next_envelope(node.now)
    assert envelope is not None
    filled = node.engine.fill(envelope, [item])
    assert filled is not None
    assert [sent.cid for sent in filled.blocks()] == [asked]
    assert node.engine.wantlist_for_peer("A") == []


class TestLargeBlocks:
    big = block("big").cid

    def ask(self, node: Node, *, kind: int = 0) -> None:
        message = Message()
        message.add_entry(self.big, 1, kind, True)
        node.names[self.big] = "B"
        node.receive("A", message, {self.big: largest_block(self.big) + 1})

    @pytest.mark.parametrize("kind", [0, 1])
    def test_one_that_no_message_can_carry_is_as_good_as_missing(self, kind: int) -> None:
        node = Node()
        self.ask(node, kind=kind)
        assert one(node.drain()) == Answer("A", dont_haves="B")
        assert node.engine.too_large == self.big
        node.engine.notify_new_blocks({self.big: largest_block(self.big) + 1}, node.now)
        assert node.drain() == []
        assert node.engine.stat.blocks_too_large == 2

    def test_the_largest_one_makes_a_single_frame(self) -> None:
        node = Node(stored="")
        data = bytes(largest_block(block("x").cid))
        item = Block.of(data)
        node.add([item])
        message = Message()
        message.add_entry(item.cid, 1)
        node.receive("A", message)
        taken = node.take()
        assert taken is not None
        assert len(taken[1].to_body()) <= MAX_FRAME
        assert len(taken[1].to_frames()) == 1

    def test_a_message_never_exceeds_a_frame(self) -> None:
        options = ServerOptions(target_message_size=1 << 30, max_outstanding_bytes=0, adaptive=False)
        node = Node(options, stored="")
        items = [Block.of(bytes([number]) * 1_500_000, codec=RAW) for number in range(5)]
        node.add(items)
        message = Message()
        for item in items:
            message.add_entry(item.cid, 1)
        node.receive("A", message)
        counts = []
        while (taken := node.take()) is not None:
            assert len(taken[1].to_frames()) == 1
            counts.append(len(taken[1].blocks()))
            node.engine.envelope_sent(taken[0], node.now)
        assert counts == [2, 2, 1]

    def test_a_store_that_was_wrong_about_sizes_does_no_harm(self) -> None:
        node = Node(stored="")
        items = [Block.of(bytes([number]) * 3_000_000) for number in range(2)]
        message = Message()
        for item in items:
            message.add_entry(item.cid, 1)
        node.receive("A", message, {item.cid: 10 for item in items})
        node.add(items)
        sent = []
        while (taken := node.take()) is not None:
            sent += taken[1].blocks()
            node.engine.envelope_sent(taken[0], node.now)
        assert set(sent) == set(items)


def test_tiny_answers_are_bounded_by_the_frame_as_well() -> None:
    """Blocks of no bytes weigh nothing, so the target would never be reached."""
    options = ServerOptions(max_wantlist_entries=100_000)
    node = Node(options, stored="")
    empty = block("").cid.multihash
    message = Message()
    sizes: dict[CID, int] = {}
    for codec in range(1 << 14, (1 << 14) + 60_000):
        wanted = CID.v1(codec, empty)
        sizes[wanted] = 0
        message.add_entry(wanted, 1)
    node.receive("A", message, sizes)
    envelope = node.engine.next_envelope(node.now)
    assert envelope is not None
    assert 10_000 < len(envelope.cids) < 60_000
    filled = node.engine.fill(envelope, [Block(c, b"") for c in envelope.cids])
    assert filled is not None
    assert len(filled.to_body()) <= MAX_FRAME
