"""The asyncio interface: real nodes with threads and stores, over the loopback network."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from itertools import count

import pytest

from bitswap import (
    CID,
    Bitswap,
    Block,
    ClientOptions,
    Closed,
    InvalidCid,
    NotFound,
    Options,
    RemoteError,
    ServerOptions,
    Timeout,
    UsageError,
    aio,
)
from bitswap.blockstore import MemoryBlockstore
from bitswap.testnet import LoopbackHub, LoopbackNetwork
from bitswap.testutils import cids_of, make_blocks
from tests.client import waiting
from tests.client.mute import Mute

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""
SOON = 0.05
"""For what is expected to time out."""
SILENT = Options(server=ServerOptions(send_dont_haves=False))


@asynccontextmanager
async def two(
    options: Options | None = None, theirs: Options | None = None
) -> AsyncIterator[tuple[aio.Bitswap, Bitswap]]:
    """A node for asyncio, and one in threads that it is connected to."""
    with LoopbackHub() as hub, Bitswap(hub.network("theirs"), MemoryBlockstore(), theirs) as other:
        async with aio.Bitswap(hub.network("ours"), MemoryBlockstore(), options) as node:
            assert await node.connect(other.network.addrs[0]) == "theirs"
            yield node, other


async def asked(node: Bitswap, cid: CID) -> None:
    """Until `node` knows that we want `cid`."""
    await asyncio.to_thread(waiting.asked, node, "ours", cid)


async def nothing_wanted(node: aio.Bitswap) -> None:
    while node.wantlist():
        await asyncio.sleep(0)


async def all_of(blocks: AsyncIterator[Block]) -> list[Block]:
    return [block async for block in blocks]


def aio_threads() -> list[str]:
    """Those of the pools."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("bitswap-aio-store", "bitswap-aio-dial"))]


