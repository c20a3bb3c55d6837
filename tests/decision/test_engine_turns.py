"""Who is served when: turns, limits of what is under way, failed sends, peers that leave and come back."""

from __future__ import annotations

import pytest

from bitswap.decision.score_ledger import DefaultScoreLedger
from bitswap.message import Message
from bitswap.options import KIB, MIB, ServerOptions

from .support import ALPHABET, Answer, Node, block, cid, one

pytestmark = pytest.mark.usefixtures("implementation")

STEADY = ServerOptions(target_message_size=1, adaptive=False)


def ask(node: Node, peer: str, names: str, size: int) -> None:
    """Want blocks of `size` bytes, which are stored first."""
    node.add(block(name, size) for name in names)
    message = Message()
    for name in names:
        message.add_entry(block(name, size).cid, 1)
    node.receive(peer, message)


def test_a_peer_that_had_all_it_asked_for_counts_as_a_newcomer_when_it_asks_again() -> None:
    node = Node(STEADY)
    for number in range(3):
        node.want(f"busy {number}", ALPHABET)
    for _ in range(6):
        assert node.next() is not None
    for name in "ab":
        node.want("light", name)
        answer = node.next()
        assert answer == Answer("light", name)


def test_busy_peers_take_turns() -> None:
    node = Node(STEADY)
    for number in range(5):
        node.want(f"busy {number}", ALPHABET)
    order = [answer.peer for answer in (node.next() for _ in range(20)) if answer is not None]
    rounds = [order[start : start + 5] for start in range(0, 20, 5)]
    assert all(sorted(turn) == sorted(rounds[0]) for turn in rounds)
    assert len(set(rounds[0])) == 5


def test_a_peer_that_others_keep_passing_is_served_after_ten_seconds() -> None:
    node = Node(STEADY)
    node.want("light", "ab")
    assert one([a for a in [node.next()] if a]).peer == "light"
    for number in range(3):
        node.want(f"heavy {number}", ALPHABET)
    served = []
    for _ in range(60):
        node.clock.advance(0.25)
        answer = node.next()
        assert answer is not None
        served.append(answer.peer)
    # More queued goes first, until ten seconds have passed.
    assert served.index("light") == 40


def test_one_envelope_a_peer_is_out_at_a_time() -> None:
    node = Node(STEADY)
    node.want("A", "ab")
    node.want("B", "c")
    first, second = node.begin(), node.begin()
    assert first is not None
    assert second is not None
    assert {first[1].peer, second[1].peer} == {"A", "B"}
    assert node.begin() is None
    assert not node.engine.ready
    node.engine.envelope_sent(first[0] if first[1].peer == "A" else second[0], node.now)
    assert node.engine.ready
    assert one(node.drain()) == Answer("A", "b")


def test_a_peer_at_its_limit_does_not_hold_up_the_next() -> None:
    options = ServerOptions(target_message_size=1, max_outstanding_bytes=3000, adaptive=False)
    node = Node(options, stored="", envelopes_per_peer=15)
    ask(node, "slow", "abcde", 2000)
    taken = [node.begin(), node.begin()]
    assert all(begun is not None and begun[1].peer == "slow" for begun in taken)
    assert node.begin() is None
    ask(node, "other", "x", 2000)
    begun = node.begin()
    assert begun is not None
    assert begun[1].peer == "other"
    assert node.begin() is None
    assert taken[0] is not None
    node.engine.envelope_sent(taken[0][0], node.now)
    begun = node.begin()
    assert begun is not None
    assert begun[1].peer == "slow"


def test_all_peers_together_are_limited_too() -> None:
    options = ServerOptions(target_message_size=1, max_total_outstanding_bytes=3000, adaptive=False)
    node = Node(options, stored="")
    for peer in "ABC":
        ask(node, peer, "x", 2000)
    first, second = node.begin(), node.begin()
    assert first is not None
    assert second is not None
    assert node.begin() is None
    # Even one that leaves holds its memory until its send has ended.
    node.engine.peer_disconnected(first[1].peer)
    assert node.begin() is None
    node.engine.envelope_failed(first[0], node.now)
    assert node.begin() is not None


def sizes_of_messages(node: Node, seconds: float, count: int) -> list[int]:
    sizes = []
    for _ in range(count):
        taken = node.take()
        assert taken is not None
        sizes.append(sum(len(item.data) for item in taken[1].blocks()))
        node.clock.advance(seconds)
        node.engine.envelope_sent(taken[0], node.now)
    return sizes


def fill_queue(node: Node, count: int = 5000) -> None:
    items = [block(f"f{number:04}", 1 * KIB) for number in range(count)]
    node.add(items)
    message = Message()
    for item in items:
        message.add_entry(item.cid, 1)
    node.receive("A", message)


def test_messages_grow_while_the_peer_takes_them_fast() -> None:
    node = Node(ServerOptions(max_message_answers=2048), stored="")
    fill_queue(node, 9000)
    sizes = sizes_of_messages(node, 0.01, 10)
    assert sizes == [16 * KIB << step for step in range(8)] + [2 * MIB, 2 * MIB]


