"""`explain` of nodes, clients and sessions, threaded and for asyncio; over the loopback network."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bitswap import CID, Bitswap, Block, InvalidCid, Options, aio
from bitswap.blockstore import MemoryBlockstore
from bitswap.errors import Cause
from bitswap.explanation import Explanation, State
from bitswap.options import ClientOptions
from bitswap.testnet import LoopbackHub
from bitswap.testutils import cids_of, make_blocks
from tests.client.mute import Mute
from tests.client.waiting import until_changed
from tests.explain.conftest import Pair

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""


def until(node: Bitswap, cid: CID, state: State) -> Explanation:
    """What is said of a block once it has come so far."""
    told = node.explain(cid)

    def has_come() -> bool:
        nonlocal told
        told = node.explain(cid)
        return told.state is state

    until_changed(node.client, has_come)
    return told


class TestNodes:
    def test_a_block_on_its_way(self, pair: Pair) -> None:
        ours, theirs = pair()
        (block,) = make_blocks(1)
        assert ours.explain(block.cid).state is State.NOT_WANTED
        assert ours.explain(str(block.cid)) == ours.explain(bytes(block.cid))
        with ours.getter(SECONDS) as getter:
            getter.want([block.cid])
            told = until(ours, block.cid, State.RESTING)
            assert told.reasons == {"theirs": "answered DONT_HAVE"}
            assert told.next[0].what == "all are asked again"
            assert "theirs: answered DONT_HAVE" in str(told)
            theirs.add_block(block)
            until(ours, block.cid, State.READY)
            assert getter.take() == [block]
        assert ours.explain(block.cid).state is State.STORED
        assert not ours.explain(block.cid).wanted
        assert str(ours.explain(block.cid)) == f"{block.cid}: it is in the store"
        assert ours.client.explain(block.cid).state is State.NOT_WANTED

    def test_bad_cids(self, pair: Pair) -> None:
        ours, _ = pair()
        with ours.new_session() as session:
            for explainer in (ours, ours.client, session, session.of_client):
                with pytest.raises(InvalidCid):
                    explainer.explain("nonsense")

    def test_a_want_that_was_not_looked_up_yet(self, pair: Pair) -> None:
        """A node asks its store for a part of what is wanted at a time; the rest has not got so far."""
        ours, theirs = pair(window_blocks=8, lookup_slice=4)
        blocks = make_blocks(100)
        with ours.getter(SECONDS) as getter, ours.new_session() as session:
            getter.want(cids_of(blocks))
            told = ours.explain(blocks[-1].cid)
            assert told.state is State.QUEUED
            assert "have not been looked up in the store yet" in told.waits[0].words
            assert session.explain(blocks[-1].cid).state is State.NOT_WANTED
            assert ours.explain(blocks[0].cid).state not in (State.NOT_WANTED, State.QUEUED)
            theirs.add_blocks(blocks)
            seen: list[Block] = []
            while getter.outstanding:
                seen += getter.take()
        assert sorted(cids_of(seen)) == sorted(cids_of(blocks))

    def test_a_session_speaks_for_itself(self, pair: Pair) -> None:
        ours, _ = pair()
        first, second = cids_of(make_blocks(2))
        with ours.new_session(peers=["theirs"], broadcast=False) as one, ours.new_session() as other:
            one.getter().want([first])
            other.getter().want([first, second])
            assert len(ours.explain(first).waits) == 2
            assert len(one.explain(first).waits) == 1
            assert one.explain(second).state is State.NOT_WANTED
            told = until(ours, first, State.RESTING)
            assert one.explain(first).state is State.GIVEN_UP
            assert told.state is State.RESTING
        assert one.explain(first).state is State.NOT_WANTED

    def test_who_is_connected_and_not_asked(self, hub: LoopbackHub) -> None:
        options = Options(client=ClientOptions(probe_patience=30.0))
        with Bitswap(hub.network("ours"), MemoryBlockstore(), options) as ours:
            for number in range(10):
                network = hub.network(f"mute-{number}")
                network.start(Mute())
                ours.connect(f"/loopback/mute-{number}")
            until_changed(ours.client, lambda: len(ours.client._machine.peers()) == 10)
            (block,) = make_blocks(1)
            with ours.getter() as getter:
                getter.want([block.cid])
                told = until(ours, block.cid, State.SEARCHED)
                assert len(told.peers) == 10
                assert len(told.asked) == options.client.probe_peers
                causes = [reason.cause for reason in told.reasons.values()]
                assert causes.count(Cause.NOT_ASKED) == 10 - options.client.probe_peers
                assert "and 2 more: was not asked" in str(told)

    def test_from_many_threads_while_blocks_come(self, pair: Pair) -> None:
        ours, theirs = pair(window_blocks=64, lookup_slice=16)
        blocks = make_blocks(2000)
        theirs.add_blocks(blocks)
        states: set[State] = set()
        done = threading.Event()

        def ask(start: int) -> None:
            while not done.is_set():
                for block in blocks[start::97]:
                    told = ours.explain(block.cid)
                    assert str(told).startswith(str(block.cid))
                    states.add(told.state)

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, start) for start in range(3)]
            with ours.getter(SECONDS) as getter:
                getter.want(cids_of(blocks))
                seen = []
                while getter.outstanding:
                    seen += getter.take()
            done.set()
            for job in asking:
                job.result(SECONDS)
        assert len(seen) == 2000
        assert {State.QUEUED, State.STORED} <= states

    def test_after_the_end(self, pair: Pair) -> None:
        ours, _ = pair()
        (block,) = make_blocks(1)
        getter = ours.getter()
        getter.want([block.cid])
        ours.close()
        assert ours.explain(block.cid).state is State.NOT_WANTED


def test_asyncio() -> None:
    async def main() -> None:
        with LoopbackHub() as hub, Bitswap(hub.network("theirs"), MemoryBlockstore()) as other:
            async with aio.Bitswap(hub.network("ours"), MemoryBlockstore()) as node:
                await node.connect(other.network.addrs[0])
                (block,) = make_blocks(1)
                async with node.new_session() as session:
                    task = asyncio.create_task(session.get_block(block.cid))
                    await asyncio.to_thread(until, node._node, block.cid, State.RESTING)
                    told = node.explain(block.cid)
                    assert told.reasons == {"theirs": "answered DONT_HAVE"}
                    async with node.new_session() as bystander:
                        assert not bystander.explain(block.cid).wanted
                    other.add_block(block)
                    assert await task == block
                assert node.explain(block.cid).state is State.NOT_WANTED

    asyncio.run(main())
