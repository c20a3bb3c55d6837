"""What nobody has keeps nothing else away; when it turns up after all, the window holds for it as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing

import pytest

from bitswap import Bitswap, aio
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.options import ClientOptions
from bitswap.testinstance import instances
from bitswap.testnet import LoopbackHub, LoopbackNetwork, VirtualNetwork
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.swarm import came, leftovers, swarm

LIMIT = 20
NARROW = ClientOptions(window_blocks=1000, window_bytes=LIMIT * 5000, expected_block_bytes=5000)


@pytest.mark.usefixtures("implementation")
class TestWhatTurnsUpLater:
    """Ten times as much as the window holds in bytes was wanted in vain, and is there all at once."""

    @pytest.mark.parametrize("how", ["added", "joins", "is-found"])
    @pytest.mark.parametrize("others", [1, 5, 30])
    def test_the_window_bounds_what_is_not_taken(self, how: str, others: int) -> None:
        net, (ours, theirs, *_) = swarm(1 + others, client=NARROW)
        blocks = make_blocks(10 * LIMIT, 5000)
        fetch = ours.fetch(cids_of(blocks), pause=0.002)
        net.run(seconds=30)
        request = fetch._subscription
        assert len(request.active) == 10 * LIMIT == len(request.absent)
        if how == "added":
            theirs.add(*blocks)
        else:
            theirs = net.node("late")
            theirs.blocks.update((block.cid, block) for block in blocks)
            net.connect(ours, theirs)
            if how == "is-found":
                fetch.session.provider_found("late", blocks[-1].cid, net.clock.now())
                ours.pump()
        assert most_expected(net, lambda: fetch.done, lambda: held(request)) <= LIMIT
        came(fetch, blocks)
        net.run(seconds=60)
        assert leftovers(net) == []

    def test_what_is_wanted_in_vain_twice_takes_no_place_of_either(self) -> None:
        """Two requests of one session."""
        net, (ours, theirs) = swarm(2, client=NARROW)
        absent, blocks = make_blocks(3 * LIMIT, 5000, "absent"), make_blocks(10, 5000)
        theirs.add(*blocks)
        session = ours.session()
        first = ours.fetch(cids_of([*absent, *blocks[:5]]), session)
        second = ours.fetch(cids_of([*absent, *blocks[5:]]), session)
        assert net.run(lambda: len(first.blocks) == len(second.blocks) == 5, seconds=20)
        theirs.add(*absent)
        assert net.run(lambda: first.done and second.done, seconds=20)


def held(request: object) -> int:
    active, absent, ready = (getattr(request, name) for name in ("active", "absent", "ready"))
    return len(active) - len(absent) + len(ready)


def most_expected(net: VirtualNetwork, done: Callable[[], bool], count: Callable[[], int]) -> int:
    most = 0

    def look() -> bool:
        nonlocal most
        most = max(most, count())
        return done()

    assert net.run(look, seconds=120)
    return most


@pytest.mark.timeout(60)
class TestRealNodes:
    """Three hundred that nobody has in front of ten; the window has room for 256 of the usual size."""

    ABSENT = cids_of(make_blocks(300, 10, "absent"))
    BLOCKS = make_blocks(10, 5000)

    @pytest.mark.parametrize("kind", [list, iter], ids=["collection", "iterator"])
    @pytest.mark.parametrize("stored", [True, False], ids=["node", "client"])
    def test_of_a_lazy_request(self, kind: Callable[[Iterable[CID]], Iterable[CID]], stored: bool) -> None:
        with instances(2) as (ours, theirs):
            theirs.add_blocks(self.BLOCKS)
            source = ours if stored else ours.client
            blocks = source.get_blocks(kind([*self.ABSENT, *cids_of(self.BLOCKS)]), timeout=40)
            assert {next(blocks).cid for _ in self.BLOCKS} == {*cids_of(self.BLOCKS)}
            blocks.close()  # type: ignore[attr-defined]

    def test_of_a_getter(self) -> None:
        with instances(2) as (ours, theirs):
            theirs.add_blocks(self.BLOCKS)
            self.check_getter(ours)

    def check_getter(self, ours: Bitswap) -> None:
        with ours.getter(timeout=40) as getter:
            getter.want([*self.ABSENT, *cids_of(self.BLOCKS)])
            got: set[CID] = set()
            while len(got) < 10:
                got.update(cids_of(getter.take()))
            assert got == {*cids_of(self.BLOCKS)}

    def test_of_an_event_loop(self) -> None:
        async def fetch(network: LoopbackNetwork) -> set[CID]:
            got: set[CID] = set()
            async with aio.Bitswap(network, MemoryBlockstore()) as ours:
                await ours.connect("/loopback/theirs")
                wanted = [*self.ABSENT, *cids_of(self.BLOCKS)]
                async with aclosing(ours.get_blocks(wanted, timeout=40)) as blocks:
                    async for block in blocks:
                        got.add(block.cid)
                        if len(got) == 10:
                            break
            return got

        with LoopbackHub() as hub, Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs:
            theirs.add_blocks(self.BLOCKS)
            assert asyncio.run(fetch(hub.network("ours"))) == {*cids_of(self.BLOCKS)}