def test_a_large_message_has_not_many_blocks() -> None:
    node = Node(stored="")
    fill_queue(node)
    assert sizes_of_messages(node, 0.01, 8) == [16 * KIB << step for step in range(5)] + [256 * KIB] * 3


def test_a_message_of_the_first_size_has_as_many_as_it_holds() -> None:
    node = Node(ServerOptions(max_message_answers=4), stored="")
    fill_queue(node)
    assert sizes_of_messages(node, 0.01, 3) == [16 * KIB] * 3


def test_messages_shrink_again_when_it_slows_down() -> None:
    node = Node(stored="")
    fill_queue(node)
    sizes_of_messages(node, 0.01, 4)
    assert sizes_of_messages(node, 2.0, 6) == [256 * KIB, 128 * KIB, 64 * KIB, 32 * KIB, 16 * KIB, 16 * KIB]
    assert sizes_of_messages(node, 0.5, 2) == [16 * KIB, 16 * KIB]


def test_messages_keep_their_size_when_that_is_fixed() -> None:
    node = Node(ServerOptions(adaptive=False), stored="")
    fill_queue(node)
    assert sizes_of_messages(node, 0.01, 3) == [16 * KIB] * 3


class TestFailedSends:
    def failed(self, node: Node) -> Answer:
        begun = node.begin()
        assert begun is not None
        node.engine.envelope_failed(begun[0], node.now)
        return begun[1]

    def after_retry_delay(self, node: Node) -> list[Answer]:
        assert node.begin() is None
        deadline = node.engine.next_deadline()
        assert deadline is not None
        assert deadline > node.now
        node.clock.advance_to(deadline)
        return node.drain()

    def test_all_is_owed_again(self) -> None:
        node = Node(ServerOptions(want_have_replace_size=0))
        node.want("A", "ab1", "cd2", ask=True)
        wants = node.wantlist("A")
        answer = self.failed(node)
        assert node.wantlist("A") == wants
        assert node.engine.stat.blocks_sent == 0
        assert node.engine.ledger_for_peer("A").sent == 0
        assert node.engine.ledger_for_peer("A").exchanged == 0
        assert self.after_retry_delay(node) == [answer]
        assert node.engine.ledger_for_peer("A").sent == 2
        assert node.wantlist("A") == "12"

    def test_others_are_served_meanwhile_and_the_wait_doubles(self) -> None:
        node = Node()
        node.want("A", "a")
        waits = []
        self.failed(node)
        for _ in range(9):
            node.want("B", "b")
            assert one(node.drain()).peer == "B"
            start = node.now
            while (begun := node.begin()) is None:
                deadline = node.engine.next_deadline()
                assert deadline is not None
                node.clock.advance_to(deadline)
            waits.append(round(node.now - start, 3))
            node.engine.envelope_failed(begun[0], node.now)
        assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
        node.clock.advance(10.0)
        assert one(node.drain()) == Answer("A", "a")
        node.want("A", "a")
        self.failed(node)
        node.clock.advance(0.1)
        assert one(node.drain()) == Answer("A", "a")

    def test_what_was_cancelled_meanwhile_is_not(self) -> None:
        node = Node()
        node.want("A", "abc")
        begun = node.begin()
        assert begun is not None
        node.want("A", cancels="b")
        node.engine.envelope_failed(begun[0], node.now)
        assert node.wantlist("A") == "ac"
        assert self.after_retry_delay(node) == [Answer("A", "ac")]

    def test_what_was_cancelled_and_wanted_again_is(self) -> None:
        node = Node()
        node.want("A", "a")
        begun = node.begin()
        assert begun is not None
        node.want("A", cancels="a")
        node.want("A", "a")
        node.engine.envelope_failed(begun[0], node.now)
        assert self.after_retry_delay(node) == [Answer("A", "a")]

    def test_a_full_wantlist_meanwhile_says_what_is_still_wanted(self) -> None:
        node = Node()
        node.want("A", "abc")
        begun = node.begin()
        assert begun is not None
        node.want("A", "bd", full=True)
        node.engine.envelope_failed(begun[0], node.now)
        assert node.wantlist("A") == "bd"
        assert self.after_retry_delay(node) == [Answer("A", "bd")]

    def test_a_block_that_came_meanwhile_takes_the_place_of_dont_have(self) -> None:
        node = Node(stored="")
        node.want("A", "a", ask=True)
        begun = node.begin()
        assert begun is not None
        assert begun[1].dont_haves == "a"
        node.arrive([block("a")])
        node.engine.envelope_failed(begun[0], node.now)
        assert self.after_retry_delay(node) == [Answer("A", "a")]

    def test_they_keep_their_place(self) -> None:
        node = Node(STEADY)
        node.want("A", "a", priority=5)
        node.want("A", "b", priority=5)
        self.failed(node)
        assert [answer.blocks for answer in self.after_retry_delay(node)] == ["a", "b"]

    def test_a_block_that_vanished_unasked_is_still_passed_over_in_silence(self) -> None:
        node = Node()
        node.want("A", "ab")
        del node.store[cid("a")]
        assert self.failed(node) == Answer("A", "b")
        assert self.after_retry_delay(node) == [Answer("A", "b")]
        assert node.wantlist("A") == "a"

    def test_the_peer_is_given_little_again(self) -> None:
        node = Node(stored="")
        fill_queue(node)
        sizes_of_messages(node, 0.01, 4)
        taken = node.take()
        assert taken is not None
        node.engine.envelope_failed(taken[0], node.now)
        node.clock.advance(1.0)
        assert sizes_of_messages(node, 0.01, 1) == [16 * KIB]

    def test_an_envelope_ends_once(self) -> None:
        node = Node()
        node.want("A", "a")
        begun = node.begin()
        assert begun is not None
        node.engine.envelope_sent(begun[0], node.now)
        node.engine.envelope_failed(begun[0], node.now)
        assert node.drain() == []
        assert node.engine.stat.sends_failed == 0

    def test_one_that_was_never_filled_can_fail_too(self) -> None:
        node = Node()
        node.want("A", "a")
        envelope = node.engine.next_envelope(node.now)
        assert envelope is not None
        node.engine.envelope_failed(envelope, node.now)
        assert self.after_retry_delay(node) == [Answer("A", "a")]

    def test_a_peer_that_left_is_owed_nothing(self) -> None:
        node = Node()
        node.want("A", "a")
        begun = node.begin()
        assert begun is not None
        node.engine.peer_disconnected("A")
        node.engine.envelope_failed(begun[0], node.now)
        assert node.engine.peers() == []
        assert node.engine.next_deadline() is None
        node.clock.advance(100)
        assert node.drain() == []


