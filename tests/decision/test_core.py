"""What both decision cores promise of each call; what they answer is tested through the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.implementations import implementations
from bitswap.errors import UsageError, WireError
from bitswap.message import Message
from bitswap.options import ServerOptions

from .support import block, cid

A, B, C, D = (block(name) for name in "abcd")
LARGE = 5000

Make = Callable[..., Any]


@pytest.fixture
def make(implementation: str) -> Make:
    """Makes a core with these options."""

    def make(envelopes_per_peer: int = 1, **options: Any) -> Any:
        kind = implementations()[implementation].DecisionCore
        return kind(ServerOptions(**options), 7, envelopes_per_peer)

    return make


def wanting(*blocks: Block, kind: int = 0, ask: bool = True, full: bool = False) -> Message:
    message = Message(full)
    for item in blocks:
        message.add_entry(item.cid, 1, kind, ask)
    return message


def receive(
    core: Any, message: Message, sizes: Sequence[int | None], peer: str = "A", now: float = 0
) -> None:
    core.message_received(peer, core.lookup(message), sizes, now)


def cids(blocks: Sequence[Block]) -> list[CID]:
    return [item.cid for item in blocks]


class TestLookup:
    def test_it_names_what_is_wanted_in_order(self, make: Make) -> None:
        message = wanting(C, A)
        message.cancel(B.cid)
        assert make().lookup(message).cids == [C.cid, A.cid]
        assert make().lookup(Message()).cids == []

    def test_the_store_is_asked_only_if_there_is_something_to_ask(self, make: Make) -> None:
        core, asked = make(max_known_blocks=9), []

        def sizes(cids: list[CID]) -> list[int | None]:
            asked.append(list(cids))
            return [len(A.data)] * len(cids)

        core.blocks_stored({B.cid: len(B.data)})
        cancels = Message()
        cancels.cancel(A.cid)
        for said in (wanting(B), wanting(A), cancels, wanting(A, B)):
            core.receive("A", said.to_body(), sizes, 0.0)
        assert asked == [[A.cid], [A.cid]]
        assert core.counts().pending_tasks == 2

    @pytest.mark.parametrize("sizes", [[], [1, 1]])
    def test_sizes_of_another_number_of_blocks_are_refused(self, make: Make, sizes: list[int]) -> None:
        core = make()
        receive(core, wanting(B), [1])
        before = core.counts(), core.wantlist_for_peer("A")
        lookup = core.lookup(wanting(A, full=True))
        with pytest.raises(ValueError, match=f"{len(sizes)} sizes for 1 blocks"):
            core.message_received("A", lookup, sizes, 0)
        assert (core.counts(), core.wantlist_for_peer("A")) == before
        core.message_received("A", lookup, [1], 0)
        assert core.wantlist_for_peer("A") == [A.cid]

    def test_a_message_that_says_nothing_does_nothing(self, make: Make) -> None:
        core = make()
        receive(core, wanting(A), [None])
        receive(core, Message(), [])
        assert core.wantlist_for_peer("A") == [A.cid]
        receive(core, Message(full=True), [])
        assert core.peers() == []


class TestReceive:
    def test_from_bytes_to_answers(self, make: Make) -> None:
        core, asked = make(), []

        def sizes(wanted: list[CID]) -> list[int | None]:
            asked.append(wanted)
            return [1, None]

        core.receive("A", wanting(A, B).to_body(), sizes, 0)
        assert asked == [[A.cid, B.cid]]
        envelope = core.next_envelope(0)
        assert envelope.cids == [A.cid]
        answer = core.fill(envelope, [A])
        assert (answer.blocks(), answer.dont_haves()) == ([A], [B.cid])

    def test_a_bad_body_changes_nothing(self, make: Make) -> None:
        core = make()
        with pytest.raises(WireError):
            core.receive("A", wanting(A).to_body()[:-1], lambda wanted: [1], 0)
        assert core.counts() == (0,) * 6

    def test_a_store_that_fails_changes_nothing(self, make: Make) -> None:
        def fail(wanted: list[CID]) -> list[int | None]:
            raise OSError("no disk")

        core = make()
        receive(core, wanting(B), [None])
        before = core.counts()
        with pytest.raises(OSError, match="no disk"):
            core.receive("A", wanting(A, full=True).to_body(), fail, 0)
        assert core.counts() == before
        with pytest.raises(ValueError, match="0 sizes for 1 blocks"):
            core.receive("A", wanting(A, full=True).to_body(), lambda wanted: [], 0)
        assert core.counts() == before

    def test_the_store_may_use_the_core(self, make: Make) -> None:
        core = make()

        def sizes(wanted: list[CID]) -> list[int | None]:
            receive(core, wanting(B), [1])
            core.peer_disconnected("other")
            return [1]

        core.receive("A", wanting(A).to_body(), sizes, 0)
        assert core.wantlist_for_peer("A") == [B.cid, A.cid]


class TestKnownBlocks:
    def test_what_is_known_is_not_looked_up(self, make: Make) -> None:
        core = make(max_known_blocks=10)
        core.blocks_stored({A.cid: 1, B.cid: LARGE})
        lookup = core.lookup(wanting(B, C, A, kind=1))
        assert lookup.cids == [C.cid]
        core.message_received("A", lookup, [None], 0)
        envelope = core.next_envelope(0)
        assert envelope.cids == [A.cid]
        answer = core.fill(envelope, [A])
        assert (answer.haves(), answer.dont_haves()) == ([B.cid], [C.cid])

    def test_the_size_at_the_look_up_counts(self, make: Make) -> None:
        core = make(max_known_blocks=10)
        core.blocks_stored({A.cid: 1})
        known, unknown = core.lookup(wanting(A)), core.lookup(wanting(B))
        core.blocks_removed([A.cid])
        core.blocks_stored({B.cid: 1})
        core.message_received("A", known, [], 0)
        core.message_received("B", unknown, [None], 0)
        envelopes = [core.next_envelope(0) for _ in range(2)]
        assert {envelope.peer: envelope.cids for envelope in envelopes} == {"A": [A.cid], "B": []}

    def test_beyond_the_limit_the_one_known_longest_goes(self, make: Make) -> None:
        core = make(max_known_blocks=2)
        core.blocks_stored({A.cid: 1, B.cid: 1})
        core.blocks_stored({A.cid: 1})
        core.blocks_stored({C.cid: 1})
        assert core.lookup(wanting(A, B, C)).cids == [A.cid]
        core.blocks_stored({D.cid: 1, A.cid: 1, B.cid: 1})
        assert core.lookup(wanting(A, B, C, D)).cids == [C.cid, D.cid]

    def test_none_is_remembered_unless_that_is_wanted(self, make: Make) -> None:
        core = make()
        core.blocks_stored({A.cid: 1})
        core.blocks_removed([A.cid])
        assert core.lookup(wanting(A)).cids == [A.cid]

    def test_what_was_removed_is_forgotten(self, make: Make) -> None:
        core = make(max_known_blocks=10)
        core.blocks_stored({A.cid: 1, B.cid: 1})
        core.blocks_removed([A.cid, C.cid])
        core.blocks_removed([A.cid])
        assert core.lookup(wanting(A, B)).cids == [A.cid]

    def test_what_turns_out_to_be_gone_is_forgotten(self, make: Make) -> None:
        core = make(max_known_blocks=10)
        core.blocks_stored({A.cid: 1, B.cid: 1})
        receive(core, wanting(A, B), [])
        answer = core.fill(core.next_envelope(0), [None, B])
        assert (answer.blocks(), answer.dont_haves()) == ([B], [A.cid])
        assert core.lookup(wanting(A, B)).cids == [A.cid]

    def test_a_known_block_of_no_bytes_is_there(self, make: Make) -> None:
        empty = block("")
        core = make(max_known_blocks=10)
        core.blocks_stored({empty.cid: 0})
        receive(core, wanting(empty), [])
        assert core.next_envelope(0).cids == [empty.cid]


class TestEnvelopes:
    def test_how_many_of_a_peer_may_be_out(self, make: Make) -> None:
        for count in (0, -1, 16):
            with pytest.raises(UsageError, match=f"between 1 and 15, not {count}"):
                make(envelopes_per_peer=count)
        core = make(envelopes_per_peer=15, target_message_size=1)
        items = [block(f"{number}") for number in range(20)]
        receive(core, wanting(*items), [1] * 20)
        taken = [core.next_envelope(0) for _ in range(16)]
        assert None not in taken[:15]
        assert taken[15] is None
        assert not core.ready

    @pytest.mark.parametrize("count", [0, 2])
    def test_another_number_of_blocks_is_refused(self, make: Make, count: int) -> None:
        core = make()
        receive(core, wanting(A), [1])
        envelope = core.next_envelope(0)
        with pytest.raises(ValueError, match=f"{count} blocks for 1 CIDs"):
            core.fill(envelope, [A] * count)
        assert core.fill(envelope, [A]).blocks() == [A]

    def test_one_is_filled_once(self, make: Make) -> None:
        core = make()
        receive(core, wanting(A), [1])
        envelope = core.next_envelope(0)
        core.fill(envelope, [A])
        with pytest.raises(ValueError, match="filled before"):
            core.fill(envelope, [A])
        assert core.envelope_sent(envelope, 0)

    def test_one_ends_once(self, make: Make) -> None:
        core = make()
        receive(core, wanting(A), [1])
        envelope = core.next_envelope(0)
        assert (envelope.peer, envelope.ended, envelope.block_count) == ("A", False, 0)
        core.fill(envelope, [A])
        assert (envelope.block_count, envelope.block_bytes) == (1, 1)
        assert core.envelope_sent(envelope, 0)
        assert envelope.ended
        assert not core.envelope_sent(envelope, 0)
        assert not core.envelope_failed(envelope, 0)
        assert core.fill(envelope, [A]) is None
        assert core.counts() == (0,) * 6

    def test_one_with_nothing_to_say_ends_when_it_is_filled(self, make: Make) -> None:
        core = make()
        receive(core, wanting(A, ask=False), [1])
        envelope = core.next_envelope(0)
        assert core.fill(envelope, [None]) is None
        assert envelope.ended
        assert not core.envelope_sent(envelope, 0)
        assert core.wantlist_for_peer("A") == [A.cid]

    def test_one_whose_peer_left_ends_without_consequences(self, make: Make) -> None:
        core = make(envelopes_per_peer=2, target_message_size=1)
        receive(core, wanting(A, B), [1, 1])
        first, second = core.next_envelope(0), core.next_envelope(0)
        core.fill(second, [B])
        core.peer_disconnected("A")
        assert core.fill(first, [A]) is None
        assert first.ended
        assert not core.envelope_failed(second, 0)
        assert second.ended
        assert core.next_deadline() is None
        assert core.counts() == (0,) * 6

    def test_sent_though_the_peer_left(self, make: Make) -> None:
        core = make()
        receive(core, wanting(A), [1])
        envelope = core.next_envelope(0)
        core.fill(envelope, [A])
        core.peer_disconnected("A")
        assert core.envelope_sent(envelope, 0)
        assert not core.envelope_sent(envelope, 0)


class TestQuestions:
    def test_who_is_owed_something(self, make: Make) -> None:
        core = make()
        receive(core, wanting(A), [1])
        receive(core, wanting(A, ask=False), [None], "B")
        receive(core, wanting(A), [1], "C")
        assert sorted(core.queued_peers()) == ["A", "C"]
        assert sorted(core.peers()) == ["A", "B", "C"]
        core.peer_disconnected("C")
        envelope = core.next_envelope(0)
        assert core.queued_peers() == ["A"]
        core.fill(envelope, [A])
        assert core.peers() == ["B"]
        assert core.queued_peers() == ["A"]
        core.envelope_sent(envelope, 0)
        assert core.queued_peers() == []

    def test_a_wantlist_is_told_oldest_first(self, make: Make) -> None:
        core = make()
        receive(core, wanting(D, A), [None, 1])
        envelope = core.next_envelope(0)
        core.fill(envelope, [A])
        receive(core, wanting(C), [None])
        receive(core, wanting(D, kind=1), [None])
        core.envelope_failed(envelope, 0)
        # A want that was put back, or asked for again, is as old as it was.
        assert core.wantlist_for_peer("A") == [D.cid, A.cid, C.cid]
        assert core.wantlist_for_peer("nobody") == []

    def test_counts(self, make: Make) -> None:
        core = make(max_wantlist_entries=2, max_cid_size=36)
        receive(core, wanting(A, B, C), [1, 1, None])
        assert core.counts()._asdict() == {
            "wants": 2,
            "pending_tasks": 3,
            "active_tasks": 0,
            "wants_refused": 1,
            "blocks_too_large": 0,
            "entries_ignored": 0,
        }
        core.next_envelope(0)
        overlong = Message()
        overlong.cancel(CID.v1(0x1234567, cid("a").multihash))
        receive(core, overlong, [])
        counts = core.counts()
        assert (counts.pending_tasks, counts.active_tasks, counts.entries_ignored) == (0, 3, 1)
        assert core.too_large is None
