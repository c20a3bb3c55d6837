"""Sessions that search: who is told of whom, what is searched for when, and that nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.multihash import IDENTITY
from bitswap.providerquerymanager import Ended, ProviderConnected, SearchOver, SessionSearches
from tests.routing.world import CIDS, World


class Sessions(World):
    """Sessions are plain names here; `told` is what they were told, and `asked` the routers, in order."""

    def __init__(self, peers: int = 2, **options: object) -> None:
        super().__init__(peers, **options)  # type: ignore[arg-type]
        self.sessions: SessionSearches[str] = SessionSearches(self.manager)
        self.told: list[ProviderConnected[str] | SearchOver[str]] = []
        self.searches._changed = self.move

    def move(self) -> None:
        self.told += self.sessions.events(self.now)
        self.searches.pump()

    def seek(self, session: str, cids: Sequence[CID] = CIDS[:1]) -> None:
        self.sessions.seek(session, cids, self.now)
        self.move()

    def stop(self, session: str, *cids: CID) -> None:
        self.sessions.stop(session, cids, self.now)
        self.move()

    def forget(self, session: str) -> None:
        self.sessions.forget(session, self.now)
        self.move()

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
    world.seek("one")
    assert world.sessions.searching("one") == 1
    world.run(1.0)
    assert world.told[:2] == [ProviderConnected("one", CIDS[0], peer) for peer in world.peers]
    (end,) = world.told[2:]
    assert isinstance(end, SearchOver)
    assert end.outcome.connected == tuple(world.peers)
    assert world.sessions.searching("one") == 0


def test_sessions_share_a_query() -> None:
    world = Sessions()
    world.seek("one")
    world.seek("two")
    world.run(1.0)
    assert world.peers_of("one") == world.peers_of("two") == world.peers
    assert world.router.questions == 1


def test_a_block_is_searched_for_once_at_a_time() -> None:
    world = Sessions()
    for _ in range(3):
        world.seek("one")
    world.run(1.0)
    assert world.router.questions == 1


def test_a_block_is_searched_for_again_after_a_while() -> None:
    world = Sessions(search_interval=60.0)
    world.seek("one")
    for _ in range(12):
        world.run(10.0)
        world.seek("one")
    world.run(1.0)
    assert world.router.questions == 2


def test_another_session_need_not_wait_for_that() -> None:
    world = Sessions()
    world.seek("one")
    world.run(1.0)
    world.seek("two")
    world.run(1.0)
    assert world.peers_of("two") == world.peers
    assert world.router.questions == 2


def test_one_block_is_searched_for_at_first_then_more() -> None:
    world = Sessions(0, max_session_searches=4, max_queries=100)
    world.seek("one", CIDS[:20])
    live = [world.router.live]
    for _ in range(5):
        world.run(0.001)
        live.append(world.router.live)
    assert live[:4] == [1, 2, 4, 4]
    world.run(1.0)
    assert world.router.most_live == 4
    assert len(world.ends_of("one")) == world.router.questions == 20


def test_the_others_need_not_be_searched_for_once_somebody_is_found() -> None:
    world = Sessions(1)
    world.seek("one", CIDS[:20])
    world.run(60.0)
    assert world.router.questions == 1
    assert world.sessions.searching("one") == 0
    world.assert_nothing_left()


def test_if_he_does_not_have_them_more_are_searched_for() -> None:
    world = Sessions(1, max_queries=100)
    for expected in (1, 2, 8, 8):
        world.seek("one", CIDS)
        assert world.router.live == expected
        world.run(1.0)


def test_if_he_has_them_few_are_searched_for() -> None:
    world = Sessions(1, max_queries=100)
    for number in range(0, 12, 3):
        world.seek("one", CIDS[number : number + 3])
        assert world.router.live == 1
        world.run(1.0)
        world.stop("one", *CIDS[number : number + 3])


def test_what_stops_makes_room_for_what_waits() -> None:
    world = Sessions(0)
    world.seek("one", CIDS[:3])
    world.stop("one", CIDS[0])
    assert world.router.questions == 2
    assert world.sessions.searching("one") == 2


def test_only_so_many_wait_and_are_remembered() -> None:
    world = Sessions(0, max_session_waiting=4)
    world.seek("one", CIDS[:10])
    assert world.sessions.searching("one") == 4
    world.run(1.0)
    assert world.router.questions == 4
    world.seek("one", CIDS[4:5])
    world.run(1.0)
    world.seek("one", CIDS[:5])
    world.run(1.0)
    assert world.router.questions == 6


def test_a_session_stops_searching_for_what_it_does_not_want_any_more() -> None:
    world = Sessions()
    world.seek("one", CIDS[:2])
    world.seek("two", CIDS[:1])
    world.stop("one", CIDS[0], CIDS[5])
    world.stop("never", CIDS[0])
    world.run(1.0)
    assert {event.cid for event in world.told if isinstance(event, ProviderConnected)} == set(CIDS[:2])
    assert world.peers_of("one") == world.peers_of("two") == world.peers
    assert world.ends_of("one") == [Ended.COMPLETE]


def test_what_is_wanted_again_is_searched_for_again() -> None:
    world = Sessions()
    world.seek("one")
    world.run(1.0)
    world.stop("one", CIDS[0])
    world.seek("one")
    world.run(1.0)
    assert world.router.questions == 2


def test_a_session_that_is_over_is_told_nothing() -> None:
    world = Sessions()
    world.seek("one", CIDS[:2])
    world.seek("two", CIDS[1:2])
    world.forget("one")
    world.forget("never")
    world.run(1.0)
    assert world.peers_of("one") == world.ends_of("one") == []
    assert world.peers_of("two") == world.peers
    world.forget("two")
    assert world.sessions._sessions == {}
    world.assert_nothing_left()


def test_what_came_just_before_the_end_of_a_session_is_not_told() -> None:
    world = Sessions()
    world.searches._changed = None
    world.seek("one")
    world.run(1.0)
    world.sessions.forget("one", world.now)
    assert world.sessions.events(world.now) == []


def test_searches_that_are_refused_are_over_at_once() -> None:
    world = Sessions()
    held = [Block.of(bytes([number]), hash_code=IDENTITY).cid for number in range(50)]
    world.seek("one", held)
    assert world.ends_of("one") == [Ended.REFUSED] * 50
    assert world.sessions.searching("one") == 0


def test_closing_ends_the_searches_of_all_sessions() -> None:
    world = Sessions()
    world.seek("one", CIDS[:3])
    world.seek("two")
    world.close()
    world.move()
    assert world.ends_of("one") == [Ended.CLOSED] * 3
    assert world.ends_of("two") == [Ended.CLOSED]
    world.seek("one", CIDS[3:4])
    assert world.ends_of("one") == [Ended.CLOSED] * 4
    assert world.sessions.searching("one") == 0
