"""Sessions that search: who is told of whom, and that nothing is kept of a session that is over."""

from __future__ import annotations

from bitswap.cid import CID
from bitswap.multihash import IDENTITY
from bitswap.providerquerymanager import Ended, ProviderConnected, SearchOver, SessionSearches
from bitswap.testutils import make_blocks
from tests.routing.world import CIDS, World


class Sessions(World):
    """Sessions are plain names here; `events` gathers what they were told."""

    def __init__(self, peers: int = 2, **options: object) -> None:
        super().__init__(peers, **options)  # type: ignore[arg-type]
        self.sessions: SessionSearches[str] = SessionSearches(self.manager)
        self.told: list[ProviderConnected[str] | SearchOver[str]] = []
        self.searches._changed = self.gather

    def gather(self) -> None:
        self.told += self.sessions.events()

    def begin(self, session: str, cid: CID = CIDS[0]) -> bool:
        begun = self.sessions.search(session, cid, self.now)
        self.gather()
        self.searches.pump()
        return begun

    def peers_of(self, session: str) -> list[str]:
        return [
            event.peer
            for event in self.told
            if isinstance(event, ProviderConnected) and event.session == session
        ]

    def ends_of(self, session: str) -> list[Ended]:
        return [
            event.outcome.ended
            for event in self.told
            if isinstance(event, SearchOver) and event.session == session
        ]


def test_a_session_is_told_of_each_provider_and_of_the_end() -> None:
    world = Sessions()
    assert world.begin("one")
    assert world.sessions.searching("one") == 1
    world.run(1.0)
    assert world.told[:2] == [ProviderConnected("one", CIDS[0], peer) for peer in world.peers]
    (end,) = world.told[2:]
    assert isinstance(end, SearchOver)
    assert end.outcome.connected == tuple(world.peers)
    assert world.sessions.searching("one") == 0


def test_a_provider_is_told_before_the_end_of_the_search() -> None:
    world = Sessions(1)
    world.manager.peer_connected("peer-0", 0.0)
    world.begin("one")
    world.run(1.0)
    assert [type(event).__name__ for event in world.told] == ["ProviderConnected", "SearchOver"]


def test_sessions_share_a_query() -> None:
    world = Sessions()
    world.begin("one")
    world.begin("two")
    world.run(1.0)
    assert world.peers_of("one") == world.peers_of("two") == world.peers
    assert world.router.questions == 1


def test_a_session_searches_for_a_block_once_at_a_time() -> None:
    world = Sessions()
    assert world.begin("one")
    assert not world.begin("one")
    world.run(1.0)
    assert world.begin("one")
    world.run(1.0)
    assert world.router.questions == 2


def test_a_session_has_only_so_many_searches() -> None:
    world = Sessions(max_session_searches=2)
    assert [world.begin("one", cid) for cid in CIDS[:3]] == [True, True, False]
    assert world.begin("two", CIDS[2])
    world.run(1.0)
    assert world.begin("one", CIDS[2])


def test_a_session_stops_searching_for_what_it_does_not_want_any_more() -> None:
    world = Sessions()
    world.begin("one", CIDS[0])
    world.begin("one", CIDS[1])
    world.begin("two", CIDS[0])
    world.sessions.stop("one", [CIDS[0], CIDS[5]], world.now)
    world.run(1.0)
    assert {event.cid for event in world.told if isinstance(event, ProviderConnected)} == {CIDS[0], CIDS[1]}
    assert world.peers_of("one") == world.peers_of("two") == world.peers
    assert world.ends_of("one") == [Ended.COMPLETE]


def test_a_session_that_is_over_is_told_nothing() -> None:
    world = Sessions()
    world.begin("one", CIDS[0])
    world.begin("one", CIDS[1])
    world.begin("two", CIDS[1])
    world.sessions.forget("one", world.now)
    world.sessions.forget("never", world.now)
    world.searches.pump()
    world.run(1.0)
    assert world.peers_of("one") == world.ends_of("one") == []
    assert world.peers_of("two") == world.peers
    assert world.sessions._searches == {}
    world.assert_nothing_left()


def test_what_came_just_before_the_end_of_a_session_is_not_told() -> None:
    world = Sessions()
    world.searches._changed = None
    world.begin("one")
    world.run(1.0)
    world.sessions.forget("one", world.now)
    assert world.sessions.events() == []


def test_a_search_that_is_refused_is_over_at_once() -> None:
    world = Sessions()
    held = make_blocks(1)[0].of(b"here", hash_code=IDENTITY).cid
    assert world.begin("one", held)
    (event,) = world.told
    assert isinstance(event, SearchOver)
    assert event.outcome.ended is Ended.REFUSED
    assert world.sessions.searching("one") == 0


def test_closing_ends_the_searches_of_all_sessions() -> None:
    world = Sessions()
    world.begin("one")
    world.begin("two")
    world.close()
    world.gather()
    assert world.ends_of("one") == world.ends_of("two") == [Ended.CLOSED]
    assert not world.begin("one")
    assert world.sessions._searches == {}
