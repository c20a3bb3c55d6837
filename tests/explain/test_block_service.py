"""A node as a block service: the store first, and what was fetched goes there before anybody sees it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from bitswap import CID, Bitswap, Block, ClientOptions, InvalidCid, NotFound, Options, ServerOptions
from bitswap.blockstore import MemoryBlockstore
from bitswap.dag import add_path, export_stream, pb
from bitswap.errors import BitswapError
from bitswap.getter import Fetcher
from bitswap.message import Message
from bitswap.network.interface import ANSWERS
from bitswap.testnet import LoopbackHub, LoopbackNetwork
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness
from tests.client.mute import Mute
from tests.explain.conftest import Pair

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""


class Broken(BitswapError):
    """What a store fails with."""


class Store(MemoryBlockstore):
    """A store that notes what it is asked, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = ""
        self.calls: list[str] = []

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.fails == call:
            raise Broken(f"{call} failed")

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        self._note("get_many")
        return super().get_many(cids)

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        self._note("sizes")
        return super().sizes(cids)

    def put_many(self, blocks: Iterable[Block]) -> None:
        self._note("put_many")
        super().put_many(blocks)


@pytest.fixture
def nodes(hub: LoopbackHub) -> Iterator[tuple[Bitswap, Store, Bitswap]]:
    store = Store()
    with (
        Bitswap(hub.network("ours"), store) as ours,
        Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
    ):
        ours.connect("/loopback/theirs")
        yield ours, store, theirs


class TestTheStore:
    def test_answers_first(self, nodes: tuple[Bitswap, Store, Bitswap]) -> None:
        ours, _, theirs = nodes
        blocks = make_blocks(20)
        ours.add_blocks(blocks[:10])
        theirs.add_blocks(blocks)
        with ours.new_session() as session:
            for fetcher in (ours, session):
                assert fetcher.get_block(blocks[0].cid) == blocks[0]
            seen = list(session.get_blocks(cids_of(reversed(blocks)), timeout=SECONDS))
            # What is here comes before anything of what has to come.
            assert set(seen[:10]) == set(blocks[:10])
            assert set(seen[10:]) == set(blocks[10:])
            assert session.stats.blocks == 10
        assert ours.stat().blocks_received == 10

    def test_has_each_block_before_it_is_handed_out(self, pair: Pair) -> None:
        ours, theirs = pair(window_blocks=8)
        blocks = make_blocks(50)
        theirs.add_blocks(blocks)
        for block in ours.get_blocks(cids_of(blocks), timeout=SECONDS):
            assert ours.store.has(block.cid)
        assert ours.store.has(ours.get_block(blocks[0].cid).cid)

    def test_what_one_request_fetched_another_finds(self, nodes: tuple[Bitswap, Store, Bitswap]) -> None:
        ours, _, theirs = nodes
        (block,) = make_blocks(1)
        theirs.add_block(block)
        for _ in range(3):
            assert ours.get_block(block.cid, timeout=SECONDS) == block
        assert ours.stat().blocks_received == 1

    def test_knows_a_block_by_its_hash(self, nodes: tuple[Bitswap, Store, Bitswap]) -> None:
        """Under another version or codec it is the same block."""
        ours, _, _ = nodes
        block = Block.of(b"the same", version=0, codec=0x70)
        ours.add_block(block)
        other = CID.v1(0x55, block.cid.multihash)
        got = ours.get_block(other)
        assert (got.cid, got.data) == (other, b"the same")
        assert [block.cid for block in ours.get_blocks([other])] == [other]

    @pytest.mark.parametrize("fails", ["get_many", "sizes"])
    def test_that_fails_is_no_missing_block(self, nodes: tuple[Bitswap, Store, Bitswap], fails: str) -> None:
        """Only of what it says it lacks the network is asked."""
        ours, store, theirs = nodes
        (block,) = make_blocks(1)
        theirs.add_block(block)
        store.fails = fails
        fetch = (
            ours.get_block
            if fails == "get_many"
            else lambda cid, timeout: next(ours.get_blocks([cid], timeout))
        )
        with pytest.raises(Broken, match=f"{fails} failed"):
            fetch(block.cid, timeout=SECONDS)
        assert ours.wantlist() == []
        assert ours.stat().messages_received == 0

    def test_that_cannot_keep_a_block_says_so(self, nodes: tuple[Bitswap, Store, Bitswap]) -> None:
        ours, store, theirs = nodes
        blocks = make_blocks(10)
        theirs.add_blocks(blocks)
        store.fails = "put_many"
        for fetch in (
            lambda: ours.get_block(blocks[0].cid, timeout=SECONDS),
            lambda: list(ours.get_blocks(cids_of(blocks), timeout=SECONDS)),
            lambda: ours.add_block(blocks[0]),
        ):
            with pytest.raises(Broken, match="put_many failed"):
                fetch()
            assert ours.wantlist() == []
        store.fails = ""
        assert sorted(cids_of(ours.get_blocks(cids_of(blocks), timeout=SECONDS))) == sorted(cids_of(blocks))

    def test_is_not_touched_by_a_client(self, nodes: tuple[Bitswap, Store, Bitswap]) -> None:
        ours, store, theirs = nodes
        blocks = make_blocks(10)
        theirs.add_blocks(blocks)
        with ours.client.new_session() as session:
            assert len(list(session.get_blocks(cids_of(blocks), timeout=SECONDS))) == 10
        assert store.calls == []
        assert len(store) == 0


