"""How much one peer may want, and CIDs that say nothing: overlong ones and those that hold their data.

Where more is wanted than is kept we differ from boxo on purpose: the highest priorities stay and the lowest
go first, among equals what we can serve stays, a tie changes nothing, and losers that asked are told.
"""

from __future__ import annotations

import random

import pytest

from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.options import ServerOptions
from tests.decision.support import Answer, Node, block, cid, one

pytestmark = pytest.mark.usefixtures("implementation")

LIMIT = 32
KINDS = pytest.mark.parametrize("kind", [WantType.BLOCK, WantType.HAVE], ids=["block", "have"])

Wanted = list[CID]


def named(prefix: str, count: int) -> Wanted:
    return [block(f"{prefix}{number}").cid for number in range(count)]


def limited() -> Node:
    return Node(ServerOptions(max_wantlist_entries=LIMIT), stored="")


def want(node: Node, wanted: Wanted, *, priority: int = 1, present: int = 0, ask: bool = False) -> None:
    """One message of equal priorities; the first `present` blocks are there."""
    message = Message()
    for item in wanted:
        message.add_entry(item, priority, WantType.BLOCK, ask)
    node.receive("A", message, dict.fromkeys(wanted[:present], 5000))


def kept(node: Node) -> set[CID]:
    wantlist = node.engine.wantlist_for_peer("A")
    assert len(set(wantlist)) == len(wantlist) == LIMIT
    return set(wantlist)


def test_two_messages_do_not_pass_the_limit() -> None:
    node = limited()
    first, second = named("a", 24), named("b", 24)
    want(node, first)
    want(node, second)
    assert kept(node) == {*first, *second[:8]}


def test_one_message_may_fill_it() -> None:
    node = limited()
    wanted = named("a", LIMIT)
    want(node, wanted)
    assert kept(node) == set(wanted)


def test_among_equals_what_can_be_served_takes_the_place_of_what_is_missing() -> None:
    """The last missing one stays, because a tie changes nothing; boxo takes it out for another missing one.

    Once all are there nothing missing comes in, where boxo would replace equals by equals.
    """
    node = limited()
    missing, present = named("a", LIMIT), named("b", LIMIT)
    want(node, missing)
    assert kept(node) == set(missing)
    want(node, present, present=LIMIT - 1)
    assert kept(node) == {*present[: LIMIT - 1], missing[0]}
    want(node, named("c", LIMIT))
    assert kept(node) == {*present[: LIMIT - 1], missing[0]}


def test_overflow_keeps_the_highest_priorities() -> None:
    """boxo lets a missing want be replaced by any other, and goes from the highest priority down.

    So there one of the five of priority 0 would come in, the five of priority 10 as here, five of the seven
    of priority 0 in their place, and the 32 sent again would push out all others.
    """
    node = limited()
    present = named("a", LIMIT)
    want(node, present, present=LIMIT - 1)
    assert kept(node) == set(present)
    want(node, named("low", 5), priority=0)
    assert kept(node) == set(present)
    urgent = named("high", 5)
    want(node, urgent, priority=10)
    # The missing one goes first, then those that came last.
    left = present[: LIMIT - 5]
    assert kept(node) == {*left, *urgent}
    want(node, named("lower", 7), priority=0)
    assert kept(node) == {*left, *urgent}
    want(node, present, priority=0, present=LIMIT - 1)
    assert kept(node) == {*left, *urgent}
    # What was sent again has priority 0 now.
    want(node, named("next", LIMIT), priority=1)
    assert kept(node) == {*urgent, *named("next", LIMIT - 5)}


def test_a_peer_may_want_an_eighth_of_the_room_that_is_left() -> None:
    """So nobody takes all of it, and no peer is ever left with less than a smaller share of its own.

    boxo gives each peer the same room, however many there are.
    """
    options = ServerOptions(
        max_wantlist_entries=900, min_wantlist_entries=500, max_total_wantlist_entries=8000
    )
    node = Node(options, stored="")
    wanted = named("a", 1000)

    def greedy(peer: str) -> int:
        message = Message()
        for item in wanted:
            message.add_entry(item, 1)
        node.receive(peer, message)
        return len(node.engine.wantlist_for_peer(peer))

    assert [greedy(peer) for peer in "ABCDEFGHIJ"] == [900, 887, 776, 679, 594, 520, 500, 500, 500, 500]
    # Who has more than that by now keeps it.
    assert greedy("A") == 900
    for peer in "ABCDEFGHI":
        node.engine.peer_disconnected(peer)
    assert greedy("J") == 900


OVERLONG = CID(b"\x01\x55\x1e\x40" + bytes(64))
"""68 bytes: blake3 with the longest digest of fixed-size functions."""
HOLDS_DATA = CID(b"\x01\x55\x00\x20" + random.Random(1).randbytes(32))
"""Its digest is its data."""
HOLDS_DATA_TOO = CID(b"\x01\xa9\x02\x00\x04data")
"""The same behind a codec of two bytes."""


@pytest.fixture(params=["overlong", "holds-data", "holds-data-too"])
def odd(request: pytest.FixtureRequest, implementation: str) -> tuple[Node, CID]:
    """A node, and a CID that it ignores: one over a limit of 64 bytes, or one of identity at usual limits."""
    if request.param == "overlong":
        return Node(ServerOptions(max_cid_size=64), stored="a"), OVERLONG
    return Node(stored="a"), HOLDS_DATA if request.param == "holds-data" else HOLDS_DATA_TOO


class TestCIDsThatSayNothing:
    @KINDS
    @pytest.mark.parametrize("full", [True, False], ids=["full", "more"])
    def test_the_others_of_the_message_count(self, odd: tuple[Node, CID], kind: WantType, full: bool) -> None:
        node, ignored = odd
        message = Message(full)
        message.add_entry(ignored, 9, kind, True)
        message.add_entry(cid("1"), 1, kind, True)
        assert node.engine.lookup(message).cids == [cid("1")]
        node.receive("A", message)
        assert node.wantlist("A") == "1"
        assert one(node.drain()) == Answer("A", dont_haves="1")
        assert node.engine.stat.entries_ignored == 1

    def test_a_cancel_of_one_is_ignored_beside_a_want(self, odd: tuple[Node, CID]) -> None:
        node, ignored = odd
        node.want("A", "1")
        message = Message()
        message.cancel(ignored)
        message.add_entry(cid("2"), 1)
        node.receive("A", message)
        assert node.wantlist("A") == "12"

    @KINDS
    def test_alone_they_leave_the_wantlist_as_it_is(self, odd: tuple[Node, CID], kind: WantType) -> None:
        node, ignored = odd
        message = Message()
        message.add_entry(ignored, 1, kind, True)
        node.receive("A", message)
        assert node.engine.wantlist_for_peer("A") == []
        assert node.drain() == []
        # The peer is none the worse for it.
        node.want("A", "a")
        assert one(node.drain()) == Answer("A", blocks="a")


def test_the_longest_cid_that_counts() -> None:
    for size, expected in [(len(OVERLONG), [OVERLONG]), (len(OVERLONG) - 1, [])]:
        message = Message()
        message.add_entry(OVERLONG, 1)
        assert Node(ServerOptions(max_cid_size=size)).engine.lookup(message).cids == expected
