"""Real nodes with threads and stores, over the loopback network."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from bitswap import (
    CID,
    Bitswap,
    Block,
    Closed,
    InvalidCid,
    NotFound,
    Options,
    RemoteError,
    ServerOptions,
    Timeout,
    UsageError,
)
from bitswap.blockstore import MemoryBlockstore
from bitswap.getter import PeersLost
from bitswap.multihash import IDENTITY, SHA2_512
from bitswap.testinstance import instances
from bitswap.testnet import LoopbackHub
from bitswap.testutils import cids_of, make_blocks
from tests.client.mute import Mute
from tests.client.waiting import asked

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""
SOON = 0.05
"""For what is expected to time out."""
SILENT = ServerOptions(send_dont_haves=False)


def lists_with(block: Block) -> int:
    """How many lists hold it."""
    return sum(type(holder) is list for holder in gc.get_referrers(block))


class TestOneBlock:
    @pytest.mark.parametrize("size", [0, 1, 1024, 1025, 2 * 1024 * 1024])
    def test_is_fetched_verified_and_stored(self, pair: tuple[Bitswap, Bitswap], size: int) -> None:
        ours, theirs = pair
        (block,) = make_blocks(1, size)
        theirs.add_block(block)
        got = ours.get_block(block.cid, timeout=SECONDS)
        got.verify()
        assert got == block
        assert ours.store.get(block.cid).data == block.data

    def test_cids_of_every_kind(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = [Block.of(b"zero", version=0, codec=0x70), Block.of(b"one"), Block.of(b"two", codec=0x71)]
        theirs.add_blocks(blocks)
        for block in blocks:
            assert ours.get_block(str(block.cid), timeout=SECONDS).data == block.data
        for block in ours.get_blocks([bytes(block.cid) for block in blocks]):
            block.verify()

    def test_bad_cids(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, _ = pair
        for bad in ("", b"", "nonsense", b"\x01", CID.from_trusted(b"")):
            with pytest.raises(InvalidCid):
                ours.get_block(bad)
        for worse in (None, 7, object()):
            with pytest.raises(UsageError):
                ours.get_block(worse)  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            list(ours.get_blocks(str(make_blocks(1)[0].cid)))
        with pytest.raises(UsageError):
            ours.new_session(broadcast=False)
        with pytest.raises(UsageError):
            ours.new_session(peers="node-1")

    def test_identity_cids_answer_themselves(self) -> None:
        with instances(1) as (node,):
            blocks = [Block.of(b"inline", hash_code=IDENTITY), Block.of(b"", codec=0x71, hash_code=IDENTITY)]
            assert node.get_block(blocks[0].cid, timeout=SECONDS).data == b"inline"
            assert list(node.get_blocks(cids_of(blocks), timeout=SECONDS)) == blocks
            assert list(node.client.get_blocks([*cids_of(blocks), blocks[0].cid])) == blocks
            assert len(node.store) == 0

    def test_the_empty_block_needs_no_peer(self) -> None:
        """boxo's server takes it for missing, so whoever asks for it there never gets it."""
        with instances(1) as (node,):
            blocks = [Block.of(b""), Block.of(b"", version=0, codec=0x70), Block.of(b"", codec=0x71)]
            assert [node.get_block(block.cid, timeout=SECONDS).data for block in blocks] == [b"", b"", b""]
            assert list(node.get_blocks(cids_of(blocks), timeout=SECONDS)) == blocks
            assert node.wantlist() == []

    def test_an_empty_block_in_the_store_is_there(self) -> None:
        with instances(1) as (node,):
            block = Block.of(b"", hash_code=SHA2_512)
            node.add_block(block)
            assert node.get_block(block.cid, timeout=SECONDS).data == b""

    def test_what_is_stored_is_not_asked_for(self) -> None:
        with instances(1) as (node,):
            blocks = make_blocks(1000, 100)
            node.add_blocks(blocks)
            assert node.get_block(blocks[0].cid).data == blocks[0].data
            assert sorted(cids_of(node.get_blocks(cids_of(blocks)))) == sorted(cids_of(blocks))

    def test_timeout_says_why(self) -> None:
        with instances(3) as nodes:
            (absent,) = make_blocks(1)
            with pytest.raises(Timeout) as caught:
                nodes[0].get_block(absent.cid, timeout=0.5)
            assert isinstance(caught.value, TimeoutError)
            assert caught.value.missing == (str(absent.cid),)
            assert caught.value.reasons == {
                "node-1": "answered DONT_HAVE",
                "node-2": "answered DONT_HAVE",
            }
            assert str(absent.cid) in str(caught.value)
            assert nodes[0].wantlist() == []

    def test_timeout_without_peers(self) -> None:
        with instances(1) as (node,):
            with pytest.raises(Timeout, match="no peer to ask") as caught:
                node.get_block(make_blocks(1)[0].cid, timeout=SOON)
            assert caught.value.reasons == {}


