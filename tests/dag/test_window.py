"""The window of a walk: order, bounds, and that it never runs dry while there is more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.dag import DagTooLarge, ImportOptions, read_tree
from bitswap.dag.errors import DagError
from bitswap.dag.walk import Branch, Expansion, Target, walk
from bitswap.dag.window import Window
from bitswap.multihash import IDENTITY
from bitswap.options import DagOptions
from tests.dag.trees import ScriptedSource, expected, orders, put, summary

ORDERS = sorted(orders(0))


class Graph:
    """Blocks that say what is below them: b"name" or b"name:count of bytes", children kept beside."""

    def __init__(self) -> None:
        self.children: dict[CID, list[Target[str]]] = {}
        self.blocks: dict[CID, Block] = {}

    def leaf(self, name: str, size: int = 100, **said: Any) -> Target[str]:
        return self._target(name, size, [], **{"branch": Branch.LEAF, **said})

    def node(self, name: str, children: list[Target[str]], size: int = 100, **said: Any) -> Target[str]:
        return self._target(name, size, children, **{"branch": Branch.MAYBE, **said})

    def _target(
        self, name: str, size: int, children: list[Target[str]], branch: Branch, said: int | None = None
    ) -> Target[str]:
        block = Block.of(name.encode().ljust(size, b"."))
        self.blocks[block.cid] = block
        self.children[block.cid] = children
        return Target(block.cid, name, size if said is None else said, branch)

    def expand(self, target: Target[str], data: bytes) -> Expansion[str, str]:
        children = self.children[target.cid]
        return Expansion(
            [target.context], children, len(children), [f"/{target.context}"] if children else []
        )


class Run:
    """A window with a network at one end and a reader at the other; checks the bounds after every step."""

    def __init__(self, graph: Graph, root: Target[str], bounds: DagOptions, *, exact: bool = True) -> None:
        self.graph = graph
        self.bounds = bounds
        self.window: Window[str, str] = Window(root, graph.expand, bounds)
        self.wanted: dict[CID, None] = {}
        self.times: dict[CID, int] = {}
        self.events: list[str] = []
        self.exact = exact
        self.asked_often = 0
        self.ask()

    def ask(self, *, lazily: bool = False) -> None:
        for cid in self.window.cancels():
            self.wanted.pop(cid, None)
        wants = self.window.wants(lazily=lazily)
        self.asked_often += bool(wants)
        for cid in wants:
            assert cid not in self.wanted
            self.wanted[cid] = None
            self.times[cid] = self.times.get(cid, 0) + 1
        assert self.window.outstanding == len(self.wanted)
        assert self.window.live <= self.bounds.window_blocks
        if self.exact:
            assert self.window.bytes <= self.bounds.window_bytes

    def deliver(self, cids: list[CID]) -> None:
        for cid in cids:
            del self.wanted[cid]
            received = self.window.received(self.graph.blocks[cid])
            # What was given up while it was on the way is not taken in.
            assert received or not self.exact
        self.ask()

    def read(self, count: int | None = None) -> int:
        done = 0
        while count is None or done < count:
            events = self.window.pop()
            if events is None:
                break
            self.events += events
            done += 1
            self.ask(lazily=True)
        if not self.window.done and count is None:
            self.ask()
        return done

    def finish(self, choose: Callable[[list[CID]], list[CID]]) -> list[str]:
        self.read()
        while not self.window.done:
            self.deliver(choose(list(self.wanted)))
            self.read()
        assert not self.wanted
        assert self.window.live == 0
        assert self.window.bytes == 0
        assert self.window._nodes_waiting == 0
        assert self.window._links_ahead == 0
        assert self.window._links_open == 0
        return self.events


def wide(graph: Graph, counts: list[int], size: int = 100, prefix: str = "n") -> Target[str]:
    """A tree whose levels have these numbers of children; its lowest are leaves of `size` bytes."""
    if not counts:
        return graph.leaf(prefix, size)
    children = [wide(graph, counts[1:], size, f"{prefix}.{i}") for i in range(counts[0])]
    return graph.node(prefix, children)


def in_order(target: Target[str], graph: Graph) -> list[str]:
    children = graph.children[target.cid]
    inner = [event for child in children for event in in_order(child, graph)]
    return [target.context, *inner, *([f"/{target.context}"] if children else [])]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("counts", [[], [1], [300], [12, 30], [5, 6, 7], [2] * 8, [1] * 40])
@pytest.mark.parametrize("blocks", [2, 3, 16, 1000])
def test_every_order_of_arrival_gives_reading_order(order: str, counts: list[int], blocks: int) -> None:
    graph = Graph()
    root = wide(graph, counts)
    run = Run(graph, root, DagOptions(window_blocks=blocks, window_bytes=4096))
    assert run.finish(orders(blocks)[order]) == in_order(root, graph)
    assert set(run.times.values()) == {1}


def test_the_window_is_full_whenever_there_is_more() -> None:
    """One block read, one block wanted: between one and fifteen sixteenths of what leaves may use."""
    graph = Graph()
    root = graph.node("root", [graph.leaf(f"leaf {i}") for i in range(2000)])
    run = Run(graph, root, DagOptions(window_blocks=128))
    leaf_limit = 128 - 1 - 128 // 8
    run.deliver([root.cid])
    asked = 1 + len(run.wanted)
    assert run.window.live == leaf_limit
    chance = Random(5)
    while asked < 2001:
        before = len(run.times)
        run.deliver(chance.sample(list(run.wanted), min(len(run.wanted), chance.randint(1, 9))))
        run.read()
        asked = len(run.times)
        if asked < 2001:
            assert run.window.live >= leaf_limit - max(1, leaf_limit // 16)
            assert run.wanted
        assert asked - before <= leaf_limit


def test_outstanding_stays_near_the_window_when_blocks_come_in_order() -> None:
    graph = Graph()
    nodes = [
        graph.node(f"node {n}", [graph.leaf(f"leaf {n}.{i}") for i in range(174)], branch=Branch.SURE)
        for n in range(12)
    ]
    root = graph.node("root", nodes)
    run = Run(graph, root, DagOptions(window_blocks=64))
    run.deliver([root.cid])
    assert list(run.wanted) == [node.cid for node in nodes]
    least = 64
    while len(run.times) < 12 * 175 + 1:
        run.deliver(list(run.wanted)[:1])
        run.read()
        if len(run.times) > 200 and len(run.times) < 12 * 175 + 1:
            least = min(least, len(run.wanted))
    # 64 less the reader's place, less an eighth for nodes, less the sixteenth that is asked for at once.
    assert least >= 64 - 1 - 8 - 4


def test_nodes_are_wanted_before_the_leaves_reach_them() -> None:
    """With two leaves in flight at a time, the node after next is there before the last leaf of this one."""
    graph = Graph()
    nodes = [
        graph.node(f"node {n}", [graph.leaf(f"leaf {n}.{i}") for i in range(10)], branch=Branch.SURE)
        for n in range(200)
    ]
    root = graph.node("root", nodes)
    run = Run(graph, root, DagOptions(window_blocks=16, node_lookahead=40))
    run.deliver([root.cid])
    for n in range(190):
        while f"leaf {n}.9" not in run.events:
            run.deliver(list(run.wanted))
            run.read()
        assert run.times.get(nodes[n + 1].cid) == 1
        assert len(run.times) < (n + 3) * 11 + 16 + 8 + 16


def test_later_blocks_leave_room_for_what_an_unknown_node_leads_to() -> None:
    graph = Graph()
    first = graph.node("first", [graph.leaf(f"a{i}") for i in range(40)])
    root = graph.node("root", [first, *(graph.leaf(f"b{i}") for i in range(200))])
    run = Run(graph, root, DagOptions(window_blocks=64))
    run.deliver([root.cid])
    assert 24 <= len(run.wanted) <= 32
    for _ in range(5):
        run.deliver([cid for cid in run.wanted if cid != first.cid])
        run.read()
    assert list(run.wanted) == [first.cid]
    run.deliver([first.cid])
    assert len(run.wanted) >= 24


def test_bytes_bound_the_window_as_well() -> None:
    graph = Graph()
    root = graph.node("root", [graph.leaf(f"leaf {i}", size=1000) for i in range(100)])
    run = Run(graph, root, DagOptions(window_blocks=1000, window_bytes=20_000))
    run.deliver([root.cid])
    assert 12 <= len(run.wanted) <= 15
    assert len(run.finish(orders(1)["one"])) == 102


def test_a_block_larger_than_the_window_is_read_when_its_turn_comes() -> None:
    graph = Graph()
    root = graph.node("root", [graph.leaf(f"leaf {i}", size=5000) for i in range(5)])
    run = Run(graph, root, DagOptions(window_blocks=10, window_bytes=1024), exact=False)
    run.deliver([root.cid])
    assert len(run.wanted) <= 1
    assert len(run.finish(orders(1)["all"])) == 7


@pytest.mark.parametrize("order", ORDERS)
def test_blocks_bigger_than_the_graph_says_are_given_up_and_wanted_again(order: str) -> None:
    graph = Graph()
    root = graph.node("root", [graph.leaf(f"leaf {i}", size=1000, said=1) for i in range(500)])
    bounds = DagOptions(window_blocks=200, window_bytes=20_000, cache_bytes=0)
    run = Run(graph, root, bounds, exact=False)
    run.deliver([root.cid])
    assert len(run.wanted) > 100
    most = 0
    choose = orders(3)[order]
    while not run.window.done:
        for cid in choose(list(run.wanted)):
            if cid in run.wanted:
                run.deliver([cid])
                # What came, and estimates that are true by now.
                most = max(most, run.window.bytes)
        run.read()
    assert run.events == in_order(root, graph)
    assert most <= 20_000 * 5 // 4 + 1000


def test_what_was_given_up_is_wanted_again_together() -> None:
    """Not one by one as the reader comes to each."""
    graph = Graph()
    root = graph.node("root", [graph.leaf(f"leaf {i}", size=1000, said=1) for i in range(300)])
    run = Run(graph, root, DagOptions(window_blocks=200, window_bytes=20_000, cache_bytes=0), exact=False)
    run.deliver([root.cid])
    for cid in list(run.wanted)[:0:-1]:
        if cid in run.wanted:
            run.deliver([cid])
    rounds = 0
    while not run.window.done:
        run.deliver(list(run.wanted))
        run.read()
        rounds += 1
    assert run.events == in_order(root, graph)
    assert rounds < 60


def test_nodes_that_turn_out_big_are_given_up_too() -> None:
    graph = Graph()
    nodes = [
        graph.node(f"node {n}", [graph.leaf(f"{n}.{i}") for i in range(3)], 3000, branch=Branch.SURE, said=1)
        for n in range(100)
    ]
    root = graph.node("root", nodes)
    bounds = DagOptions(window_blocks=50, window_bytes=10_000, node_lookahead=0, cache_bytes=0)
    for order, choose in orders(7).items():
        run = Run(graph, root, bounds, exact=False)
        assert run.finish(choose) == in_order(root, graph), order


def test_nodes_are_not_wanted_without_end() -> None:
    graph = Graph()
    nodes = [
        graph.node(f"node {n}", [graph.leaf(f"{n}.{i}") for i in range(3)], branch=Branch.SURE)
        for n in range(500)
    ]
    root = graph.node("root", nodes)
    run = Run(graph, root, DagOptions(window_blocks=1000, node_lookahead=174 * 20))
    run.deliver([root.cid])
    assert 10 <= len(run.wanted) <= 20
    assert run.finish(orders(3)["some"]) == in_order(root, graph)


def test_content_inside_a_node_counts_until_it_is_read() -> None:
    graph = Graph()
    inner = graph.node("inner", [graph.leaf("a"), graph.leaf("b")], size=5000)
    root = graph.node("root", [graph.leaf("first"), inner])

    def expand(target: Target[str], data: bytes) -> Expansion[str, str]:
        expansion = graph.expand(target, data)
        expansion.held = target.context == "inner"
        return expansion

    window: Window[str, str] = Window(root, expand, DagOptions())
    window.wants()
    window.received(graph.blocks[root.cid])
    window.wants()
    window.received(graph.blocks[inner.cid])
    assert window.bytes == 5000 + 100
    assert window.pop() == ["root"]
    assert window.pop() is None
    window.wants()
    window.received(graph.blocks[graph.leaf("first").cid])
    assert [window.pop(), window.pop()] == [("first",), ["inner"]]
    assert window.bytes == 200


def test_reading_makes_room_while_nothing_comes() -> None:
    graph = Graph()
    leaves = [graph.leaf(f"leaf {i}") for i in range(1000)]
    root = graph.node("root", leaves)
    run = Run(graph, root, DagOptions(window_blocks=128))
    run.deliver([root.cid])
    run.deliver(list(run.wanted)[:60])
    outstanding = len(run.wanted)
    run.read(count=40)
    part = (128 - 1 - 128 // 8) // 4
    assert len(run.wanted) >= outstanding + 39 - part
    # And not one by one: each time a quarter of the window.
    assert run.asked_often <= 2 + 40 // part + 1


def test_a_block_in_several_places_is_wanted_once() -> None:
    graph = Graph()
    zero = graph.leaf("zero")
    hole = graph.node("hole", [zero] * 20)
    root = graph.node("root", [hole, zero, hole, *([zero] * 50)])
    run = Run(graph, root, DagOptions(window_blocks=30))
    events = run.finish(orders(2)["one"])
    assert events == in_order(root, graph)
    assert run.times == {root.cid: 1, hole.cid: 1, zero.cid: 1}


def test_a_block_read_long_ago_is_wanted_again() -> None:
    graph = Graph()
    zero = graph.leaf("zero")
    others = [graph.leaf(f"leaf {i}") for i in range(100)]
    root = graph.node("root", [zero, *others, zero])
    run = Run(graph, root, DagOptions(window_blocks=10, cache_bytes=300))
    assert run.finish(orders(2)["all"]) == in_order(root, graph)
    assert run.times[zero.cid] == 2
    run = Run(graph, root, DagOptions(window_blocks=10))
    assert run.finish(orders(2)["all"]) == in_order(root, graph)
    assert run.times[zero.cid] == 1


def test_identity_cids_are_not_wanted() -> None:
    graph = Graph()
    inline = CID.v1(0x55, bytes([IDENTITY, 4]) + b"here")
    graph.children[inline] = []
    root = graph.node("root", [Target(inline, "inline", 4, Branch.LEAF), graph.leaf("leaf")])
    run = Run(graph, root, DagOptions())
    assert run.finish(orders(0)["all"]) == ["root", "inline", "leaf", "/root"]
    assert inline not in run.times


def test_unknown_and_repeated_blocks_are_ignored() -> None:
    graph = Graph()
    root = graph.node("root", [graph.leaf("leaf")])
    run = Run(graph, root, DagOptions())
    assert not run.window.received(Block.of(b"stranger"))
    run.deliver([root.cid])
    assert not run.window.received(graph.blocks[root.cid])


def test_deep_graphs_end_in_an_error_without_recursion() -> None:
    graph = Graph()
    target = graph.leaf("bottom")
    for level in range(3000):
        target = graph.node(f"level {level}", [target])
    run = Run(graph, target, DagOptions(max_depth=2500))
    with pytest.raises(DagTooLarge, match="more than 2500 nodes deep"):
        run.finish(orders(0)["all"])
    run = Run(graph, target, DagOptions(max_depth=4000))
    assert len(run.finish(orders(0)["all"])) == 6001


def test_too_many_open_links_end_in_an_error() -> None:
    graph = Graph()
    target = graph.leaf("bottom")
    for level in range(20):
        target = graph.node(f"level {level}", [target, *(graph.leaf(f"{level}.{i}") for i in range(50))])
    run = Run(graph, target, DagOptions(window_blocks=4, max_open_links=500))
    with pytest.raises(DagTooLarge, match="more than 500 links"):
        run.finish(orders(0)["all"])


def test_links_read_ahead_are_bounded() -> None:
    graph = Graph()
    nodes = [graph.node(f"n{n}", [graph.leaf(f"{n}.{i}") for i in range(50)]) for n in range(100)]
    root = graph.node("root", nodes)
    run = Run(graph, root, DagOptions(window_blocks=64, node_lookahead=200))
    run.deliver([root.cid])
    for _ in range(50):
        run.deliver([cid for cid in run.wanted if cid != nodes[0].cid])
    assert run.window._links_ahead <= 200 + 50
    assert list(run.wanted) == [nodes[0].cid]
    assert run.finish(orders(0)["all"]) == in_order(root, graph)


def test_an_unreadable_block_is_told_when_its_turn_comes() -> None:
    graph = Graph()
    bad = graph.node("bad", [])
    root = graph.node("root", [graph.leaf("a"), bad, graph.leaf("b")])

    def expand(target: Target[str], data: bytes) -> Expansion[str, str]:
        if target.context == "bad":
            raise DagError("no good")
        return graph.expand(target, data)

    source = ScriptedSource(graph_store(graph), orders(0)["reversed"])
    events: list[str] = []
    with pytest.raises(DagError, match="no good"):
        events.extend(walk(source, root, expand))
    assert events == ["root", "a"]
    assert not source.wanted


def graph_store(graph: Graph) -> Any:
    class Store:
        def get(self, cid: CID) -> Block:
            return graph.blocks[cid]

    return Store()


def test_closing_a_walk_cancels_what_is_outstanding() -> None:
    graph = Graph()
    root = graph.node("root", [graph.leaf(f"leaf {i}") for i in range(20)])
    source = ScriptedSource(graph_store(graph), orders(0)["first"])
    events = walk(source, root, graph.expand, DagOptions(window_blocks=8))
    assert [next(events), next(events)] == ["root", "leaf 0"]
    outstanding = list(source.wanted)
    assert outstanding
    events.close()
    assert source.cancelled == outstanding


def test_a_source_that_gives_up_is_an_error() -> None:
    graph = Graph()
    root = graph.node("root", [graph.leaf("leaf")])
    source = ScriptedSource(graph_store(graph), lambda wanted: [])
    with pytest.raises(DagError, match="gave up"):
        list(walk(source, root, graph.expand))


FILES = st.binary(max_size=60)
TREES = st.recursive(
    FILES | st.sampled_from(["target", "../x"]),
    lambda inner: st.dictionaries(
        st.text("abAB.é日", min_size=1, max_size=3).filter(lambda n: n.strip(".")), inner, max_size=6
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=150)
@given(
    tree=TREES,
    seed=st.integers(0, 999),
    order=st.sampled_from(ORDERS),
    chunk=st.integers(1, 9),
    links=st.integers(2, 4),
    blocks=st.integers(2, 20),
    size=st.integers(1024, 4096),
    version=st.sampled_from([0, 1]),
    fanout=st.sampled_from([0, 8, 256]),
    lookahead=st.sampled_from([0, 3, 8192]),
    cache=st.sampled_from([0, 50, 10**6]),
)
def test_random_trees_are_read_whole(
    tree: Any, seed: int, order: str, chunk: int, links: int, blocks: int, size: int, version: int,
    fanout: int, lookahead: int, cache: int,
) -> None:  # fmt: skip
    options = ImportOptions(cid_version=version, chunk_size=chunk, max_links=links)
    if fanout:
        options = replace(options, sharding="always", fanout=fanout)
    store, root = put(tree, options)
    bounds = DagOptions(window_blocks=blocks, window_bytes=size, node_lookahead=lookahead, cache_bytes=cache)
    source = ScriptedSource(store, orders(seed)[order])
    assert summary(read_tree(source, root, bounds)) == list(expected(tree, sharded=fanout))
    assert source.most_outstanding <= blocks
    assert not source.wanted