@pytest.mark.parametrize("end", ["sent", "failed", "filled"])
def test_a_peer_that_comes_back_waits_for_the_end_of_its_old_send(end: str) -> None:
    node = Node()
    node.want("A", "ab")
    envelope = node.engine.next_envelope(node.now)
    assert envelope is not None
    if end != "filled":
        assert node.fill(envelope) is not None
    node.engine.peer_disconnected("A")
    node.engine.peer_connected("A")
    node.want("A", "c")
    assert node.engine.next_envelope(node.now) is None
    if end == "filled":
        assert node.fill(envelope) is None
    elif end == "sent":
        node.engine.envelope_sent(envelope, node.now)
    else:
        node.engine.envelope_failed(envelope, node.now)
    assert one(node.drain()) == Answer("A", "c")
    assert node.wantlist("A") == ""
    assert node.engine.ledger_for_peer("A").sent == 1


def test_wants_outlive_a_connection_event_and_nothing_outlives_a_disconnection() -> None:
    node = Node(stored="")
    node.engine.peer_connected("A")
    node.want("A", "a", ask=True)
    node.engine.peer_connected("A")
    node.engine.blocks_received("A", 100)
    assert node.wantlist("A") == "a"
    node.engine.peer_disconnected("A")
    node.engine.peer_disconnected("A")
    assert node.engine.ledger_for_peer("A").recv == 0
    assert node.drain() == []
    node.engine.peer_connected("A")
    node.arrive([block("a")])
    assert node.drain() == []


class TestScores:
    def test_giving_scores_more_than_taking_and_leaving_forgets(self) -> None:
        node = Node()
        node.drain()
        node.want("taker", "a")
        node.drain()
        node.engine.blocks_received("giver", 1000)
        self.wait(node, 1)
        scores = node.engine.scores()
        assert scores["giver"] > scores["taker"] > 0
        node.engine.peer_disconnected("giver")
        assert "giver" not in node.engine.scores()

    def wait(self, node: Node, samples: int) -> None:
        for _ in range(samples):
            deadline = node.engine.next_deadline()
            assert deadline is not None
            assert deadline <= node.now + 10
            node.clock.advance_to(deadline)
            assert node.engine.next_envelope(node.now) is None


def test_the_accounts_can_be_kept_by_something_else() -> None:
    class Stingy(DefaultScoreLedger):
        def __init__(self) -> None:
            super().__init__(interval=1.0)
            made.append(self)

        def sample(self) -> dict[str, int]:
            return {"A": 7}

    made: list[Stingy] = []
    node = Node(ServerOptions(score_ledger=Stingy))
    node.engine.peer_connected("A")
    assert node.drain() == []
    node.clock.advance(1.0)
    assert node.drain() == []
    assert node.engine.scores() == {"A": 7}
    assert len(made) == 1


def test_lookups_are_of_wants_only() -> None:
    message = Message()
    message.add_entry(cid("a"), 1)
    message.cancel(cid("b"))
    assert Node().engine.lookup(message).cids == [cid("a")]
