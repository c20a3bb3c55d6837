"""Rates in bytes a second: kept within a bucket, steady, fair among the limited, and nothing is forgotten."""

from __future__ import annotations

from collections import Counter

import pytest

from bitswap.decision.ratelimit import MAX_ABSENT, RateLimit
from bitswap.errors import UsageError
from bitswap.message import Message, WantType
from bitswap.options import KIB, MIB, ServerOptions
from bitswap.tokenbucket import TokenBucket
from tests.decision.support import Node, block

pytestmark = pytest.mark.usefixtures("implementation")

SIZE = 8 * KIB
RATE = 100.0 * KIB
BURST = max(RATE * ServerOptions.rate_burst, 16 * KIB)


class Line:
    """A node whose answers leave at once; what was sent when, by peer."""

    def __init__(self, blocks: int, **options: float) -> None:
        self.node = Node(ServerOptions(**options), stored="")  # type: ignore[arg-type]
        self.blocks = [block(f"{number};", SIZE) for number in range(blocks)]
        for item in self.blocks:
            self.node.store[item.cid] = item
        self.sent: list[tuple[float, str, int]] = []
        self.begun = self.node.now

    def want(self, peer: str, first: int = 0, last: int | None = None) -> None:
        message = Message()
        for item in self.blocks[first:last]:
            message.add_entry(item.cid, 1, WantType.BLOCK, True)
        self.node.receive(peer, message)

    def run(self, seconds: float) -> None:
        """Go on for that time, waking up when the engine says so and never else."""
        node, end = self.node, self.node.now + seconds
        while True:
            while (taken := node.take()) is not None:
                envelope, message = taken
                self.sent.append((node.now, envelope.peer, message.size()))
                node.engine.envelope_sent(envelope, node.now)
            assert not node.engine.ready
            when = node.engine.next_deadline()
            if when is None or when > end:
                node.clock.advance_to(end)
                return
            assert when > node.now or node.engine.queued_peers() == []
            node.clock.advance_to(when)

    def total(self, peer: str | None = None) -> int:
        return sum(size for _, who, size in self.sent if peer in (None, who))

    def assert_within(self, rate: float, peer: str | None = None) -> None:
        """In every span of time at most what the rate gives, the bucket, and one message's last block."""
        times = [(when, size) for when, who, size in self.sent if peer in (None, who)]
        for first in range(len(times)):
            sent = 0
            for when, size in times[first:]:
                sent += size
                assert sent <= rate * (when - times[first][0]) + BURST + BURST + SIZE


@pytest.mark.parametrize("option", ["max_peer_rate", "max_total_rate"])
def test_a_rate_is_kept_and_used(option: str) -> None:
    line = Line(200, **{option: RATE})
    line.want("A")
    line.run(10.0)
    line.assert_within(RATE)
    assert line.total() >= RATE * 10
    stat = line.node.engine.stat
    assert stat.answers_delayed > 10
    assert stat.pending_tasks == 200 - stat.blocks_sent
    line.run(10.0)
    # It came later, all of it, once.
    assert line.node.engine.stat.blocks_sent == 200
    assert line.total() == 200 * SIZE


def test_a_limited_peer_is_given_its_share_steadily() -> None:
    line = Line(200, max_peer_rate=RATE)
    line.want("A")
    line.run(10.0)
    gaps = [after[0] - before[0] for before, after in zip(line.sent, line.sent[1:], strict=False)]
    assert max(gaps) <= 2 * (BURST + SIZE) / RATE
    assert max(size for _, _, size in line.sent) <= BURST + SIZE


def test_each_peer_has_a_rate_of_its_own() -> None:
    line = Line(100, max_peer_rate=RATE)
    for peer in "ABC":
        line.want(peer)
    line.run(5.0)
    for peer in "ABC":
        line.assert_within(RATE, peer)
        assert line.total(peer) >= RATE * 5


def test_under_one_rate_for_all_equals_get_equal_shares() -> None:
    line = Line(200, max_total_rate=RATE)
    for peer in "ABCD":
        line.want(peer)
    line.run(20.0)
    line.assert_within(RATE)
    shares = Counter({peer: line.total(peer) for peer in "ABCD"})
    assert max(shares.values()) - min(shares.values()) <= 2 * (BURST + SIZE)


