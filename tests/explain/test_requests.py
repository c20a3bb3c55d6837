"""Requests whose CIDs come from somewhere: endless, slow, failing, repeating; over the loopback network."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import cycle, islice

import pytest

from bitswap import CID, Bitswap, Block, InvalidCid, NotFound, Timeout, cidsource
from bitswap.cidsource import CidSource, Repetitions
from bitswap.getter import Fetcher
from bitswap.testutils import cids_of, make_blocks
from tests.explain.conftest import Pair
from tests.fetching.swarm import contents

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""
SOON = 0.05
"""For what is expected to time out."""


class Counted:
    """An iterator that counts what was read of it."""

    def __init__(self, cids: Iterable[CID]) -> None:
        self._cids = iter(cids)
        self.read = 0

    def __iter__(self) -> Iterator[CID]:
        return self

    def __next__(self) -> CID:
        cid = next(self._cids)
        self.read += 1
        return cid


def pause(condition: threading.Event | None = None) -> None:
    """Let other threads go on."""
    (condition or threading.Event()).wait(0.001)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every source counts as one that takes its time for each CID."""
    monkeypatch.setattr(cidsource, "_MOMENT", 0.0)


class TestEndless:
    def test_memory_is_bounded_however_long_it_goes_on(self, pair: Pair) -> None:
        ours, theirs = pair(window_blocks=64, max_repetitions=64, max_remembered=64)
        blocks = make_blocks(500)
        theirs.add_blocks(blocks)
        source = Counted(cycle(cids_of(blocks)))
        blocks_of_client = ours.client.get_blocks(source, timeout=SECONDS)
        sizes = []
        for count, block in enumerate(islice(blocks_of_client, 10_000)):
            block.verify()
            assert source.read <= count + 1 + 64
            if count % 2500 == 2499:
                sizes.append(max(contents(ours.client._machine).values()))
        assert max(sizes) <= 128
        blocks_of_client.close()  # type: ignore[attr-defined]
        assert ours.wantlist() == []

    @pytest.mark.parametrize("session", [False, True])
    def test_is_read_as_far_as_the_window_allows(self, pair: Pair, session: bool) -> None:
        ours, theirs = pair(window_blocks=32)
        blocks = make_blocks(100)
        theirs.add_blocks(blocks[:1])
        for fetcher in (ours, ours.client):
            source = Counted(cycle(cids_of(blocks)))
            fetching: Fetcher = fetcher.new_session() if session else fetcher
            iterator = fetching.get_blocks(source, timeout=SECONDS)
            assert source.read == 0
            assert next(iterator) == blocks[0]
            assert source.read <= 33
            assert len(ours.wantlist()) <= 32
            iterator.close()  # type: ignore[attr-defined]
            assert ours.wantlist() == []

    def test_a_consumer_that_stops_stops_everything(self, pair: Pair) -> None:
        """No more is asked for than was taken plus the window, however long nobody takes anything."""
        ours, theirs = pair(window_blocks=32)
        blocks = make_blocks(200)
        theirs.add_blocks(blocks)
        source = Counted(cids_of(blocks))
        iterator = ours.get_blocks(source, timeout=SECONDS)
        next(iterator)
        while ours.stat().blocks_received < source.read:
            pause()
        assert source.read <= 33
        assert ours.wantlist() == []
        assert len(list(iterator)) == 199

    def test_closing_in_the_middle_tells_the_peers(self, pair: Pair) -> None:
        ours, theirs = pair(window_blocks=32)
        blocks = make_blocks(100)
        theirs.add_blocks(blocks[:5])
        iterator = ours.get_blocks(iter(cids_of(blocks)), timeout=SECONDS)
        assert len(list(islice(iterator, 5))) == 5
        while len(theirs.wantlist_for_peer("ours")) < 27:
            pause()
        iterator.close()  # type: ignore[attr-defined]
        assert ours.wantlist() == []
        while theirs.wantlist_for_peer("ours"):
            pause()


class TestRepetitions:
    def test_give_one_block_whatever_their_form(self, pair: Pair) -> None:
        ours, theirs = pair(window_blocks=8)
        blocks = make_blocks(60)
        theirs.add_blocks(blocks)
        cids = cids_of(blocks)
        given = [form for cid in cids for form in (cid, str(cid), bytes(cid))] + list(map(str, cids))
        for several in (given, iter(given), tuple(given), (cid for cid in given)):
            seen = cids_of(ours.client.get_blocks(several, timeout=SECONDS))
            assert sorted(seen) == sorted(cids)
        assert ours.stat().blocks_received == 4 * 60
        for several in (given, iter(given)):
            assert sorted(cids_of(ours.get_blocks(several, timeout=SECONDS))) == sorted(cids)
        assert sorted(cids_of(ours.get_blocks(iter(given), timeout=SECONDS))) == sorted(cids)

    def test_are_remembered_for_a_while(self) -> None:
        cids = cids_of(make_blocks(100))
        known = Repetitions(64)
        assert [known.is_new(cid) for cid in cids] == [True] * 100
        assert not any(known.is_new(cid) for cid in cids[-32:])
        assert known.is_new(cids[0])
        assert len(known._new) + len(known._old) <= 64


