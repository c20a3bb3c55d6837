"""Several routers at once."""

from __future__ import annotations

import threading

import pytest

from bitswap.errors import UsageError
from bitswap.routing import CombinedRouting, Provider, RoutingError, StaticRouting
from tests.routing.routers import SECONDS, Locating, Scripted, Stubborn, Waiting
from tests.routing.world import CIDS

ALICE, BOB, CAROL = (Provider(name, (f"/{name}",)) for name in ("alice", "bob", "carol"))

pytestmark = pytest.mark.timeout(60)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("bitswap-routing-")}


def test_all_of_them_are_asked() -> None:
    routing = CombinedRouting(StaticRouting([ALICE]), StaticRouting([BOB]))
    assert set(routing.find_providers(CIDS[0], 10)) == {ALICE, BOB}


def test_first_come_first_named() -> None:
    slow = Stubborn(ALICE)
    found = CombinedRouting(slow, Scripted(BOB)).find_providers(CIDS[0], 10)
    assert next(found) == BOB
    slow.go.set()
    assert list(found) == [ALICE]


def test_what_several_name_is_named_once() -> None:
    routing = CombinedRouting(Scripted(ALICE, BOB), Scripted(BOB, ALICE))
    assert sorted(routing.find_providers(CIDS[0], 10)) == [ALICE, BOB]


def test_another_address_is_worth_naming() -> None:
    other = Provider("alice", ("/elsewhere",))
    assert set(CombinedRouting(Scripted(ALICE), Scripted(other)).find_providers(CIDS[0], 10)) == {
        ALICE,
        other,
    }


def test_no_more_than_the_limit() -> None:
    routing = CombinedRouting(Scripted(ALICE, BOB), Scripted(BOB, CAROL))
    assert len(list(routing.find_providers(CIDS[0], 2))) == 2


def test_one_that_fails_takes_nothing_from_the_others() -> None:
    broken = Scripted(ALICE, error=OSError("down"))
    assert set(CombinedRouting(broken, Scripted(BOB)).find_providers(CIDS[0], 10)) == {ALICE, BOB}


def test_all_of_them_fail() -> None:
    routing = CombinedRouting(Scripted(error=OSError("down")), Scripted(error=OSError("gone")))
    found = routing.find_providers(CIDS[0], 10)
    with pytest.raises(RoutingError, match=r"^(down; gone|gone; down)$"):
        next(found)
    assert list(found) == []


def test_closing_ends_what_waits() -> None:
    waiting = Waiting(ALICE)
    found = CombinedRouting(waiting, Scripted()).find_providers(CIDS[0], 10)
    assert next(found) == ALICE
    assert waiting.stream.waits.wait(SECONDS)
    threading.Thread(target=found.close).start()  # type: ignore[attr-defined]
    assert list(found) == []
    assert waiting.stream.closed.is_set()


def test_enough_ends_what_waits() -> None:
    waiting = Waiting(ALICE)
    assert list(CombinedRouting(waiting, Waiting()).find_providers(CIDS[0], 1)) == [ALICE]
    assert waiting.stream.closed.wait(SECONDS)


def test_no_thread_is_left() -> None:
    before = threads()
    list(CombinedRouting(Scripted(ALICE), Scripted(BOB)).find_providers(CIDS[0], 10))
    for thread in threading.enumerate():
        if thread.name in threads() - before:
            thread.join(SECONDS)
    assert threads() <= before


def test_combined_within_combined() -> None:
    parts = [Scripted(ALICE), Scripted(BOB), Scripted(CAROL)]
    routing = CombinedRouting(parts[0], CombinedRouting(parts[1], parts[2]))
    assert routing.routers == tuple(parts)


def test_peers_are_looked_up_where_that_is_possible() -> None:
    routing = CombinedRouting(
        Scripted(), Locating(places={"alice": ["/a", "/b"]}), Locating(places={"alice": ["/b", "/c"]})
    )
    assert sorted(routing.find_peer("alice")) == ["/a", "/b", "/c"]
    with pytest.raises(RoutingError, match="bob is not known"):
        list(routing.find_peer("bob"))
    assert list(CombinedRouting(Scripted()).find_peer("alice")) == []


def test_there_has_to_be_one() -> None:
    with pytest.raises(UsageError):
        CombinedRouting()
