"""A peer that cannot be reached for a while, although it counts as connected.

boxo calls it unresponsive after three failures and acts as if it had left; here its wants stay and are tried
again with growing pauses, and after three failures others are asked as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest

from bitswap.cid import CID
from bitswap.errors import RemoteError
from bitswap.messagequeue import MessageQueue
from bitswap.options import ClientOptions
from bitswap.testutils import make_blocks
from tests.client.harness import Harness
from tests.client.messages import asks_for, cancels_of, wants_of

pytestmark = pytest.mark.usefixtures("implementation")


class Line(Harness):
    """Sends to some peers fail."""

    def __init__(self, *peers: str, broken: Iterable[str] = (), **options: float) -> None:
        super().__init__(*peers, **options)
        self.broken = set(broken)
        self.failures: list[tuple[float, str]] = []
        self.got: list[tuple[str, set[CID], set[CID]]] = []
        """Who was told of which wants and cancels."""

    def _send(self) -> None:
        while outgoing := self.machine.outgoing(self.now):
            for peer, message, queue in outgoing:
                if peer in self.broken:
                    self.failures.append((self.now, peer))
                    self.machine.message_failed(queue, RemoteError("no route"), self.now)
                else:
                    self.got.append((peer, set(wants_of(message)), cancels_of(message)))
                    self.machine.message_sent(queue, self.now)

    def told(self, peer: str) -> set[CID]:
        """What a peer was asked for and not told to forget."""
        self._send()
        left: set[CID] = set()
        for to, wants, cancels in self.got:
            if to == peer:
                left = (left - cancels) | wants
        return left


def test_what_was_not_sent_is_sent_later(cids: list[CID]) -> None:
    run = Line("a", broken="a")
    run.want(cids)
    run.wait(1.0)
    assert run.told("a") == set()
    assert len(run.failures) > 2
    run.broken.clear()
    run.wait(5.0)
    assert run.told("a") == set(cids)
    assert run.machine.outstanding("a") == 10


def test_after_three_failures_others_are_asked(cids: list[CID]) -> None:
    run = Line("a", "b", broken="a")
    run.want(cids[:1], peers=["a"])
    run.wait(0.25)
    assert (len(run.failures), run.told("b")) == (2, set())
    run.wait(0.1)
    assert (len(run.failures), run.told("b")) == (3, set(cids[:1]))
    assert run.machine.reasons(cids[0])["a"] == "sending failed: no route"


def test_the_pauses_grow_up_to_a_bound(cids: list[CID]) -> None:
    run = Line("a", broken="a")
    run.want(cids)
    run.wait(600.0)
    times = [when for when, _ in run.failures]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[0] == pytest.approx(run.options.send_backoff)
    assert max(pauses) <= run.options.max_send_backoff + 1e-6
    assert min(pauses[10:]) >= run.options.max_send_backoff - 1e-6


def test_an_answer_of_such_a_peer_counts(cids: list[CID]) -> None:
    """Its messages come although ours do not leave."""
    run = Line("a", "b", broken="a")
    (block,) = make_blocks(1)
    sub = run.want([block.cid], peers=["a"], broadcast=False)
    run.wait(0.35)
    assert sub.missing == []
    run.answer("a", [block])
    assert run.take(sub) == [block]
    run.wait(60.0)
    assert run.machine.outstanding("a") == 0


def test_it_is_given_up_where_nobody_else_may_be_asked(cids: list[CID]) -> None:
    run = Line("a", "b", broken="a")
    sub = run.want(cids[:2], peers=["a"], broadcast=False)
    run.wait(600.0)
    assert sorted(sub.missing) == sorted(cids[:2])
    assert sub.reasons == {"a": "sending failed: no route"}
    assert run.told("b") == set()


def test_leaving_after_failures_is_one_loss(cids: list[CID]) -> None:
    run = Line("a", "b", broken="a")
    run.want(cids, peers=["a"])
    run.wait(0.35)
    assert run.told("b") == set(cids)
    run.disconnect("a")
    run.wait(1.0)
    assert run.told("b") == set(cids)
    assert run.machine.outstanding("a") == 0
    assert run.machine.peers() == ["b"]
    # Back again it begins with nothing to its name.
    run.broken.clear()
    run.connect("a")
    run.wait(100.0)
    assert run.told("a") <= set(cids)


def test_a_cancel_that_was_not_sent_is_sent_later(cids: list[CID]) -> None:
    run = Line("a")
    sub = run.want(cids)
    assert run.told("a") == set(cids)
    run.broken.add("a")
    run.machine.cancel(sub, cids[:5], run.now)
    run.wait(2.0)
    assert run.told("a") == set(cids)
    run.broken.clear()
    run.wait(5.0)
    assert run.told("a") == set(cids[5:])


class TestAccounts:
    """What a message that did not leave was to change is as it was before."""

    @staticmethod
    def asked(*cids: CID, most: int = 1000) -> MessageQueue:
        queue = MessageQueue("p", ClientOptions(max_outstanding_wants=most, refill_wants=1))
        queue.want_blocks(asks_for(cids))
        queue.next_message(0.0)
        queue.message_sent(0.0)
        return queue

    @pytest.mark.parametrize("again", ["denied", "silent"])
    def test_a_want_that_was_sent_once_more_in_vain_is_still_there(self, cids: list[CID], again: str) -> None:
        queue = self.asked(cids[0])
        if again == "denied":
            queue.received([], [], cids[:1], 1.0)
            queue.want_blocks(asks_for(cids[:1]))
        else:
            queue.on_deadline(30.0)
        assert wants_of(queue.next_message(30.0)).keys() == {cids[0]}
        queue.message_failed(30.0)
        assert queue.outstanding == 1
        queue.cancel(cids[:1], 30.0)
        queue.on_deadline(40.0)
        assert cancels_of(queue.next_message(40.0)) == {cids[0]}

    def test_a_want_cancelled_in_vain_wanted_and_cancelled_again(self, cids: list[CID]) -> None:
        queue = self.asked(cids[0])
        queue.cancel(cids[:1], 1.0)
        assert cancels_of(queue.next_message(1.0)) == {cids[0]}
        queue.want_blocks(asks_for(cids[:1]))
        queue.message_failed(1.0)
        queue.cancel(cids[:1], 1.0)
        queue.on_deadline(10.0)
        assert cancels_of(queue.next_message(10.0)) == {cids[0]}

    def test_wants_that_come_back_to_a_full_peer(self, cids: list[CID]) -> None:
        queue = self.asked(cids[0], most=1)
        queue.cancel(cids[:1], 1.0)
        queue.want_blocks(asks_for(cids[1:2]))
        message = queue.next_message(1.0)
        queue.cancel(cids[1:2], 1.0)
        queue.message_failed(1.0)
        queue.want_blocks(asks_for(cids[:2]))
        held = {cids[0]}
        now = 1.0
        while (now := now + 1.0) < 60.0:
            queue.on_deadline(now)
            while (message := queue.next_message(now)) is not None:
                held = held - cancels_of(message) | wants_of(message).keys()
                queue.message_sent(now)
                assert len(held) <= 1
                queue.received([], [], list(held), now)
        assert queue.outstanding <= 1