class TestOneBlock:
    def test_is_fetched_and_stored(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                (block,) = make_blocks(1, 5000)
                other.add_block(block)
                assert await node.get_block(str(block.cid), timeout=SECONDS) == block
                assert node.store.get(block.cid).data == block.data
                assert await node.get_block(block.cid) == block
                assert node.wantlist() == []
                assert node.stat().blocks_received == 1

        asyncio.run(main())

    def test_comes_when_somebody_adds_it(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                first, second, third = make_blocks(3)
                tasks = [asyncio.create_task(node.get_block(b.cid)) for b in (first, second, third)]
                for block in (first, second, third):
                    await asked(other, block.cid)
                assert node.explain(first.cid).wanted
                other.add_block(first)
                await node.add_block(second)
                await node.notify_new_blocks([third])
                assert await asyncio.gather(*tasks) == [first, second, third]

        asyncio.run(main())

    def test_errors_are_those_of_the_threaded_interface(self) -> None:
        async def main() -> None:
            async with two() as (node, _):
                for bad in ("", b"", "nonsense"):
                    with pytest.raises(InvalidCid):
                        await node.get_block(bad)
                    with pytest.raises(InvalidCid):
                        await anext(node.get_blocks([bad]))
                with pytest.raises(UsageError):
                    await anext(node.get_blocks(str(make_blocks(1)[0].cid)))
                with pytest.raises(UsageError):
                    node.new_session(broadcast=False)
                with pytest.raises(RemoteError):
                    await node.connect("/loopback/nobody", timeout=SECONDS)
                with pytest.raises(UsageError):
                    await node.connect("nonsense")

        asyncio.run(main())

    def test_timeout_says_why(self) -> None:
        async def main() -> None:
            async with two() as (node, _):
                (absent,) = make_blocks(1)
                with pytest.raises(Timeout) as caught:
                    await node.get_block(absent.cid, timeout=0.5)
                assert caught.value.missing == (str(absent.cid),)
                assert caught.value.reasons == {"theirs": "answered DONT_HAVE"}
                with pytest.raises(Timeout):
                    await all_of(node.get_blocks([absent.cid], timeout=SOON))
                assert node.wantlist() == []
                with pytest.raises(Timeout, match="in 0 s"):
                    await node.get_block(absent.cid, timeout=0)

        asyncio.run(main())

    def test_a_cancelled_call_wants_nothing(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                (block,) = make_blocks(1)
                task = asyncio.create_task(node.get_block(block.cid))
                await asked(other, block.cid)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert node.wantlist() == []
                assert other.server is not None
                await asyncio.to_thread(
                    waiting.until_changed, other.server, lambda: not other.wantlist_for_peer("ours")
                )

        asyncio.run(main())

    def test_cancelled_while_the_store_is_asked(self) -> None:
        class Slow(MemoryBlockstore):
            asked = threading.Event()
            go = threading.Event()

            def sizes(self, cids):  # type: ignore[no-untyped-def]
                self.asked.set()
                assert self.go.wait(SECONDS)
                return super().sizes(cids)

        async def main() -> None:
            store = Slow()
            with LoopbackHub() as hub:
                async with aio.Bitswap(hub.network("ours"), store) as node:
                    task = asyncio.create_task(node.get_block(make_blocks(1)[0].cid))
                    assert await asyncio.to_thread(store.asked.wait, SECONDS)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    store.go.set()
                    node._threads.close()
                    assert node.wantlist() == []

        asyncio.run(main())


class TestManyBlocks:
    def test_ten_thousand_in_one_call(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                blocks = make_blocks(10_000, 100)
                other.add_blocks(blocks)
                await node.add_blocks(blocks[:700])
                cids = cids_of(blocks)
                seen = [block.cid async for block in node.get_blocks(iter(cids), timeout=SECONDS)]
                assert sorted(seen) == sorted(cids)
                assert len(node.store) == 10_000
                assert node.stat().blocks_received == 9300

        asyncio.run(main())

    def test_a_thousand_coroutines_share_a_few_threads(self) -> None:
        async def main() -> None:
            options = Options(client=ClientOptions(aio_threads=3))
            async with two(options) as (node, other):
                blocks = make_blocks(1000)
                tasks = [asyncio.create_task(node.get_block(block.cid)) for block in blocks]
                await asyncio.to_thread(
                    waiting.until_changed, node._node.client, lambda: len(node.wantlist()) == len(blocks)
                )
                names = aio_threads()
                assert sum("store" in name for name in names) <= 3
                assert len(names) <= 4  # and the one that dialled
                other.add_blocks(blocks)
                assert await asyncio.gather(*tasks) == blocks
                assert node.wantlist() == []

        asyncio.run(main())

    @pytest.mark.parametrize("close", [True, False])
    def test_leaving_the_loop_cancels_the_rest(self, close: bool) -> None:
        async def main() -> None:
            async with two() as (node, other):
                blocks = make_blocks(100)
                other.add_block(blocks[7])
                if close:
                    async with aclosing(node.get_blocks(cids_of(blocks), timeout=SECONDS)) as source:
                        async for block in source:
                            assert block == blocks[7]
                            assert len(node.wantlist()) == 99
                            break
                    assert node.wantlist() == []
                else:
                    async for _ in node.get_blocks(cids_of(blocks), timeout=SECONDS):
                        break
                    await nothing_wanted(node)

        asyncio.run(main())

    def test_a_cancelled_loop_wants_nothing(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                blocks = make_blocks(50)

                task = asyncio.create_task(all_of(node.get_blocks(cids_of(blocks))))
                await asked(other, blocks[-1].cid)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert node.wantlist() == []

        asyncio.run(main())

    def test_an_endless_source_is_read_as_far_as_the_window_allows(self) -> None:
        read: list[CID] = []

        def endless() -> Iterator[CID]:
            for index in count():
                (block,) = make_blocks(1, seed=f"endless-{index}")
                read.append(block.cid)
                yield block.cid

        async def endless_too() -> AsyncIterator[CID]:
            for cid in endless():
                yield cid

        async def main() -> None:
            options = Options(client=ClientOptions(window_blocks=64, lookup_slice=32))
            async with two(options) as (node, other):
                (first,) = make_blocks(1, seed="endless-0")
                other.add_block(first)
                for cids in (endless(), endless_too()):
                    read.clear()
                    async with aclosing(node.get_blocks(cids, timeout=SECONDS)) as source:
                        assert await anext(source) == first
                        assert len(read) <= 64 + 2 * 32
                    assert node.wantlist() == []

        asyncio.run(main())


class TestAsyncSource:
    def test_blocks_come_while_the_source_waits_for_them(self) -> None:
        """Each CID is given once the block before it came, as when a graph is walked."""

        async def main() -> None:
            async with two() as (node, other):
                blocks = make_blocks(50)
                other.add_blocks(blocks)
                queue: asyncio.Queue[CID | None] = asyncio.Queue()
                queue.put_nowait(blocks[0].cid)

                async def walk() -> AsyncIterator[CID]:
                    while (cid := await queue.get()) is not None:
                        yield cid

                seen: list[Block] = []
                async for block in node.get_blocks(walk(), timeout=SECONDS):
                    seen.append(block)
                    queue.put_nowait(blocks[len(seen)].cid if len(seen) < len(blocks) else None)
                assert seen == blocks

        asyncio.run(main())

    def test_many(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                blocks = make_blocks(3000)
                other.add_blocks(blocks)

                async def source() -> AsyncIterator[CID]:
                    for index, block in enumerate(blocks):
                        if index % 7 == 0:
                            await asyncio.sleep(0)
                        yield block.cid

                async def added() -> AsyncIterator[Block]:
                    for block in blocks[:600]:
                        yield block

                await node.add_blocks(added())
                assert len(node.store) == 600
                seen = [block.cid async for block in node.get_blocks(source(), timeout=SECONDS)]
                assert sorted(seen) == sorted(cids_of(blocks))

        asyncio.run(main())

    def test_what_was_handed_out_is_kept_no_longer(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                blocks = make_blocks(40)
                other.add_blocks(blocks)
                async with aclosing(node.get_blocks(cids_of(blocks), timeout=SECONDS)) as coming:
                    held = [
                        sum(type(holder) is list for holder in gc.get_referrers(block))
                        async for block in coming
                    ]
                assert held == [0] * 40

        asyncio.run(main())

    def test_what_it_raises_is_raised_and_nothing_stays_wanted(self) -> None:
        async def main() -> None:
            async with two() as (node, _):

                async def source() -> AsyncIterator[CID]:
                    yield make_blocks(1)[0].cid
                    raise ZeroDivisionError

                with pytest.raises(ZeroDivisionError):
                    await all_of(node.get_blocks(source(), timeout=SECONDS))
                assert node.wantlist() == []

                async def empty() -> AsyncIterator[CID]:
                    for block in make_blocks(0):
                        yield block.cid

                assert await all_of(node.get_blocks(empty())) == []

        asyncio.run(main())


class TestSessions:
    def test_named_peers_only(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                here, gone = make_blocks(2)
                other.add_block(here)
                async with node.new_session(peers=["theirs"], broadcast=False) as session:
                    assert await session.get_block(here.cid, timeout=SECONDS) == here
                    assert session.stats.blocks == 1
                    assert session.duplicates == 0
                    with pytest.raises(NotFound) as caught:
                        await session.get_block(gone.cid, timeout=SECONDS)
                    assert caught.value.reasons == {"theirs": "answered DONT_HAVE"}
                    with pytest.raises(NotFound):
                        await all_of(session.get_blocks([here.cid, gone.cid], timeout=SECONDS))

        asyncio.run(main())

    def test_its_end_ends_what_it_wants(self) -> None:
        async def main() -> None:
            async with two(theirs=SILENT) as (node, other):
                (block,) = make_blocks(1)
                async with node.new_session() as session:
                    task = asyncio.create_task(session.get_block(block.cid))
                    await asked(other, block.cid)
                    cancelled = asyncio.create_task(session.get_block(make_blocks(1, seed="x")[0].cid))
                    await asyncio.sleep(0)
                    cancelled.cancel()
                    await asyncio.wait([cancelled])
                    assert node.wantlist() == [block.cid]
                assert node.wantlist() == []
                with pytest.raises(Closed):
                    await task
                with pytest.raises(Closed):
                    await session.get_block(block.cid)

        asyncio.run(main())


class TestLife:
    def test_closing_ends_everything(self) -> None:
        async def main() -> None:
            async with two() as (node, other):
                (block,) = make_blocks(1)
                tasks = [asyncio.create_task(node.get_block(block.cid)) for _ in range(20)]
                await asked(other, block.cid)
                await asyncio.gather(node.close(), node.close())
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    assert isinstance(result, Closed)
                with pytest.raises(Closed):
                    await node.get_block(block.cid)
                with pytest.raises(Closed):
                    await node.add_block(block)
                with pytest.raises(Closed):
                    await node.start()
                assert aio_threads() == []

        asyncio.run(main())

    def test_before_and_between(self) -> None:
        async def main() -> None:
            with LoopbackHub() as hub:
                node = aio.Bitswap(hub.network("ours"), MemoryBlockstore())
                with pytest.raises(UsageError, match="not started"):
                    node.wantlist()
                await node.start()
                with pytest.raises(UsageError, match="already"):
                    await node.start()
                assert node.peers() == []
                assert node.wantlist_for_peer("ours") == []
                await node.close()
                await aio.Bitswap(hub.network("unused"), MemoryBlockstore()).close()

        asyncio.run(main())

    def test_a_start_that_fails_leaves_nothing(self) -> None:
        class Broken(LoopbackNetwork):
            def start(self, receiver: object) -> None:
                raise RemoteError("the port is taken")

        async def main() -> None:
            with LoopbackHub() as hub:
                node = aio.Bitswap(Broken(hub, "ours", supports_have=True), MemoryBlockstore())
                with pytest.raises(RemoteError, match="taken"):
                    await node.start()
                with pytest.raises(Closed):
                    node.wantlist()

        asyncio.run(main())

    def test_a_peer_that_never_answers_keeps_nobody_from_the_store(self) -> None:
        class Hanging(LoopbackNetwork):
            go = threading.Event()

            def connect(self, address: str, timeout: float | None = None) -> str:
                assert self.go.wait(SECONDS)
                return super().connect(address, timeout)

        async def main() -> None:
            with LoopbackHub() as hub:
                mute = hub.network("mute")
                mute.start(Mute())
                network = Hanging(hub, "ours", supports_have=True)
                hub._networks["ours"] = network
                options = Options(client=ClientOptions(aio_threads=1, aio_dials=2))
                async with aio.Bitswap(network, MemoryBlockstore(), options) as node:
                    dials = [asyncio.create_task(node.connect("/loopback/mute")) for _ in range(9)]
                    (block,) = make_blocks(1)
                    await node.add_block(block)
                    assert await node.get_block(block.cid) == block
                    assert not any(dial.done() for dial in dials)
                    network.go.set()
                    assert await asyncio.gather(*dials) == ["mute"] * 9

        asyncio.run(main())