class TestVerifying:
    def test_wrong_data_is_not_the_block(self, hub: LoopbackHub) -> None:
        """A block is known by the hash of its data, whatever its sender took it for."""
        (wanted,) = make_blocks(1)
        wrong = Block(wanted.cid, b"something else")

        class Liar(Mute):
            network: LoopbackNetwork

            def message_received(self, peer: str, message: Message) -> None:
                super().message_received(peer, message)
                answer = Message()
                answer.add_block(wrong)
                self.network.send(peer, answer, ANSWERS, lambda error: sent.append(error))

        sent: list[BaseException | None] = []
        with Bitswap(hub.network("ours"), MemoryBlockstore()) as ours:
            liar = Liar()
            liar.network = hub.network("liar")
            liar.network.start(liar)
            ours.connect("/loopback/liar")
            with ours.getter() as getter:
                getter.want([wanted.cid])
                while ours.client.unwanted("liar") < 1:
                    pass
                assert ours.explain(wanted.cid).wanted
                assert getter.poll() == []
        assert len(ours.store) == 0

    def test_what_no_hash_can_tell_is_refused_at_once(self, nodes: tuple[Bitswap, Store, Bitswap]) -> None:
        """Whoever waited for it would wait for ever."""
        ours, _, _ = nodes
        digest = make_blocks(1)[0].cid.digest
        unknown = CID.v1(0x55, bytes.fromhex("99990120") + digest)
        too_long = CID.v1(0x55, bytes([0x12, 33]) + digest + b"\0")
        for cid, why in ((unknown, "0x4c99 is not supported"), (too_long, "32 bytes of digest, 33")):
            with ours.new_session() as session:
                fetchers: list[Fetcher] = [ours, ours.client, session]
                for fetcher in fetchers:
                    with pytest.raises(InvalidCid, match=why):
                        fetcher.get_block(cid)
                    with pytest.raises(InvalidCid, match=why):
                        list(fetcher.get_blocks([cid]))
        assert ours.wantlist() == []
        # A store may have been given such blocks.
        ours.add_block(Block(unknown, b"whatever"))
        assert ours.get_block(unknown).data == b"whatever"
        assert list(ours.get_blocks([unknown])) == [Block(unknown, b"whatever")]


