"""Requests of coroutines whose CIDs come from somewhere: endless, slow, failing, repeating."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from itertools import cycle

import pytest

from bitswap import CID, Bitswap, Block, InvalidCid, Options, Timeout, aio, cidsource
from bitswap.blockstore import MemoryBlockstore
from bitswap.options import ClientOptions
from bitswap.testnet import LoopbackHub
from bitswap.testutils import cids_of, make_blocks

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""
SOON = 0.05
"""For what is expected to time out."""


@asynccontextmanager
async def two(**options: int) -> AsyncIterator[tuple[aio.Bitswap, Bitswap]]:
    with LoopbackHub() as hub, Bitswap(hub.network("theirs"), MemoryBlockstore()) as other:
        ours = Options(client=ClientOptions(**options))  # type: ignore[arg-type]
        async with aio.Bitswap(hub.network("ours"), MemoryBlockstore(), ours) as node:
            await node.connect(other.network.addrs[0])
            yield node, other


async def asynchronous(cids: Iterator[CID] | list[CID]) -> AsyncIterator[CID]:
    for cid in cids:
        yield cid


@pytest.mark.parametrize("plain", [True, False])
def test_endless(plain: bool) -> None:
    async def main() -> None:
        async with two(window_blocks=64, lookup_slice=32, max_repetitions=64) as (node, other):
            blocks = make_blocks(300)
            other.add_blocks(blocks)
            read = 0

            def endless() -> Iterator[CID]:
                nonlocal read
                for cid in cycle(cids_of(blocks)):
                    read += 1
                    yield cid

            count = 0
            source = node.get_blocks(endless() if plain else asynchronous(endless()), timeout=SECONDS)
            async with aclosing(source) as stream:
                async for block in stream:
                    block.verify()
                    count += 1
                    # What the store has already is read a slice ahead of what is taken.
                    assert read <= count + 64 + 3 * 32
                    if count == 2000:
                        break
            assert node.wantlist() == []

    asyncio.run(main())


@pytest.mark.parametrize("plain", [True, False])
def test_repetitions_give_one_block(plain: bool) -> None:
    async def main() -> None:
        async with two(window_blocks=8) as (node, other):
            blocks = make_blocks(60)
            other.add_blocks(blocks)
            given = [cid for cid in cids_of(blocks) for _ in range(3)] + cids_of(blocks)
            source = iter(given) if plain else asynchronous(given)
            seen = [block.cid async for block in node.get_blocks(source, timeout=SECONDS)]
            assert sorted(seen) == sorted(cids_of(blocks))

    asyncio.run(main())


@pytest.mark.parametrize("plain", [True, False])
def test_a_source_that_fails_after_blocks_have_come(plain: bool) -> None:
    async def main() -> None:
        async with two(window_blocks=8, lookup_slice=8) as (node, other):
            blocks = make_blocks(8)
            other.add_blocks(blocks[:4])

            def source() -> Iterator[CID | str]:
                yield from cids_of(blocks)
                other.add_blocks(blocks[4:])
                while node.stat().blocks_received < 8:
                    pass
                yield "nonsense"

            async def asynchronous_source() -> AsyncIterator[CID | str]:
                for cid in source():
                    yield cid

            seen: list[Block] = []

            async def take() -> None:
                async for block in node.get_blocks(source() if plain else asynchronous_source()):
                    seen.append(block)

            with pytest.raises(InvalidCid):
                await take()
            assert node.wantlist() == []
            if plain:
                assert sorted(cids_of(seen)) == sorted(cids_of(blocks))

    asyncio.run(main())


def test_a_slow_plain_source_is_asked_for_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cidsource, "_MOMENT", 0.0)

    async def main() -> None:
        async with two() as (node, other):
            blocks = make_blocks(40)
            other.add_blocks(blocks)
            late = []

            def source() -> Iterator[CID]:
                for place, block in enumerate(blocks):
                    # In this order, since what arrives in between is to be counted twice and not never.
                    if place and len(node.wantlist()) + node.stat().blocks_received < place:
                        late.append(place)
                    yield block.cid

            seen = [block.cid async for block in node.get_blocks(source(), timeout=SECONDS)]
            assert sorted(seen) == sorted(cids_of(blocks))
            assert late == []

    asyncio.run(main())


def test_a_slow_plain_source_does_not_put_off_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cidsource, "_MOMENT", 0.0)

    async def main() -> None:
        async with two(window_blocks=1_000_000, window_bytes=1 << 50) as (node, _):
            absent = (block.cid for index in range(1_000_000) for block in make_blocks(1, seed=str(index)))
            with pytest.raises(Timeout, match=f"nothing came in {SOON} s"):
                async for _ in node.get_blocks(absent, timeout=SOON):
                    pass
            assert node.wantlist() == []

    asyncio.run(main())