class TestFailing:
    def test_what_has_come_is_handed_out_first(self, pair: Pair) -> None:
        ours, theirs = pair(window_blocks=8)
        blocks = make_blocks(8)
        theirs.add_blocks(blocks[:4])

        def source() -> Iterator[CID]:
            yield from cids_of(blocks)
            theirs.add_blocks(blocks[4:])
            while ours.stat().blocks_received < 8:
                pause()
            raise ZeroDivisionError

        seen: list[Block] = []
        with pytest.raises(ZeroDivisionError):
            seen.extend(ours.get_blocks(source(), timeout=SECONDS))
        assert sorted(cids_of(seen)) == sorted(cids_of(blocks))
        assert len(ours.store) == 8
        assert ours.wantlist() == []

    def test_leaves_no_want(self, pair: Pair) -> None:
        ours, _ = pair(window_blocks=8)
        absent = cids_of(make_blocks(4))

        def source() -> Iterator[CID | str]:
            yield from absent
            yield "nonsense"

        for fetcher in (ours, ours.client, ours.new_session(), ours.client.new_session()):
            with pytest.raises(InvalidCid):
                list(fetcher.get_blocks(source(), timeout=SECONDS))
            assert ours.wantlist() == []

    def test_a_bad_cid_in_a_list_is_told_before_anything_is_asked(self, pair: Pair) -> None:
        ours, _ = pair()
        with pytest.raises(InvalidCid):
            next(ours.get_blocks([*cids_of(make_blocks(3)), "nonsense"]))
        assert ours.stat().messages_received == 0

    def test_what_is_missing_does_not_end_what_is_to_come(self, pair: Pair, slow: None) -> None:
        ours, theirs = pair()
        blocks = make_blocks(30)
        theirs.add_blocks(blocks[10:])
        seen: list[Block] = []
        with (
            ours.new_session(peers=["theirs"], broadcast=False) as session,
            pytest.raises(NotFound) as caught,
        ):
            seen.extend(session.get_blocks(iter(cids_of(blocks)), timeout=SECONDS))
        assert sorted(cids_of(seen)) == sorted(cids_of(blocks[10:]))
        assert sorted(caught.value.missing) == sorted(map(str, cids_of(blocks[:10])))

    def test_endlessly_missing_ones_end_it(self, pair: Pair, slow: None) -> None:
        ours, _ = pair(window_blocks=16)
        source = Counted(block.cid for index in range(10_000) for block in make_blocks(1, seed=str(index)))
        with (
            ours.new_session(peers=["stranger"], broadcast=False) as session,
            pytest.raises(NotFound) as caught,
        ):
            list(session.get_blocks(source, timeout=SECONDS))
        assert len(caught.value.missing) == 16
        assert source.read <= 32

    def test_a_failure_loses_no_message(self, pair: Pair) -> None:
        """Wants that get their place while others are given up are asked for all the same."""
        ours, theirs = pair(window_blocks=2)
        blocks = make_blocks(4)
        theirs.add_blocks(blocks[2:])
        with ours.client.new_session(peers=["theirs"], broadcast=False) as session:
            getter = session.getter(SECONDS)
            getter.want(cids_of(blocks))
            with pytest.raises(NotFound) as caught:
                getter.take()
            assert sorted(caught.value.missing) == sorted(map(str, cids_of(blocks[:2])))
            seen = []
            while getter.outstanding:
                seen += getter.take()
            assert sorted(cids_of(seen)) == sorted(cids_of(blocks[2:]))


class TestSlow:
    def test_is_asked_for_as_it_comes(self, pair: Pair, slow: None) -> None:
        ours, theirs = pair()
        blocks = make_blocks(50)
        theirs.add_blocks(blocks)
        late = []

        def source() -> Iterator[CID]:
            for place, block in enumerate(blocks):
                if place and blocks[place - 1].cid not in {*ours.wantlist(), *asked_and_came(ours)}:
                    late.append(place)
                yield block.cid

        def asked_and_came(node: Bitswap) -> list[CID]:
            return [block.cid for block in blocks if node.store.has(block.cid)] + [
                block.cid
                for getter in node.client._machine.owners()
                for block in getter._subscription.ready  # type: ignore[attr-defined]
            ]

        assert sorted(cids_of(ours.get_blocks(source(), timeout=SECONDS))) == sorted(cids_of(blocks))
        assert late == []

    def test_blocks_come_while_the_source_goes_on(self, pair: Pair, slow: None) -> None:
        """The source waits for the first block to be handed out before it ends."""
        ours, theirs = pair()
        blocks = make_blocks(2000)
        theirs.add_blocks(blocks)
        seen: list[CID] = []
        read_when_first_came: list[int] = []
        source = Counted(cids_of(blocks))
        for block in ours.get_blocks(source, timeout=SECONDS):
            if not seen:
                read_when_first_came.append(source.read)
            seen.append(block.cid)
        assert sorted(seen) == sorted(cids_of(blocks))
        assert read_when_first_came[0] < 2000

    def test_does_not_put_off_a_timeout(self, pair: Pair, slow: None) -> None:
        ours, _ = pair(window_blocks=1_000_000, window_bytes=1 << 50)
        absent = (block.cid for index in range(1_000_000) for block in make_blocks(1, seed=str(index)))
        with pytest.raises(Timeout, match=f"nothing came in {SOON} s"):
            list(ours.get_blocks(absent, timeout=SOON))
        assert ours.wantlist() == []

    def test_reads_no_more_than_asked_and_stops_at_the_end(self) -> None:
        cids = cids_of(make_blocks(200))
        source = CidSource(iter(cids), 1000)
        assert source.read(70) == cids[:70]
        assert source.more
        assert source.read(1000) == cids[70:]
        assert not source.more
        assert source.read(10) == []
