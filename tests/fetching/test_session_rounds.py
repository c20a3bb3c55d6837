"""One session among many peers: what it looks for first, how long it goes on, and how it ends."""

from __future__ import annotations

import pytest

from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness

pytestmark = pytest.mark.usefixtures("implementation")

MANY = tuple(f"p{index:02}" for index in range(40))


def test_a_session_looks_for_its_first_wants_first() -> None:
    """boxo asks everybody for the first 64; here few are asked, each for others, and who has one joins."""
    run = Harness(*MANY)
    blocks = make_blocks(128)
    cids = cids_of(blocks)
    sub = run.want(cids)
    out = run.sent()
    asked = [cid for sent in out.values() for cid in sent.haves]
    assert sorted(asked) == sorted(cids[: run.options.discovery_wants])
    assert not any(sent.blocks for sent in out.values())
    assert sub.session.number > 0
    assert run.machine.wantlist() == cids
    for peer in MANY[:5]:
        run.answer(peer, haves=cids[:1])
    assert all(peer in sub.session.peers for peer in MANY[:5])
    assert len(sub.session.peers) == 5
    run.answer(MANY[0], dont_haves=cids[1:2])
    assert run.machine.wantlist() == cids
    run.answer(MANY[0], blocks[:1])
    assert run.machine.wantlist() == cids[1:]
    run.machine.close_session(sub.session, run.now)
    assert run.machine.wantlist() == []


def test_a_block_lets_the_pauses_begin_anew() -> None:
    run = Harness("a")
    here, absent = make_blocks(2)
    run.want([here.cid, absent.cid])
    run.sent()

    def pause() -> float:
        """Deny everything and see after how long the question comes again."""
        start = run.now
        run.answer("a", dont_haves=[absent.cid])
        while not any(absent.cid in sent.blocks for sent in run.sent().values()):
            run.wait(0.25)
        return run.now - start

    long = [pause() for _ in range(6)]
    assert long == sorted(long)
    assert long[-1] > 8 * run.options.retry_delay
    run.answer("a", [here])
    assert pause() <= 2 * run.options.retry_delay


def test_a_session_that_was_idle_for_long_looks_again_for_new_wants() -> None:
    """boxo's timer may be dead by then; here new wants arm it."""
    run = Harness(*MANY)
    sub = run.want([])
    for block in make_blocks(3):
        run.wait(1000.0)
        run.sent()
        run.machine.want(sub, [block.cid], run.now)
        asked: set[str] = set()
        begun = run.now
        while asked != set(MANY):
            asked |= run.sent().keys()
            run.wait(0.1)
            # One member may be waited for before the search begins.
            assert run.now - begun < run.options.dont_have_timeout + 3 * run.options.probe_patience
        for peer in MANY:
            run.answer(peer, dont_haves=[block.cid])
        run.wait(2 * run.options.retry_delay)
        assert run.sent()
        run.answer("p07", [block])
        assert run.take(sub) == [block]


@pytest.mark.parametrize("count", [1, 3, 10, 40])
def test_where_nobody_ever_answers_the_questions_go_on_and_stay_few(count: int) -> None:
    run = Harness(*MANY[:count])
    wanted = make_blocks(4)
    sub = run.want(cids_of(wanted))
    last = {(peer, block.cid): 0.0 for peer in MANY[:count] for block in wanted}
    told = 0
    for _ in range(1200):
        for peer, sent in run.sent().items():
            told += len(sent.blocks) + len(sent.haves)
            last |= {(peer, cid): run.now for cid in (*sent.blocks, *sent.haves)}
        run.wait(0.5)
        longest = run.options.max_retry_delay + run.options.resend_after
        assert max(run.now - when for when in last.values()) <= longest + 10
    # Ten minutes: every want at every peer about twice a minute.
    assert told <= 4 * count * 45
    assert sub.outstanding == 4


class TestEnds:
    def test_a_closed_session_ends_its_requests(self) -> None:
        run = Harness("a")
        cids = cids_of(make_blocks(3))
        sub = run.want(cids)
        other = run.want(cids[:1])
        run.sent()
        run.machine.woken()
        run.machine.close_session(sub.session, run.now)
        assert sub.closed
        assert run.machine.woken() == [sub]
        assert not other.closed
        assert run.machine.wantlist() == cids[:1]
        assert run.sent()["a"].cancels == set(cids[1:])

    def test_closing_twice_and_asking_a_closed_session(self) -> None:
        run = Harness("a")
        cids = cids_of(make_blocks(2))
        sub = run.want(cids[:1])
        session = sub.session
        for _ in range(2):
            run.machine.close_session(session, run.now)
            run.machine.close(sub, run.now)
        run.machine.want(sub, cids, run.now)
        late = run.machine.subscribe(session)
        run.machine.want(late, cids, run.now)
        assert late.closed
        assert run.machine.wantlist() == []
        assert run.machine.cancel(late, cids, run.now) == []

    def test_answers_that_come_after_the_end_change_nothing(self) -> None:
        run = Harness("a", "b")
        blocks = make_blocks(3)
        cids = cids_of(blocks)
        sub = run.want(cids)
        run.sent()
        run.machine.close_session(sub.session, run.now)
        received = run.answer("a", blocks[:1], haves=cids[1:2], dont_haves=cids[2:])
        assert received.wanted == []
        run.disconnect("b")
        run.connect("c")
        run.wait(100.0)
        assert run.machine.take(sub, run.now) == []
        assert run.machine.next_deadline() is None
        assert not any(sent.blocks or sent.haves for sent in run.sent().values())

    def test_closing_everything(self) -> None:
        run = Harness("a")
        cids = cids_of(make_blocks(4))
        subs = [run.want(cids[:3]), run.want(cids[1:])]
        run.sent()
        run.answer("a", dont_haves=cids)
        run.machine.close_all(run.now)
        assert all(sub.closed for sub in subs)
        assert run.machine.wantlist() == []
        run.wait(1.0)
        assert run.sent()["a"].cancels == set(cids)
        run.wait(1000.0)
        assert run.sent() == {}
        assert run.machine.next_deadline() is None