class TestServingOn:
    def test_whoever_asked_in_vain_gets_what_is_fetched(self, hub: LoopbackHub) -> None:
        patient = Options(client=ClientOptions(retry_delay=60.0))  # asks once, so that it has to be told
        with (
            Bitswap(hub.network("far"), MemoryBlockstore(), patient) as far,
            Bitswap(hub.network("middle"), MemoryBlockstore()) as middle,
            Bitswap(hub.network("source"), MemoryBlockstore()) as source,
        ):
            far.connect("/loopback/middle")
            blocks = make_blocks(20, 5000)
            with far.getter(SECONDS) as getter:
                getter.want(cids_of(blocks))
                while len(middle.wantlist_for_peer("far")) < 20:
                    pass
                source.add_blocks(blocks)
                middle.connect("/loopback/source")
                for block in middle.get_blocks(cids_of(blocks), timeout=SECONDS):
                    assert middle.store.has(block.cid)
                seen: list[Block] = []
                while len(seen) < 20:
                    seen += getter.take()
            assert sorted(cids_of(seen)) == sorted(cids_of(blocks))

    def test_without_a_server_nobody_is_told(self, hub: LoopbackHub) -> None:
        options = Options(server=ServerOptions(enabled=False))
        with (
            Bitswap(hub.network("ours"), MemoryBlockstore(), options) as ours,
            Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
        ):
            (block,) = make_blocks(1)
            theirs.add_block(block)
            ours.connect("/loopback/theirs")
            assert ours.get_block(block.cid, timeout=SECONDS) == block


class TestGraphs:
    def test_come_through_one_session(self, pair: Pair, tmp_path: Path) -> None:
        """The peers that had one block are asked for the next, and nobody is searched for again."""
        ours, theirs = pair()
        content = Random(1).randbytes(1_000_000)
        (tmp_path / "file").write_bytes(content)
        added = add_path(tmp_path / "file", theirs.store)
        out = io.BytesIO()
        with ours.new_session() as session:
            before = ours.client._machine._sessions._made
            with session.getter(SECONDS) as getter:
                export_stream(getter, added.cid, out)
            assert ours.client._machine._sessions._made == before
            assert session.stats.blocks == added.blocks
            assert session.stats.duplicates == 0
        assert out.getvalue() == content
        assert ours.stat().blocks_received == added.blocks
        assert ours.wantlist() == []
        # The second time everything is here.
        again = io.BytesIO()
        with ours.getter() as getter:
            export_stream(getter, added.cid, again)
        assert again.getvalue() == content
        assert ours.stat().blocks_received == added.blocks

    def test_whose_parts_are_missing_say_which_and_why(self, pair: Pair, tmp_path: Path) -> None:
        ours, theirs = pair()
        (tmp_path / "file").write_bytes(bytes(1_000_000) + b"end")
        added = add_path(tmp_path / "file", theirs.store)
        last = pb.decode(theirs.store.get(added.cid).data).links[-1].cid
        assert theirs.store.delete(last)
        with (
            ours.new_session(peers=["theirs"], broadcast=False) as session,
            session.getter(SECONDS) as getter,
            pytest.raises(NotFound) as caught,
        ):
            export_stream(getter, added.cid, io.BytesIO())
        assert caught.value.missing == (str(last),)
        assert caught.value.reasons == {"theirs": "answered DONT_HAVE"}


def test_what_was_given_up_and_is_cancelled_is_not_told() -> None:
    cids = cids_of(make_blocks(3))
    run = Harness("a")
    sub = run.want(cids, peers=["a"], broadcast=False)
    run.sent()
    run.answer("a", dont_haves=cids)
    assert sorted(sub.missing) == sorted(cids)
    assert run.machine.cancel(sub, cids[:1], run.now) == []
    assert sorted(sub.missing) == sorted(cids[1:])
    assert sub.reasons == {"a": "answered DONT_HAVE"}
    run.machine.cancel(sub, cids[1:], run.now)
    assert (sub.missing, sub.reasons, sub.lost) == ([], {}, False)
