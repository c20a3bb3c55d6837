"""Whole nodes that find providers through routers, in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bitswap.errors import Cause, RemoteError
from bitswap.message import Message
from bitswap.options import ClientOptions
from bitswap.providerquerymanager import SearchFailure
from bitswap.session import Session
from bitswap.testnet.router import address_of
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.routed import World
from tests.fetching.swarm import arrives, givers, play

pytestmark = pytest.mark.timeout(60)
QUICK = ClientOptions(retry_delay=0.01)


def reason(session: Session) -> tuple[Cause, str]:
    """Why the last search of a session connected nobody."""
    found = session.providers.reason
    assert found is not None
    return found.cause, str(found)


class TestFinding:
    def test_a_provider_is_found_dialled_and_asked(self) -> None:
        world = World()
        blocks = make_blocks(10)
        world.holder("b", blocks)
        session = world.ours.session()
        fetch = world.fetch(blocks, session)
        arrives(world.net, fetch, blocks, within=0.3)
        assert givers(session) == {"b": 10}
        # Who had one was asked for the others.
        assert (world.router.questions, world.searches.dials) == (1, [address_of("b")])
        world.ours.close_session(session)
        world.assert_nothing_left()

    def test_a_router_that_answers_after_five_seconds(self) -> None:
        world = World(latency=5.0)
        blocks = make_blocks(3)
        world.holder("b", blocks)
        fetch = world.fetch(blocks)
        arrives(world.net, fetch, blocks, within=5.5)
        assert fetch.finished_at is not None
        assert fetch.finished_at > 5
        assert world.router.questions == 1

    def test_who_is_announced_later_is_found_by_the_next_search(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.holder("b", blocks, announced=False)
        asked = world.asked_at(blocks[0].cid)
        world.net.at(5.0, world.router.announce, "b", cids_of(blocks))
        arrives(world.net, world.fetch(blocks), blocks, within=61)
        assert asked == [0.0, 60.05]

    def test_one_provider_of_each_block(self) -> None:
        world = World()
        blocks = make_blocks(6)
        for number, block in enumerate(blocks):
            world.holder(f"n{number}", [block])
        session = world.ours.session()
        arrives(world.net, world.fetch(blocks, session), blocks, within=5)
        assert givers(session) == {f"n{number}": 1 for number in range(6)}

    def test_thousands_of_blocks_need_few_searches(self) -> None:
        world = World()
        blocks = make_blocks(3000)
        for name in "bcd":
            world.holder(name, blocks)
        session = world.ours.session()
        arrives(world.net, world.fetch(blocks, session), blocks, within=5)
        assert world.router.questions == 1
        assert givers(session).keys() == {"b", "c", "d"}
        assert session.duplicates <= 30

    def test_a_provider_that_lacks_some(self) -> None:
        """What it denies is searched for again, that and nothing else."""
        world = World()
        blocks = make_blocks(40)
        world.holder("b", blocks[:20])
        world.holder("c", blocks[20:])
        session = world.ours.session()
        arrives(world.net, world.fetch(blocks, session), blocks, within=5)
        assert givers(session) == {"b": 20, "c": 20}
        assert world.router.questions <= 4

    def test_a_stale_record(self) -> None:
        """The first provider has dropped the block, the second one has it."""
        world = World()
        blocks = make_blocks(1)
        world.router.announce(world.net.node("stale").name, cids_of(blocks))
        world.holder("b", blocks)
        arrives(world.net, world.fetch(blocks), blocks, within=1)
        assert world.router.questions == 1

    def test_a_provider_is_asked_before_many_members(self) -> None:
        """However many members there are that had most so far."""
        world = World()
        known, rare = make_blocks(240), make_blocks(1, seed="rare")
        for number in range(30):
            world.holder(f"n{number}", known, announced=False)
            world.net.connect(world.ours, world.net.nodes[f"n{number}"])
        session = world.ours.session()
        arrives(world.net, world.fetch(known, session), known)
        holder = world.holder("b", rare)
        fetch = world.fetch(rare, session)
        arrives(world.net, fetch, rare, within=2.5)
        assert world.net.is_connected(world.ours, holder)

    def test_a_provider_that_is_connected_already(self) -> None:
        """It was not asked for the block, since it said nothing when it was asked whether it has it."""
        world = World()
        blocks = make_blocks(1)
        late = world.holder("late", blocks)

        def answers(peer: str, message: Message) -> Message | None:
            wanted = [entry for entry in message.wantlist() if not entry.cancel and entry.want_type == 0]
            answer = Message()
            for _ in wanted:
                answer.add_block(blocks[0])
            return answer if wanted else None

        play(world.net, late, answers)
        world.neighbours(30)
        world.net.connect(world.ours, late)
        arrives(world.net, world.fetch(blocks), blocks, within=5)
        assert (world.router.questions, world.searches.dials) == (1, [])

    def test_several_sessions_share_one_search(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.holder("b", blocks)
        fetches = [world.fetch(blocks) for _ in range(5)]
        assert world.stat.searches == 5
        assert world.net.run(lambda: all(fetch.done for fetch in fetches), seconds=1)
        assert [fetch.blocks for fetch in fetches] == [blocks] * 5
        assert (world.router.questions, world.stat.dials) == (1, 1)


class TestNotFinding:
    def test_who_cannot_be_dialled(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.holder("b", blocks)
        world.searches.refusing.add(address_of("b"))
        session = world.ours.session()
        fetch = world.fetch(blocks, session)
        world.run(2)
        assert not fetch.done
        words = "no provider could be reached: b: could not be dialled: /virtual/b: connection refused"
        assert reason(session) == (Cause.DIAL_FAILED, words)
        told = world.ours.wants.reasons(blocks[0].cid, world.now)
        assert {peer: why.cause for peer, why in told.items()} == {"b": Cause.DIAL_FAILED}
        fetch.close()
        world.ours.close_session(session)
        world.assert_nothing_left()

    def test_a_peer_that_does_not_exist(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.router.announce("nobody", cids_of(blocks))
        session = world.ours.session()
        world.fetch(blocks, session)
        world.run(1)
        assert reason(session)[0] is Cause.DIAL_FAILED

    def test_nobody_is_named(self) -> None:
        world = World()
        session = world.ours.session()
        world.fetch(make_blocks(1), session)
        world.run(1)
        assert reason(session) == (Cause.NO_PROVIDERS, "no providers were found")
        assert world.ours.wants.reasons(make_blocks(1)[0].cid, world.now) == {}

    def test_a_router_that_fails(self) -> None:
        world = World()
        world.router.failure = RemoteError("no route to the router")
        session = world.ours.session()
        world.fetch(make_blocks(1), session)
        world.run(1)
        assert reason(session) == (Cause.ROUTING_FAILED, "the routers failed: no route to the router")

    def test_a_router_that_does_not_answer(self) -> None:
        world = World(latency=1e6)
        session = world.ours.session()
        world.fetch(make_blocks(1), session)
        world.run(11)
        assert reason(session) == (Cause.ROUTING_FAILED, "the search for providers timed out")

    def test_no_room_for_a_search(self) -> None:
        """It is tried again a few seconds later, not after a minute."""
        world = World(max_searches=1, latency=1.0)
        first, second = make_blocks(2)
        world.holder("b", [second])
        world.fetch([first])
        session = world.ours.session()
        fetch = world.fetch([second], session)
        world.run(0.1)
        assert session.providers.outcome is not None
        assert session.providers.outcome.failure is SearchFailure.REFUSED
        assert reason(session)[0] is Cause.NO_PROVIDERS
        arrives(world.net, fetch, [second], within=7)

    def test_the_reason_goes_with_the_want(self) -> None:
        world = World()
        blocks = make_blocks(2)
        session = world.ours.session()
        fetch = world.fetch(blocks, session)
        world.run(1)
        assert session.providers.outcome is not None
        fetch.cancel(cids_of(blocks))
        assert session.providers.outcome is None


class TestWhenASearchBegins:
    def test_not_where_a_connected_peer_has_the_block(self) -> None:
        world = World()
        blocks = make_blocks(500, size=2000)
        for node in world.neighbours(20)[-3:]:
            node.add(*blocks)
        arrives(world.net, world.fetch(blocks), blocks)
        assert world.router.questions == 0

    def test_once_all_who_are_connected_lack_it(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.neighbours(40)
        world.holder("b", blocks)
        asked = world.asked_at(blocks[0].cid)
        arrives(world.net, world.fetch(blocks), blocks, within=1)
        # Three are asked, then twenty-four, then all: those need not answer.
        assert asked == [0.54]

    def test_the_first_block_alone_then_more_at_a_time(self) -> None:
        world = World(latency=1.0)
        world.fetch(make_blocks(100))
        running = []
        for _ in range(6):
            world.run(0.5)
            running.append(world.router.live)
            world.run(0.5)
        assert running == [1, 2, 8, 8, 8, 8]

    def test_never_by_a_session_that_keeps_to_its_peers(self) -> None:
        world = World()
        (named,) = world.neighbours(1)
        blocks = make_blocks(3)
        world.holder("b", blocks)
        away = world.net.node("away")
        for peers in ([named], [named, away], [away]):
            session = world.ours.session(peers, broadcast=False)
            world.fetch(blocks, session)
            world.run(100)
        silent = world.net.node("silent")
        silent.mute = True
        world.net.connect(world.ours, silent)
        world.fetch(blocks, world.ours.session([silent], broadcast=False))
        world.run(100)
        assert (world.router.questions, world.stat.asked) == (0, 0)

    def test_after_a_second_in_which_nothing_came(self) -> None:
        """Somebody was asked for the block, and is silent."""
        world = World()
        (silent,) = world.neighbours(1)
        silent.mute = True
        blocks = make_blocks(1)
        world.holder("b", blocks)
        asked = world.asked_at(blocks[0].cid)
        arrives(world.net, world.fetch(blocks), blocks, within=1.3)
        assert asked == [1.0]

    def test_seldom_where_blocks_come_slowly(self) -> None:
        """A block of its only peer takes three seconds: that is looked into less and less."""
        world = World()
        blocks = make_blocks(40, size=30_000)
        slow = world.holder("slow", blocks, announced=False)
        world.net.connect(world.ours, slow, rate=10_000.0)
        fetch = world.fetch(blocks)
        arrives(world.net, fetch, blocks, within=200)
        assert 1 <= world.router.questions <= 4

    def test_once_a_minute_as_long_as_nobody_has_it(self) -> None:
        world = World()
        world.neighbours(5)
        blocks = make_blocks(1)
        asked = world.asked_at(blocks[0].cid)
        world.fetch(blocks)
        world.run(300)
        assert len(asked) == 5
        assert all(60 <= later - earlier <= 61 for earlier, later in pairwise(asked))

    def test_sooner_where_routers_fail_but_less_and_less(self) -> None:
        world = World(latency=0.0)
        world.router.failure = RemoteError("down")
        blocks = make_blocks(1)
        asked = world.asked_at(blocks[0].cid)
        fetch = world.fetch(blocks)
        world.run(210)
        assert asked == [0, 5, 15, 35, 75, 135, 195]
        world.router.failure = None
        world.run(60)
        assert asked[-1] == 255
        # That it failed before is forgotten.
        world.router.failure = RemoteError("down again")
        world.run(65)
        assert asked[-3:] == [315, 320, 330]
        assert not fetch.done

    def test_sooner_where_a_provider_could_not_be_reached(self) -> None:
        world = World()
        blocks = make_blocks(1)
        world.holder("b", blocks)
        world.searches.refusing.add(address_of("b"))
        fetch = world.fetch(blocks)
        world.run(3)
        world.searches.refusing.clear()
        arrives(world.net, fetch, blocks, within=3)

    def test_again_soon_once_a_provider_is_lost(self) -> None:
        world = World()
        blocks = make_blocks(1)
        other = world.holder("b", blocks)
        other.mute = True
        fetch = world.fetch(blocks)
        world.run(0.2)
        assert world.net.is_connected(world.ours, other)
        world.net.disconnect(world.ours, other)
        other.mute = False
        arrives(world.net, fetch, blocks, within=6)
        assert world.router.questions == 2

    def test_a_session_that_was_idle_searches_for_what_it_wants_next(self) -> None:
        world = World()
        first, second = make_blocks(2)
        world.holder("b", [first])
        session = world.ours.session()
        arrives(world.net, world.fetch([first], session), [first])
        world.run(1000)
        world.holder("c", [second])
        arrives(world.net, world.fetch([second], session), [second], within=1)


class TestGoReferenceScenarios:
    def test_fetch_not_connected(self) -> None:
        world = World(client=QUICK, search_delay=0.01)
        blocks = make_blocks(10)
        world.holder("a", blocks)
        session = world.ours.session()
        arrives(world.net, world.fetch(blocks, session), blocks, within=2)
        assert givers(session) == {"a": 10}

    def test_fetch_after_disconnect(self) -> None:
        world = World(client=QUICK, search_delay=0.01, search_interval=0.015)
        blocks = make_blocks(10)
        holder = world.holder("a", blocks[:5])
        session = world.ours.session()
        fetch = world.fetch(blocks, session)
        assert world.net.run(lambda: len(fetch.blocks) == 5, seconds=5)
        world.net.disconnect(world.ours, holder)
        world.run(0.02)
        holder.add(*blocks[5:])
        world.router.announce("a", cids_of(blocks[5:]))
        arrives(world.net, fetch, blocks, within=5)
        assert givers(session) == {"a": 10}

    def test_nothing_announced_nothing_found(self) -> None:
        world = World(client=QUICK, search_delay=0.05)
        blocks = make_blocks(1)
        world.holder("a", blocks, announced=False)
        fetch = world.fetch(blocks)
        world.run(30)
        assert fetch.blocks == []
        assert not fetch.done

    def test_a_block_that_comes_lets_the_next_stall_search_again(self) -> None:
        world = World()
        blocks = make_blocks(3)
        first = world.holder("b", blocks[:1])
        session = world.ours.session()
        fetch = world.fetch(blocks[:1], session)
        arrives(world.net, fetch, blocks[:1])
        first.mute = True
        world.holder("c", blocks[1:])
        fetch = world.fetch(blocks[1:], session)
        arrives(world.net, fetch, blocks[1:], within=2)
