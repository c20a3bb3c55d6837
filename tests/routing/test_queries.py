"""One query a block, however many search for it: sharing, limits, ends (after boxo's query manager)."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID, DAG_PB
from bitswap.errors import Cause
from bitswap.multihash import IDENTITY
from bitswap.options import RoutingOptions
from bitswap.providerquerymanager import Ended, ProviderQueryManager, SearchFailure
from bitswap.routing import Provider
from tests.routing.world import CIDS, World


def test_different_blocks_are_different_queries() -> None:
    world = World()
    searches = [world.search(CIDS[0]), world.search(CIDS[1])]
    world.finish(*searches)
    assert [search.take() for search in searches] == [world.peers, world.peers]
    assert world.router.questions == 2
    world.assert_nothing_left()


def test_searches_for_one_block_share_a_query() -> None:
    world = World()
    searches = [world.search(), world.search()]
    world.finish(*searches)
    assert [search.take() for search in searches] == [world.peers, world.peers]
    assert world.router.questions == 1


def test_the_same_data_under_another_codec_is_the_same_query() -> None:
    world = World()
    first = world.search(CIDS[0])
    second = world.search(CID.v1(DAG_PB, CIDS[0].multihash))
    world.finish(first, second)
    assert first.take() == second.take() == world.peers
    assert second.outcome is not None
    assert second.outcome.cid.codec == DAG_PB
    assert world.router.questions == 1


def test_whoever_joins_is_told_what_was_found_before() -> None:
    world = World()
    first = world.search()
    world.run(0.0055)
    early = first.take()
    assert 0 < len(early) < 10
    second = world.search()
    assert second.take() == early
    world.finish(first, second)
    assert early + first.take() == world.peers
    assert early + second.take() == world.peers
    assert world.router.questions == 1


def test_the_first_to_leave_takes_nothing_from_the_other() -> None:
    world = World()
    first, second = world.search(), world.search()
    world.run(0.004)
    world.leave(first)
    world.finish(second)
    assert 0 < len(first.take()) < 10
    assert first.outcome is not None
    assert first.outcome.ended is Ended.LEFT
    assert second.take() == world.peers
    assert world.router.questions == 1


def test_the_last_to_leave_ends_the_query() -> None:
    world = World()
    first, second = world.search(), world.search()
    world.run(0.004)
    world.leave(first)
    assert world.router.live == 1
    world.leave(second)
    assert world.router.live == 0
    dialled = len(world.searches.dials)
    world.assert_nothing_left()
    assert len(world.searches.dials) == dialled < 10


def test_a_search_that_is_given_up_at_once_asks_nobody() -> None:
    world = World()
    search = world.manager.search(CIDS[0], world.now)
    world.manager.leave(search, world.now)
    assert world.manager.commands() == []
    assert search.outcome is not None
    assert search.outcome.ended is Ended.LEFT
    assert search.take() == []
    world.assert_nothing_left()


def test_leaving_twice_or_after_the_end_changes_nothing() -> None:
    world = World(2)
    search = world.search()
    world.finish(search)
    ended = search.outcome
    world.leave(search)
    assert search.outcome is ended
    assert search.take() == world.peers
    other = world.search()
    world.leave(other)
    world.leave(other)
    world.assert_nothing_left()


def test_a_query_begun_again_is_not_ended_by_the_end_of_the_one_before() -> None:
    world = World()
    before = world.manager.search(CIDS[0], 0.0)
    (ask,) = world.manager.commands()
    world.manager.leave(before, 0.0)
    again = world.manager.search(CIDS[0], 0.0)
    world.manager.asked(ask.number, None, 0.0)
    assert again.outcome is None
    (next_ask,) = world.manager.commands()
    assert next_ask.number != ask.number


def test_closing_ends_every_search_and_no_other_begins() -> None:
    world = World(max_queries=1)
    searches = [world.search(CIDS[0]), world.search(CIDS[0]), world.search(CIDS[1])]
    world.run(0.005)
    world.close()
    assert world.router.live == 0
    assert len(searches[0].take()) < 10
    for search in (*searches, world.search(CIDS[2])):
        assert search.outcome is not None
        assert search.outcome.ended is Ended.CLOSED
    world.close()
    world.assert_nothing_left()


def test_closing_before_anything_was_begun() -> None:
    world = World()
    search = world.manager.search(CIDS[0], world.now)
    world.manager.close(world.now)
    assert world.manager.commands() == []
    assert search.outcome is not None
    assert search.outcome.failure is SearchFailure.CLOSED


# -- limits


def test_queries_beyond_the_limit_wait_for_their_turn() -> None:
    world = World(apart=0.005, max_queries=6)
    searches = [world.search(cid) for cid in CIDS[:7]]
    world.run(0.02)
    assert world.router.live == 6
    world.finish(*searches)
    assert world.router.questions == 7
    assert world.router.most_live == 6
    world.assert_nothing_left()


def test_a_large_limit_lets_all_run_at_once() -> None:
    world = World(apart=0.005, max_queries=1000)
    searches = [world.search(cid) for cid in CIDS[:11]]
    world.run(0.02)
    assert world.router.live == 11
    world.finish(*searches)
    assert world.router.questions == 11


def test_a_router_that_does_not_stop_keeps_its_place() -> None:
    world = World(max_queries=1)
    first = world.manager.search(CIDS[0], 0.0)
    (ask,) = world.manager.commands()
    world.manager.leave(first, 0.0)
    world.manager.search(CIDS[1], 0.0)
    assert [type(command).__name__ for command in world.manager.commands()] == ["StopAsking"]
    world.manager.asked(ask.number, None, 0.0)
    (next_ask,) = world.manager.commands()
    assert next_ask.cid == CIDS[1]


def test_what_waits_too_long_for_its_turn_ends() -> None:
    world = World(max_queries=1, queue_timeout=30.0)
    world.manager.search(CIDS[0], 0.0)
    (ask,) = world.manager.commands()
    waits = world.manager.search(CIDS[1], 0.0)
    for when in (10.0, 29.9):
        world.manager.on_deadline(when)
        assert waits.outcome is None
    world.manager.on_deadline(30.0)
    assert waits.outcome is not None
    assert waits.outcome.failure is SearchFailure.TIMED_OUT
    assert "never its turn" in str(waits.outcome)
    world.manager.asked(ask.number, None, 31.0)
    assert world.manager.commands() == []


def test_the_time_at_work_does_not_count_the_time_in_the_queue() -> None:
    world = World(1, apart=6.0, max_queries=1, timeout=20.0, queue_timeout=21.0)
    searches = [world.search(cid) for cid in CIDS[:2]]
    world.finish(*searches)
    assert [search.take() for search in searches] == [world.peers] * 2


def test_as_many_providers_as_the_limit_says() -> None:
    world = World(max_providers=5)
    search = world.search()
    world.finish(search)
    assert len(search.take()) == 5
    assert search.outcome is not None
    assert search.outcome.ended is Ended.ENOUGH
    assert world.router.live == 0
    world.assert_nothing_left()


def test_a_search_may_ask_for_fewer_than_others() -> None:
    world = World()
    few, many = world.search(limit=2), world.search()
    world.finish(few)
    assert many.outcome is None
    world.finish(many)
    assert few.take() == world.peers[:2]
    assert many.take() == world.peers
    late = world.search(limit=99)
    world.finish(late)
    assert len(late.take()) == world.options.max_providers


def test_whoever_joins_late_is_told_of_no_more_than_the_limit() -> None:
    world = World()
    many = world.search()
    world.run(0.0065)
    assert len(many.told) > 2
    few = world.search(limit=2)
    assert few.outcome is not None
    assert few.outcome.ended is Ended.ENOUGH
    assert few.take() == world.peers[:2]
    world.finish(many)
    assert few.take() == []


def test_what_came_is_kept_for_a_slow_reader_after_the_limit() -> None:
    world = World(20)
    search = world.search()
    world.finish(search)
    world.run(60)
    assert search.take() == world.peers[:10]
    assert search.take() == []


def test_no_more_are_dialled_than_can_be_of_use() -> None:
    world = World(50, apart=0.0, dial=1.0, max_providers=3)
    search = world.search()
    world.run(0.5)
    assert len(world.searches.dials) == 3
    world.finish(search)
    assert len(world.searches.dials) == 3


def test_dials_are_bounded_and_shared_out_in_turn() -> None:
    world = World(0, dial=1.0, max_dials=4, max_query_dials=3)
    for number in range(2):
        for peer in range(8):
            world.router.announce(f"peer-{number}-{peer}", [CIDS[number]])
    world.search(CIDS[0])
    world.run(0.5)
    assert world.searches.dials == [f"/virtual/peer-0-{peer}" for peer in range(3)]
    world.search(CIDS[1])
    world.run(0.4)
    assert world.searches.dials[3:] == ["/virtual/peer-1-0"]
    world.run(1.0)
    assert sum("peer-1" in address for address in world.searches.dials[4:]) >= 2
    world.assert_nothing_left()


def test_no_more_results_are_read_than_the_limit_says() -> None:
    world = World(0, max_found=20)
    for number in range(100):
        world.router.announce(f"dead-{number}", [CIDS[0]])
    search = world.search()
    world.finish(search)
    assert search.outcome is not None
    assert search.outcome.found == 20
    assert world.router.live == 0
    world.assert_nothing_left()


def test_nor_of_a_router_that_names_many_at_once() -> None:
    manager = ProviderQueryManager(RoutingOptions(max_found=20))
    search = manager.search(CIDS[0], 0.0)
    (ask,) = manager.commands()
    assert ask.limit == 20
    manager.found(ask.number, [Provider(f"peer-{number}") for number in range(100)], 0.0)
    manager.leave(search, 0.0)
    assert search.outcome is not None
    assert search.outcome.found == 20


def test_a_place_that_nobody_has_taken_yet_goes_to_the_next() -> None:
    manager = ProviderQueryManager(RoutingOptions(max_queries=1))
    first = manager.search(CIDS[0], 0.0)
    manager.search(CIDS[1], 0.0)
    manager.leave(first, 0.0)
    (ask,) = manager.commands()
    assert ask.cid == CIDS[1]


def test_too_many_searches_are_refused() -> None:
    world = World(max_searches=2)
    for cid in CIDS[:2]:
        assert world.search(cid).outcome is None
    assert world.search(CIDS[0]).outcome is None
    refused = world.search(CIDS[2])
    assert refused.outcome is not None
    assert refused.outcome.failure is SearchFailure.REFUSED
    assert "2 searches are under way" in str(refused.outcome)
    world.assert_nothing_left()


# -- whom and what to leave alone


def test_ignored_peers_are_not_dialled() -> None:
    world = World(5, ignore_peers=frozenset(f"peer-{number}" for number in range(4)))
    search = world.search()
    world.finish(search)
    assert search.take() == ["peer-4"]
    assert world.searches.dials == ["/virtual/peer-4"]


def test_a_node_does_not_look_for_itself() -> None:
    world = World(0)
    world.router.announce("ours", [CIDS[0]])
    search = world.search()
    world.finish(search)
    assert world.searches.dials == []
    assert search.outcome is not None
    assert search.outcome.failure is SearchFailure.NO_PROVIDERS


@pytest.mark.parametrize("cid", [CIDS[0], CID.v1(DAG_PB, CIDS[0].multihash)])
def test_no_router_is_asked_for_an_ignored_block(cid: CID) -> None:
    world = World(ignore_cids=frozenset([CIDS[0]]))
    search = world.search(cid)
    assert search.outcome is not None
    assert search.outcome.failure is SearchFailure.REFUSED
    world.run(1.0)
    assert world.router.questions == 0


def test_a_block_that_its_cid_holds_is_not_searched_for() -> None:
    world = World()
    search = world.search(Block.of(b"here", hash_code=IDENTITY).cid)
    assert search.outcome is not None
    assert search.outcome.ended is Ended.REFUSED
    assert world.manager.commands() == []


def test_the_connected_are_not_dialled() -> None:
    world = World(3)
    world.manager.peer_connected("peer-1", world.now)
    search = world.search()
    world.finish(search)
    assert sorted(search.take()) == world.peers
    assert "/virtual/peer-1" not in world.searches.dials
    world.manager.peer_disconnected("peer-1")
    again = world.search(CIDS[1])
    world.finish(again)
    assert "/virtual/peer-1" in world.searches.dials


# -- ends


def test_time_runs_out() -> None:
    world = World(apart=0.010, timeout=0.025)
    search = world.search()
    world.finish(search)
    assert 0 < len(search.take()) < 10
    assert search.outcome is not None
    assert search.outcome.ended is Ended.TIMED_OUT
    assert search.outcome.failure is None
    world.assert_nothing_left()


def test_time_runs_out_before_anybody_was_found() -> None:
    world = World(apart=20.0)
    search = world.search()
    world.finish(search)
    assert world.now == world.options.timeout
    assert search.outcome is not None
    assert search.outcome.failure is SearchFailure.TIMED_OUT
    assert str(search.outcome) == "the search for providers timed out"


def test_time_runs_out_while_somebody_is_dialled() -> None:
    world = World(2, dial=3.0, timeout=2.0, max_dials=1)
    search = world.search()
    world.finish(search)
    assert search.outcome is not None
    assert search.outcome.failure is SearchFailure.TIMED_OUT
    assert search.outcome.failed == {
        "peer-0": "time ran out while it was dialled",
        "peer-1": "time ran out before it could be dialled",
    }
    causes = [reason.cause for reason in search.outcome.failed.values()]
    assert causes == [Cause.DIAL_FAILED, Cause.NOT_CONNECTED]
    world.assert_nothing_left()


def test_nobody_has_it() -> None:
    world = World(0)
    search = world.search()
    world.finish(search)
    assert search.outcome is not None
    assert search.outcome.failure is SearchFailure.NO_PROVIDERS
    assert str(search.outcome) == "no providers were found"


def test_the_router_fails() -> None:
    world = World()
    world.router.failure = ConnectionError("the router is down")
    search = world.search()
    world.finish(search)
    assert search.outcome is not None
    assert search.outcome.failure is SearchFailure.ROUTING_FAILED
    assert str(search.outcome) == "the routers failed: the router is down"
    world.assert_nothing_left()


def test_the_router_fails_after_it_has_found_some() -> None:
    world = World()
    search = world.search()
    world.run(0.0045)
    world.router.failure = ConnectionError("the router is down")
    world.finish(search)
    assert len(search.take()) == 4
    assert search.outcome is not None
    assert search.outcome.failure is None
    assert search.outcome.error == "the router is down"


def test_what_is_told_after_the_end_is_ignored() -> None:
    world = World(1)
    search = world.search()
    world.finish(search)
    found = search.outcome
    world.manager.found(1, [], world.now)
    world.manager.asked(1, None, world.now)
    world.manager.dialled(2, None, world.now)
    world.manager.looked_up(3, [], world.now)
    assert search.outcome is found
    world.assert_nothing_left()


def test_statistics() -> None:
    world = World(3)
    world.router.announce("dead", [CIDS[0]])
    search = world.search()
    assert world.manager.stat[:2] == (1, 1)
    world.finish(search)
    assert world.manager.stat == (0, 0, 1, 4, 3, 1, 4)
