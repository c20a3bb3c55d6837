"""Dialling those who were named: address after address, once for everybody, and again at a fresh address."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.errors import Cause, Reason
from bitswap.options import RoutingOptions
from bitswap.providerquerymanager import Ask, Connect, LookUp, ProviderQueryManager, Search, SearchFailure
from bitswap.routing import Provider
from tests.routing.world import CIDS, World


def lone(*addresses: str, known: tuple[str, ...] = (), **options: object) -> World:
    """A world with one peer that answers at "/virtual/peer-0" only, and is announced at these addresses."""
    world = World(1, looks_up=True, **options)  # type: ignore[arg-type]
    world.router.announce("peer-0", CIDS, addresses)
    world.router.peers["peer-0"] = known
    return world


def reason_of(search: Search, peer: str = "peer-0") -> Reason:
    assert search.outcome is not None
    return search.outcome.failed[peer]


def test_every_dial_fails() -> None:
    world = World()
    world.searches.refusing |= {f"/virtual/{peer}" for peer in world.peers}
    search = world.search()
    world.finish(search)
    assert search.take() == []
    assert search.outcome is not None
    assert search.outcome.failure is SearchFailure.DIALS_FAILED
    assert search.outcome.failed == {
        peer: f"could not be dialled: /virtual/{peer}: connection refused" for peer in world.peers
    }
    assert str(search.outcome).startswith("no provider could be reached: peer-0: could not be dialled")
    assert str(search.outcome).endswith("and 7 more")
    world.assert_nothing_left()


def test_a_peer_that_does_not_exist() -> None:
    world = World(0)
    world.router.announce("nobody", [CIDS[0]])
    search = world.search()
    world.finish(search)
    assert reason_of(search, "nobody") == "could not be dialled: /virtual/nobody: connection refused"
    assert reason_of(search, "nobody").cause is Cause.DIAL_FAILED
    assert reason_of(search, "nobody").when == world.now


def test_the_failed_make_room_for_others() -> None:
    world = World(15, max_providers=5)
    world.searches.refusing |= {f"/virtual/{peer}" for peer in world.peers[:10]}
    search = world.search()
    world.finish(search)
    assert search.take() == world.peers[10:]


def test_addresses_are_tried_in_turn() -> None:
    world = lone("/virtual/gone", "/virtual/peer-0", "/virtual/never")
    search = world.search()
    world.finish(search)
    assert search.take() == ["peer-0"]
    assert world.searches.dials == ["/virtual/gone", "/virtual/peer-0"]


def test_a_dead_address_leaves_time_for_the_next() -> None:
    world = lone("/virtual/a", "/virtual/b", dial=30.0, address_timeout=4.0, timeout=10.0)
    search = world.search()
    world.run(9.9)
    assert world.searches.dials == ["/virtual/a", "/virtual/b"]
    world.finish(search)
    assert (
        reason_of(search)
        == "could not be dialled: /virtual/a: no answer in 4 s; /virtual/b: no answer in 4 s"
    )


def test_somebody_else_answers() -> None:
    world = World(2)
    world.router.announce("peer-0", CIDS, ["/virtual/peer-1"])
    world.router.withdraw("peer-1", CIDS)
    search = world.search()
    world.finish(search)
    assert reason_of(search) == "could not be dialled: /virtual/peer-1: peer-1 is there"


def test_only_so_many_addresses_are_tried() -> None:
    world = lone(*(f"/virtual/{number}" for number in range(9)), max_addresses=4)
    search = world.search()
    world.finish(search)
    assert len(world.searches.dials) == 4
    assert reason_of(search).endswith("; and 1 more")


def test_a_peer_without_addresses_is_dialled_by_its_id() -> None:
    world = lone()
    search = world.search()
    world.finish(search)
    assert world.searches.dials == ["peer-0"]
    assert reason_of(search) == "could not be dialled: no address is known"


def test_one_dial_serves_every_query() -> None:
    world = World(1, dial=1.0)
    searches = [world.search(cid) for cid in CIDS[:5]]
    world.finish(*searches)
    assert [search.take() for search in searches] == [world.peers] * 5
    assert world.searches.dials == ["/virtual/peer-0"]


def test_a_dial_goes_on_for_the_query_that_stays() -> None:
    world = World(1, dial=1.0)
    first, second = world.search(CIDS[0]), world.search(CIDS[1])
    world.run(0.5)
    world.leave(first)
    world.finish(second)
    assert second.take() == world.peers
    assert len(world.searches.dials) == 1


def test_a_dial_that_nobody_waits_for_tries_no_other_address() -> None:
    world = lone("/virtual/gone", "/virtual/peer-0", dial=1.0)
    search = world.search()
    world.run(0.5)
    world.leave(search)
    world.assert_nothing_left()
    assert world.searches.dials == ["/virtual/gone"]


def test_a_dial_that_nobody_waits_for_keeps_its_place_until_its_end() -> None:
    world = World(2, dial=1.0, max_dials=1)
    world.router.withdraw("peer-1", CIDS[:1])
    world.router.withdraw("peer-0", CIDS[1:2])
    first = world.search(CIDS[0])
    world.run(0.5)
    world.leave(first)
    second = world.search(CIDS[1])
    world.run(0.4)
    assert world.searches.dials == ["/virtual/peer-0"]
    world.finish(second)
    assert second.take() == ["peer-1"]


def test_somebody_who_connects_on_his_own_need_not_be_dialled() -> None:
    world = World(3, dial=1.0, max_dials=1)
    search = world.search()
    world.run(0.5)
    for peer in ("peer-0", "peer-2"):
        world.manager.peer_connected(peer, world.now)
    world.searches.pump()
    assert search.take() == ["peer-0", "peer-2"]
    world.finish(search)
    assert search.take() == ["peer-1"]
    assert world.searches.dials == ["/virtual/peer-0", "/virtual/peer-1"]
    world.assert_nothing_left()


def begun(manager: ProviderQueryManager, cid: CID, *names: str) -> Search:
    """A search whose router has named these and ended, with no command of it taken but that."""
    search = manager.search(cid, 0.0)
    ask = next(command for command in manager.commands() if isinstance(command, Ask))
    manager.found(ask.number, [Provider(name) for name in names], 0.0)
    manager.asked(ask.number, None, 0.0)
    return search


def dials_of(manager: ProviderQueryManager) -> list[str]:
    return [command.peer for command in manager.commands() if isinstance(command, Connect)]


def test_queries_take_turns() -> None:
    manager = ProviderQueryManager(RoutingOptions(max_dials=1))
    for number in range(3):
        begun(manager, CIDS[number], *(f"{number}-{peer}" for peer in range(3)))
    dialled: list[str] = []
    manager.dialled(2, "no", 0.0)
    while commands := manager.commands():
        (connect,) = commands
        assert isinstance(connect, Connect)
        dialled.append(connect.peer)
        manager.dialled(connect.number, "no", 0.0)
    assert dialled == ["0-1", "1-0", "2-0", "0-2", "1-1", "2-1", "1-2", "2-2"]


def test_a_dial_that_nobody_has_begun_is_given_up_with_its_search() -> None:
    manager = ProviderQueryManager(RoutingOptions(max_dials=1))
    search = begun(manager, CIDS[0], "alice")
    manager.leave(search, 0.0)
    assert manager.commands() == []


def test_but_not_while_others_wait_for_it() -> None:
    manager = ProviderQueryManager(RoutingOptions(max_dials=2))
    first = manager.search(CIDS[0], 0.0)
    second = manager.search(CIDS[1], 0.0)
    for ask in manager.commands():
        manager.found(ask.number, [Provider("alice")], 0.0)
    manager.leave(first, 0.0)
    (connect,) = [command for command in manager.commands() if isinstance(command, Connect)]
    manager.dialled(connect.number, None, 0.0)
    assert second.take() == ["alice"]


@pytest.mark.parametrize("how", ["left", "connected"])
def test_its_place_goes_to_another(how: str) -> None:
    manager = ProviderQueryManager(RoutingOptions(max_dials=1))
    first, second = manager.search(CIDS[0], 0.0), manager.search(CIDS[1], 0.0)
    for ask, name in zip(manager.commands(), ("alice", "bob"), strict=True):
        manager.found(ask.number, [Provider(name)], 0.0)
    if how == "left":
        manager.leave(first, 0.0)
    else:
        manager.peer_connected("alice", 0.0)
        assert first.take() == ["alice"]
    assert dials_of(manager) == ["bob"]
    assert second.outcome is None


def test_who_waits_for_a_place_to_dial_the_same_peer_learns_that_it_failed() -> None:
    world = World(1, dial=1.0, max_dials=1)
    world.searches.refusing.add("/virtual/peer-0")
    searches = [world.search(cid) for cid in CIDS[:3]]
    world.finish(*searches)
    assert world.now < 1.5
    assert len({reason_of(search) for search in searches}) == 1
    assert len(world.searches.dials) == 1


def test_a_provider_is_dialled_once_in_a_search() -> None:
    manager = ProviderQueryManager(RoutingOptions())
    search = manager.search(CIDS[0], 0.0)
    (ask,) = manager.commands()
    manager.peer_connected("alice", 0.0)
    manager.found(ask.number, [Provider("alice")], 0.0)
    manager.peer_disconnected("alice")
    manager.found(ask.number, [Provider("alice")], 0.0)
    assert manager.commands() == []
    assert search.take() == ["alice"]


def test_nobody_is_dialled_once_time_has_run_out() -> None:
    manager = ProviderQueryManager(RoutingOptions(timeout=10.0))
    search = manager.search(CIDS[0], 0.0)
    (ask,) = manager.commands()
    manager.found(ask.number, [Provider("alice")], 10.0)
    assert manager.commands() == []
    manager.on_deadline(10.0)
    assert reason_of(search, "alice") == "time ran out before it could be dialled"


def test_only_so_many_addresses_are_tried_of_several_records() -> None:
    manager = ProviderQueryManager(RoutingOptions(max_addresses=4))
    manager.search(CIDS[0], 0.0)
    (ask,) = manager.commands()
    for number in range(10):
        manager.found(ask.number, [Provider("alice", (f"a{number}", f"b{number}"))], 0.0)
    assert len(fail_all(manager)) == 5


def test_addresses_of_a_second_record_are_tried_too() -> None:
    world = lone("/virtual/gone", apart=0.4, dial=1.0)
    search = world.search()
    world.run(0.5)
    world.manager.found(1, [Provider("peer-0", ("/virtual/gone", "/virtual/peer-0"))], world.now)
    world.finish(search)
    assert search.take() == ["peer-0"]
    assert world.searches.dials == ["/virtual/gone", "/virtual/peer-0"]


# -- those who failed before


def test_addresses_that_failed_are_left_alone_for_a_while() -> None:
    world = World(1, dial_backoff=5.0)
    world.searches.refusing.add("/virtual/peer-0")
    for cid in CIDS[:2]:
        search = world.search(cid)
        world.finish(search)
        assert reason_of(search) == "could not be dialled: /virtual/peer-0: connection refused"
    assert len(world.searches.dials) == 1
    world.run(5.0)
    world.searches.refusing.clear()
    search = world.search(CIDS[2])
    world.finish(search)
    assert search.take() == ["peer-0"]


def test_a_new_address_is_dialled_at_once_for_all_that() -> None:
    world = lone("/virtual/gone", find_peers=False)
    world.finish(world.search(CIDS[0]))
    world.router.announce("peer-0", CIDS, ["/virtual/gone", "/virtual/peer-0"])
    search = world.search(CIDS[1])
    world.finish(search)
    assert search.take() == ["peer-0"]
    assert world.searches.dials == ["/virtual/gone", "/virtual/peer-0"]


def test_only_so_many_failures_are_remembered() -> None:
    world = World(3, max_backoffs=2, max_dials=1)
    world.searches.refusing |= {f"/virtual/{peer}" for peer in world.peers}
    world.finish(world.search(CIDS[0]))
    world.finish(world.search(CIDS[1]))
    # The eldest of three is forgotten, which is always the one whose turn comes next.
    assert len(world.searches.dials) == 6


# -- looking a peer up


def test_a_fresh_address_helps() -> None:
    world = lone("/virtual/gone", known=("/virtual/gone", "/virtual/peer-0"))
    search = world.search()
    world.finish(search)
    assert search.take() == ["peer-0"]
    assert world.searches.dials == ["/virtual/gone", "/virtual/peer-0"]
    assert world.router.lookups == 1


def test_no_address_is_known() -> None:
    world = lone("/virtual/gone")
    search = world.search()
    world.finish(search)
    assert search.take() == []
    assert (len(world.searches.dials), world.router.lookups) == (1, 1)


def test_looking_up_fails() -> None:
    world = lone("/virtual/gone", known=("/virtual/peer-0",))
    search = world.search()
    world.run(0.0015)
    world.router.failure = ConnectionError("the router is down")
    world.finish(search)
    assert search.take() == []
    assert len(world.searches.dials) == 1
    assert reason_of(search) == (
        "could not be dialled: /virtual/gone: connection refused; looking it up: the router is down"
    )


def test_only_the_address_that_failed_is_known() -> None:
    world = lone("/virtual/gone", known=("/virtual/gone",))
    search = world.search()
    world.finish(search)
    assert search.take() == []
    assert (len(world.searches.dials), world.router.lookups) == (1, 1)


def test_a_peer_is_looked_up_once() -> None:
    world = lone("/virtual/gone", known=("/virtual/gone-too",))
    search = world.search()
    world.finish(search)
    assert (world.searches.dials, world.router.lookups) == (["/virtual/gone", "/virtual/gone-too"], 1)


@pytest.mark.parametrize("looks_up", [False, True])
def test_nobody_is_looked_up_unless_that_is_wanted_and_possible(looks_up: bool) -> None:
    world = World(1, looks_up=looks_up, find_peers=not looks_up)
    world.searches.refusing.add("/virtual/peer-0")
    world.finish(world.search())
    assert world.router.lookups == 0


@pytest.mark.parametrize(
    ("tried", "known", "dialled"),
    [
        (("a",), (), []),
        ((), ("a",), ["a"]),
        (("a", "b"), ("b",), []),
        (("a",), ("a",), []),
        (("a",), ("a", "b"), ["b"]),
        (("a",), ("b", "c"), ["b", "c"]),
    ],
)
def test_which_addresses_are_fresh(
    tried: tuple[str, ...], known: tuple[str, ...], dialled: list[str]
) -> None:
    manager = ProviderQueryManager(RoutingOptions(), looks_up=True)
    assert found_and_failed(manager, CIDS[0], Provider("peer", tried)) == list(tried or ("peer",))
    (look_up,) = manager.commands()
    assert isinstance(look_up, LookUp)
    manager.looked_up(look_up.number, known, 0.0)
    assert fail_all(manager) == dialled


def found_and_failed(manager: ProviderQueryManager, cid: CID, provider: Provider) -> list[str]:
    """Search, have a provider found, and fail every dial of it; returns the addresses dialled."""
    manager.search(cid, 0.0)
    (ask,) = manager.commands()
    assert isinstance(ask, Ask)
    manager.found(ask.number, [provider], 0.0)
    manager.asked(ask.number, None, 0.0)
    return fail_all(manager, len(provider.addresses) or 1)


def fail_all(manager: ProviderQueryManager, most: int = 99) -> list[str]:
    dialled: list[str] = []
    while len(dialled) < most:
        commands = manager.commands()
        if not commands:
            break
        (connect,) = commands
        assert isinstance(connect, Connect)
        dialled.append(connect.address)
        manager.dialled(connect.number, "no", 0.0)
    return dialled
