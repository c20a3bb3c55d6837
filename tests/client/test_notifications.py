"""Subscriptions and who gets which block (boxo `notifications`)."""

from __future__ import annotations

from typing import cast

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.notifications import Notifications, Subscription
from bitswap.options import KIB, ClientOptions
from bitswap.session import Failure, Session
from bitswap.testutils import cids_of, make_blocks

SESSION = cast("Session", object())


def subscription(**options: int) -> Subscription:
    return Subscription(SESSION, ClientOptions(**options))


def test_a_block_reaches_everybody_who_waits(blocks: list[Block], cids: list[CID]) -> None:
    waiting = Notifications()
    first, second = subscription(), subscription()
    waiting.subscribe(first, cids[:3])
    waiting.subscribe(second, cids[2:4])
    assert waiting.of(cids[2]) == (first, second)
    assert list(waiting) == cids[:4]
    found, unwanted = waiting.publish(blocks[1:6], cids[1:6])
    assert found == {first: blocks[1:3], second: blocks[2:4]}
    assert unwanted == blocks[4:6]
    assert len(waiting) == 1
    # Nobody gets it a second time.
    assert waiting.publish(blocks[1:2], cids[1:2]) == ({}, blocks[1:2])


def test_interleaved_subscribers(blocks: list[Block], cids: list[CID]) -> None:
    waiting = Notifications()
    first, second = subscription(), subscription()
    waiting.subscribe(first, cids[0::2])
    waiting.subscribe(second, cids[1::2])
    found, unwanted = waiting.publish(blocks, cids)
    assert found == {first: blocks[0::2], second: blocks[1::2]}
    assert unwanted == []


def test_unsubscribing_leaves_the_others(cids: list[CID]) -> None:
    waiting = Notifications()
    first, second = subscription(), subscription()
    waiting.subscribe(first, cids[:2])
    waiting.subscribe(second, cids[:1])
    waiting.unsubscribe(first, cids[:2])
    assert waiting.of(cids[0]) == (second,)
    assert cids[1] not in waiting
    waiting.unsubscribe(second, cids[:3])
    assert len(waiting) == 0


class TestWindow:
    def test_by_count(self, cids: list[CID]) -> None:
        sub = subscription(window_blocks=4)
        assert sub.add(cids[:6]) == cids[:4]
        assert sub.outstanding == 6
        assert sub.room == 0
        assert sub.flow() == []
        blocks = make_blocks(10)
        sub.deliver(blocks[:2], cids[:2], 128)
        assert sub.flow() == []
        assert sub.take() == blocks[:2]
        assert sub.flow() == cids[4:6]
        assert sub.room == 0

    def test_wants_are_ignored_while_they_are_outstanding(self, cids: list[CID]) -> None:
        sub = subscription(window_blocks=2)
        assert sub.add([cids[0], cids[0], cids[1], cids[2], cids[2]]) == cids[:2]
        assert sub.add(cids[:4]) == []
        assert sub.outstanding == 4

    def test_by_bytes(self) -> None:
        sub = subscription(window_bytes=1024 * KIB, expected_block_bytes=256 * KIB)
        assert sub.limit == 4
        small = make_blocks(3, 1 * KIB)
        sub.add(cids_of(small))
        sub.deliver(small, cids_of(small), 3 * KIB)
        assert sub.limit == 5
        for _ in range(40):
            sub.deliver(small, cids_of(small), 3 * KIB)
        assert 900 < sub.limit <= 1024
        large = make_blocks(1, 512 * KIB)
        sub.deliver(large, cids_of(large), 512 * KIB)
        assert sub.limit == 2
        sub.deliver(large, cids_of(large), 4096 * KIB)
        assert sub.limit == 1

    def test_single_places_are_not_worth_a_message(self, cids: list[CID]) -> None:
        many = cids_of(make_blocks(100))
        sub = subscription(window_blocks=64)
        sub.add(many[:64])
        blocks = make_blocks(64)
        for place in range(7):
            sub.deliver(blocks[place : place + 1], many[place : place + 1], 64)
            sub.take()
            assert sub.room == 0
        sub.deliver(blocks[7:8], many[7:8], 64)
        sub.take()
        assert sub.room == 8

    def test_the_last_ones_go_at_once(self) -> None:
        many = cids_of(make_blocks(65))
        sub = subscription(window_blocks=64)
        assert sub.add(many) == many[:64]
        sub.deliver(make_blocks(1), many[:1], 64)
        sub.take()
        assert sub.flow() == many[64:]


def test_removing(cids: list[CID]) -> None:
    sub = subscription(window_blocks=2)
    sub.add(cids[:4])
    assert sub.remove(cids[1:3]) == (cids[1:2], cids[2:3])
    assert sub.remove(cids) == (cids[:1], cids[3:4])
    assert sub.outstanding == 0


def test_failures(cids: list[CID]) -> None:
    sub = subscription()
    sub.add(cids[:2])
    sub.fail(Failure(cids[0], {"p": "answered DONT_HAVE"}, False))
    assert (sub.missing, sub.reasons, sub.lost, sub.outstanding) == (
        cids[:1],
        {"p": "answered DONT_HAVE"},
        False,
        1,
    )
    sub.fail(Failure(cids[1], {"q": "connection lost"}, True))
    assert (len(sub.missing), sub.lost, sub.outstanding) == (2, True, 0)
