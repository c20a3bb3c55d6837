"""Which blocks of a graph a CAR holds, and in which order."""

from __future__ import annotations

import io
import random

import pytest

from bitswap.block import Block
from bitswap.car import graph_blocks, read_car, store_blocks, write_car
from bitswap.cid import CID, DAG_CBOR, DAG_PB
from bitswap.dag import DagTooLarge, ImportOptions, MalformedNode, pb
from bitswap.multihash import IDENTITY
from bitswap.options import DagOptions
from tests.car.test_files import V1, V2
from tests.dag.fakes import DictStore
from tests.dag.trees import ScriptedSource, orders, put

pytestmark = pytest.mark.timeout(60)
SMALL = DagOptions(window_blocks=4, window_bytes=4096, cache_bytes=0, node_lookahead=4)


def node(*cids: CID) -> Block:
    return Block.of(pb.encode([pb.Link(cid) for cid in cids], None), codec=DAG_PB)


def cbor_links(*cids: CID) -> bytes:
    return bytes((0x80 | len(cids),)) + b"".join(
        b"\xd8\x2a\x58" + bytes((len(cid) + 1, 0)) + cid for cid in cids
    )


def exported(store: DictStore, root: CID, bounds: DagOptions | None = None) -> list[CID]:
    return [block.cid for block in graph_blocks(ScriptedSource(store), root, bounds)]


def stored(*blocks: Block) -> DictStore:
    store = DictStore()
    store.put_many(blocks)
    return store


def in_order(store: DictStore, root: CID, seen: dict[CID, None]) -> list[CID]:
    """The order as its definition has it."""
    if root not in seen:
        seen[root] = None
        if root.codec == DAG_PB:
            for link in pb.decode(store.get(root).data).links:
                in_order(store, link.cid, seen)
    return list(seen)


def test_the_order_of_the_specifications_fixture() -> None:
    store = DictStore()
    car = read_car(io.BytesIO(V2))
    store_blocks(car, store)
    file = io.BytesIO()
    write_car(file, car.roots, graph_blocks(ScriptedSource(store), car.roots[0]))
    assert file.getvalue() == V1


@pytest.mark.parametrize("order", orders(0))
@pytest.mark.parametrize("bounds", [None, SMALL], ids=["wide", "small"])
def test_depth_first_in_whatever_order_blocks_come(order: str, bounds: DagOptions | None) -> None:
    data = random.Random(1).randbytes(3000)
    tree = {
        "a": {"one": data, "two": data[:700]},
        "b": data,
        "c": {"again": data},
        "empty": {},
        "nothing": b"",
    }
    store, root = put(tree, ImportOptions(chunk_size=100, cid_version=1))
    source = ScriptedSource(store, orders(7)[order])
    found = [block.cid for block in graph_blocks(source, root, bounds)]
    assert found == in_order(store, root, {})
    assert len(found) == len(set(found)) == len(store.data)


@pytest.mark.parametrize("order", orders(0))
def test_random_graphs_that_share_everything(order: str) -> None:
    chance = random.Random(order)
    for _ in range(20):
        blocks = [Block.of(bytes((number,))) for number in range(3)]
        for _ in range(12):
            blocks.append(node(*(chance.choice(blocks).cid for _ in range(chance.randint(0, 4)))))
        top = node(*(block.cid for block in chance.sample(blocks, 5)))
        store = stored(*blocks, top)
        source = ScriptedSource(store, orders(3)[order])
        found = [block.cid for block in graph_blocks(source, top.cid, SMALL)]
        assert found == in_order(store, top.cid, {})


def test_a_graph_that_doubles_at_every_level_is_walked_once() -> None:
    blocks = [Block.of(b"end")]
    for _ in range(200):
        blocks.append(node(blocks[-1].cid, blocks[-1].cid))
    assert exported(stored(*blocks), blocks[-1].cid) == [block.cid for block in reversed(blocks)]


def test_links_of_dag_cbor_are_followed_and_other_codecs_lead_nowhere() -> None:
    leaf, other = Block.of(b"leaf"), Block.of(b"\x00 anything", codec=0x78)
    inline = Block.of(cbor_links(leaf.cid), codec=DAG_CBOR, hash_code=IDENTITY)
    top = Block.of(cbor_links(inline.cid, other.cid, leaf.cid), codec=DAG_CBOR)
    over = node(top.cid)
    store = stored(leaf, other, top, over)
    assert exported(store, over.cid) == [over.cid, top.cid, leaf.cid, other.cid]
    assert exported(store, other.cid) == [other.cid]


@pytest.mark.parametrize(
    "data", [b"", b"\x81", b"\xd8\x2b\x40", b"\xd8\x2a\x00", b"\xff", b"\xf8\x20", b"\x00\x00"]
)
def test_a_broken_node_is_named(data: bytes) -> None:
    broken = Block.of(data, codec=DAG_CBOR)
    with pytest.raises(MalformedNode, match=str(broken.cid)):
        exported(stored(broken), broken.cid)


def test_blocks_are_bounded() -> None:
    blocks = [Block.of(bytes((number,))) for number in range(9)]
    top = node(*(block.cid for block in blocks))
    store = stored(*blocks, top)
    assert len(exported(store, top.cid, DagOptions(max_entries=10))) == 10
    with pytest.raises(DagTooLarge, match="9 blocks"):
        exported(store, top.cid, DagOptions(max_entries=9))