def test_a_newcomer_is_next_however_long_the_others_wait() -> None:
    line = Line(400, max_total_rate=RATE)
    for peer in "ABCD":
        line.want(peer, 0, 399)
    line.run(5.0)
    before = len(line.sent)
    line.want("E", 399)
    line.run(2.0)
    assert "E" in [peer for _, peer, _ in line.sent[before : before + 2]]


def test_cancels_are_heard_while_a_peer_waits() -> None:
    line = Line(100, max_peer_rate=RATE)
    line.want("A")
    line.run(1.0)
    sent = line.node.engine.stat.blocks_sent
    message = Message()
    for item in line.blocks[sent:]:
        message.cancel(item.cid)
    line.node.receive("A", message)
    line.run(10.0)
    assert line.node.engine.stat.blocks_sent == sent


def test_coming_back_is_no_way_to_be_rid_of_a_debt() -> None:
    line = Line(200, max_peer_rate=RATE)
    for _ in range(50):
        line.node.engine.peer_connected("A")
        line.want("A")
        line.run(0.1)
        line.node.engine.peer_disconnected("A")
    line.assert_within(RATE, "A")
    assert line.total() >= RATE * 4


def test_a_pause_after_a_failure_and_one_for_a_rate_are_one_pause() -> None:
    line = Line(10, max_peer_rate=RATE, retry_delay=0.001, max_retry_delay=0.001)
    line.want("A")
    node = line.node
    first = node.take()
    assert first is not None
    node.engine.envelope_sent(first[0], node.now)
    taken = node.take()
    assert taken is not None
    before = node.engine.next_deadline()
    assert before is not None
    assert before < node.now + 1.0
    assert node.engine.envelope_failed(taken[0], node.now)
    # What was not sent counts as sent: a peer that fails gets no more than others.
    assert node.engine.next_deadline() == before
    node.clock.advance(0.002)
    assert node.take() is None
    line.run(10.0)
    assert node.engine.stat.blocks_sent == 10


def test_a_huge_block_is_owed_afterwards() -> None:
    line = Line(0, max_peer_rate=RATE)
    large = block("large", 2 * MIB)
    line.node.store[large.cid] = large
    line.blocks = [large, *(block(f"{number};", SIZE) for number in range(20))]
    line.node.add(line.blocks[1:])
    message = Message()
    for priority, item in zip(range(100, 0, -1), line.blocks, strict=False):
        message.add_entry(item.cid, priority, WantType.BLOCK, True)
    line.node.receive("A", message)
    line.run(2 * MIB / RATE - 1.0)
    assert line.node.engine.stat.blocks_sent == 1
    line.run(5.0)
    assert line.node.engine.stat.blocks_sent == 21


def test_no_rate_delays_nobody() -> None:
    line = Line(200)
    line.want("A")
    line.run(0.0)
    assert line.total() == 200 * SIZE
    assert line.node.engine.stat.answers_delayed == 0


def test_what_is_remembered_of_peers_is_bounded() -> None:
    limit = RateLimit(1.0, None, 1.0, 1.0)
    for number in range(MAX_ABSENT + 100):
        limit.took(str(number), 100.0, 0.0)
        limit.forget(str(number), 0.0)
    assert len(limit) == MAX_ABSENT
    limit.took("paid", 100.0, 0.0)
    limit.forget("paid", 1000.0)
    assert len(limit) == MAX_ABSENT


def test_a_bucket() -> None:
    bucket = TokenBucket(10.0, 20.0, 0.0)
    bucket.take(50.0, 0.0)
    assert bucket.level(0.0) == -30.0
    ready_at = bucket.ready_at(0.0)
    assert ready_at == pytest.approx(3.0, abs=1e-5)
    # Time that runs backwards changes nothing, and what follows is counted from the latest.
    assert bucket.level(-100.0) == -30.0
    assert bucket.level(1.0) == -20.0
    assert bucket.level(ready_at) > 0
    assert bucket.level(1000.0) == 20.0
    bucket.take(-100.0, 1000.0)
    assert bucket.level(1000.0) == 20.0


@pytest.mark.parametrize(
    "name", ["max_peer_rate", "max_total_rate", "max_peer_requests", "max_total_requests"]
)
def test_rates_out_of_range(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        ServerOptions(**{name: 0.0})  # type: ignore[arg-type]