class TestManyBlocks:
    def test_ten_thousand_in_one_call(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(10_000, 100)
        theirs.add_blocks(blocks)
        seen = [block.cid for block in ours.get_blocks(iter(cids_of(blocks)), timeout=SECONDS)]
        assert sorted(seen) == sorted(cids_of(blocks))
        assert len(ours.store) == 10_000
        assert ours.stat().dup_blocks_received == 0

    def test_half_of_them_here(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(2000, 100)
        theirs.add_blocks(blocks)
        ours.add_blocks(blocks[::2])
        seen = [block.cid for block in ours.get_blocks(cids_of(blocks), timeout=SECONDS)]
        assert sorted(seen) == sorted(cids_of(blocks))
        assert ours.stat().blocks_received == 1000

    def test_nothing_and_repetitions(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(3)
        theirs.add_blocks(blocks)
        assert list(ours.get_blocks([])) == []
        assert list(ours.get_blocks(iter([]))) == []
        cids = [*cids_of(blocks), *cids_of(blocks), str(blocks[0].cid)]
        assert sorted(cids_of(ours.client.get_blocks(cids, timeout=SECONDS))) == sorted(cids_of(blocks))

    def test_closing_the_iterator_cancels_the_rest(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(50)
        theirs.add_blocks(blocks[:5])
        iterator = ours.get_blocks(cids_of(blocks), timeout=SECONDS)
        assert len(list(islice(iterator, 5))) == 5
        assert len(ours.wantlist()) == 45
        iterator.close()  # type: ignore[attr-defined]
        assert ours.wantlist() == []

    def test_a_source_of_cids_that_fails(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(3)
        theirs.add_blocks(blocks)

        def source() -> Iterator[CID | str]:
            yield from cids_of(blocks)
            yield "nonsense"

        with pytest.raises(InvalidCid):
            list(ours.get_blocks(source(), timeout=SECONDS))
        assert ours.wantlist() == []

    def test_timeout_counts_from_the_last_block(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(20)
        theirs.add_blocks(blocks[:15])
        seen: list[Block] = []
        with pytest.raises(Timeout) as caught:
            seen.extend(ours.get_blocks(cids_of(blocks), timeout=0.5))
        assert len(seen) == 15
        assert sorted(caught.value.missing) == sorted(map(str, cids_of(blocks[15:])))
        assert len(ours.store) == 15

    def test_many_threads(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(400, 500)
        theirs.add_blocks(blocks)
        with ThreadPoolExecutor(16) as pool:
            single = list(pool.map(lambda cid: ours.get_block(cid, timeout=SECONDS), cids_of(blocks)))
            many = list(
                pool.map(
                    lambda _: sorted(cids_of(ours.client.get_blocks(cids_of(blocks), timeout=SECONDS))),
                    range(8),
                )
            )
        assert single == blocks
        assert many == [sorted(cids_of(blocks))] * 8


class TestWaiting:
    def test_for_a_block_that_a_peer_gets_later(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        (block,) = make_blocks(1)
        with ThreadPoolExecutor(1) as pool:
            wanted = pool.submit(ours.get_block, block.cid, SECONDS)
            asked(theirs, "node-0", block.cid)
            theirs.add_block(block)
            assert wanted.result(SECONDS) == block

    def test_for_a_block_that_is_added_here(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        (block,) = make_blocks(1)
        with ThreadPoolExecutor(1) as pool:
            wanted = pool.submit(ours.get_block, block.cid, SECONDS)
            asked(theirs, "node-0", block.cid)
            ours.add_block(block)
            assert wanted.result(SECONDS) == block

    def test_several_requests_get_the_same_block(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        (block,) = make_blocks(1)
        with (
            ours.new_session() as session,
            session.getter() as first,
            session.getter() as second,
            ours.client.getter() as third,
        ):
            for getter in (first, second, third):
                getter.want([block.cid])
            first.cancel([block.cid])
            assert first.take() == []
            theirs.add_block(block)
            assert second.take(SECONDS) == [block]
            assert third.take(SECONDS) == [block]
        assert ours.stat().blocks_received == 1

    def test_what_is_here_comes_although_another_block_is_waited_for(
        self, pair: tuple[Bitswap, Bitswap]
    ) -> None:
        ours, theirs = pair
        here, absent = make_blocks(2)
        ours.add_block(here)
        with ours.getter() as getter, ThreadPoolExecutor(1) as pool:
            getter.want([absent.cid])
            taken = pool.submit(getter.take, SECONDS)
            asked(theirs, "node-0", absent.cid)
            getter.want([here.cid])
            assert taken.result(SECONDS) == [here]
            assert getter.outstanding == 1

    def test_a_consumer_that_does_not_take_holds_nobody_up(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(300)
        theirs.add_blocks(blocks)
        with ours.getter() as idle:
            idle.want(cids_of(blocks[:150]))
            assert len(list(ours.get_blocks(cids_of(blocks[150:]), timeout=SECONDS))) == 150
            taken: list[Block] = []
            while idle.outstanding or len(taken) < 150:
                taken += idle.take(SECONDS)
            assert len(taken) == 150
            assert idle.take() == []


class TestSessions:
    def test_named_peers_only(self) -> None:
        with instances(3) as nodes:
            blocks = make_blocks(20)
            nodes[1].add_blocks(blocks)
            nodes[2].add_blocks(blocks)
            with nodes[0].new_session(peers=["node-2"], broadcast=False) as session:
                assert len(list(session.get_blocks(cids_of(blocks), timeout=SECONDS))) == 20
                assert session.get_block(blocks[0].cid) == blocks[0]
                stats = session.stats
            assert (stats.blocks, stats.bytes, stats.duplicates) == (20, 20 * 64, 0)
            assert {peer: stat.blocks for peer, stat in stats.peers.items()} == {"node-2": 20}
            assert session.duplicates == 0
            assert nodes[1].stat().messages_sent == 0

    def test_not_found_names_everybody(self) -> None:
        with instances(3) as nodes:
            blocks = make_blocks(20)
            nodes[1].add_blocks(blocks[:15])
            seen: list[Block] = []
            peers = ["node-1", "node-2", "stranger"]
            with (
                nodes[0].new_session(peers=peers, broadcast=False) as session,
                pytest.raises(NotFound) as caught,
            ):
                seen.extend(session.get_blocks(cids_of(blocks), timeout=SECONDS))
            assert isinstance(caught.value, KeyError)
            assert not isinstance(caught.value, RemoteError)
            assert sorted(cids_of(seen)) == sorted(cids_of(blocks[:15]))
            assert len(nodes[0].store) == 15
            assert sorted(caught.value.missing) == sorted(map(str, cids_of(blocks[15:])))
            assert caught.value.reasons == {
                "node-1": "answered DONT_HAVE",
                "node-2": "answered DONT_HAVE",
                "stranger": "not connected",
            }

    def test_a_peer_lost_on_the_way(self) -> None:
        """Everything that came before is stored and handed out first."""
        with LoopbackHub() as hub, Bitswap(hub.network("ours"), MemoryBlockstore()) as ours:
            blocks = make_blocks(100)
            theirs = Bitswap(hub.network("theirs"), MemoryBlockstore(), Options(server=SILENT))
            theirs.add_blocks(blocks[:40])
            peers = [ours.connect("/loopback/theirs"), "other"]
            seen: list[Block] = []
            with ours.new_session(peers=peers, broadcast=False) as session, session.getter(SECONDS) as getter:
                getter.want(cids_of(blocks))
                while len(seen) < 40:
                    seen += getter.take()
                theirs.close()
                with pytest.raises(PeersLost) as caught:
                    getter.take()
                # The getter goes on: what is asked of nobody fails by itself.
                getter.want(cids_of(blocks[40:41]))
                with pytest.raises(NotFound):
                    getter.take()
                assert getter.take() == []
            assert isinstance(caught.value, ConnectionError)
            assert caught.value.peer == "theirs"
            assert caught.value.reasons == {"theirs": "connection closed", "other": "not connected"}
            assert sorted(caught.value.missing) == sorted(map(str, cids_of(blocks[40:])))
            assert sorted(cids_of(seen)) == sorted(cids_of(blocks[:40]))
            assert len(ours.store) == 40

    def test_cut_in_the_middle(self) -> None:
        with LoopbackHub() as hub:
            ours = Bitswap(hub.network("ours"), MemoryBlockstore())
            mute = Mute()
            network = hub.network("mute")
            network.start(mute)
            with ours, ours.new_session(peers=[ours.connect("/loopback/mute")], broadcast=False) as session:
                (block,) = make_blocks(1)
                with ThreadPoolExecutor(1) as pool:
                    wanted = pool.submit(session.get_block, block.cid, SECONDS)
                    assert mute.heard.wait(SECONDS)
                    hub.disconnect("ours", "mute", RemoteError("cable cut"))
                    with pytest.raises(PeersLost, match="cable cut") as caught:
                        wanted.result(SECONDS)
            assert caught.value.missing == (str(block.cid),)
            assert caught.value.peer == "mute"

    def test_closing_ends_its_requests(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        (absent,) = make_blocks(1)
        session = ours.new_session()
        with ThreadPoolExecutor(1) as pool:
            wanted = pool.submit(session.get_block, absent.cid, SECONDS)
            asked(theirs, "node-0", absent.cid)
            session.close()
            with pytest.raises(Closed):
                wanted.result(SECONDS)
        session.close()
        assert ours.wantlist() == []
        with pytest.raises(Closed):
            session.get_block(absent.cid)
        assert ours.wantlist() == []


def test_what_was_handed_out_is_kept_no_longer(pair: tuple[Bitswap, Bitswap]) -> None:
    """Whoever drops each block before the next one holds one block, not all that came with it."""
    ours, theirs = pair
    blocks = make_blocks(40)
    theirs.add_blocks(blocks)
    with ours.client.new_session() as session:
        held = [lists_with(block) for block in session.get_blocks(cids_of(blocks), timeout=SECONDS)]
    assert held == [0] * 40
