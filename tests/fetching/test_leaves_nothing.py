"""What has ended is gone: no session, want, timer or entry of a map stays behind."""

from __future__ import annotations

import gc
import threading
from collections import Counter

import pytest

from bitswap import Client
from bitswap.blockstore import MemoryBlockstore
from bitswap.options import ClientOptions
from bitswap.testinstance import instances
from bitswap.testnet import LoopbackHub, VirtualNetwork, VirtualNode, fixed
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.swarm import contents, leftovers
from tests.sizes import LONG

SESSIONS = 12_000 if LONG else 2000
SERVING = "bitswap.decision."
BOUNDED = ("_queues", "_alone", "_unwanted", "_remembered")
"""What has an entry a connected peer, or a bound in the options."""


def objects() -> Counter[str]:
    """How many objects of each class of the fetching half there are.

    Those of the serving half are counted in its own tests: it has a queue for every peer that once asked.
    """
    gc.collect()
    kinds = (type(thing) for thing in gc.get_objects())
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
    return Counter(name for name in names if name.startswith("bitswap.") and not name.startswith(SERVING))


def world(others: int = 3) -> tuple[VirtualNetwork, VirtualNode, list[VirtualNode]]:
    net = VirtualNetwork(delay=fixed(0.01), wire=False)
    ours = net.node("ours", serves=False)
    nodes = [net.node(f"n{index}") for index in range(others)]
    for node in nodes:
        net.connect(ours, node)
    return net, ours, nodes


def emptied(node: VirtualNode) -> dict[str, int]:
    """The containers of the fetching half, without those of connected peers and memories of bounded size."""
    return {
        path: size for path, size in contents(node.wants).items() if not any(name in path for name in BOUNDED)
    }


class TestThousandsOfSessions:
    """Opened, used and closed; the counts of objects before and after are the same."""

    @pytest.mark.parametrize("others", [0, 1, 5, 40])
    def test_that_find_nothing(self, others: int) -> None:
        net, ours, _ = world(others)
        absent = cids_of(make_blocks(50))

        def use(number: int) -> None:
            session = ours.session()
            ours.fetch([absent[number % 50]], session)
            if number % 10 == 0:
                net.run(seconds=0.005)
            ours.close_session(session)

        use(0)
        net.run(seconds=200)
        before = objects()
        for number in range(SESSIONS):
            use(number)
        assert ours.wants.wantlist() == []
        net.run(seconds=200)
        assert leftovers(net) == []
        assert emptied(ours) == {}
        assert objects() - before == Counter()

    def test_that_find_everything(self) -> None:
        net, ours, nodes = world()
        blocks = make_blocks(200)
        for node in nodes:
            node.add(*blocks)

        def use(number: int) -> None:
            session = ours.session()
            fetch = ours.fetch([blocks[number % 200].cid], session)
            if number % 3:
                net.run(lambda: fetch.done)
                assert len(fetch.blocks) == 1
            ours.close_session(session)

        use(1)
        net.run(seconds=200)
        before = objects()
        for number in range(SESSIONS):
            use(number)
        net.run(seconds=200)
        assert leftovers(net) == []
        assert emptied(ours) == {}
        assert objects() - before == Counter()

    def test_that_are_open_at_the_same_time(self) -> None:
        net, ours, nodes = world()
        blocks = make_blocks(200)
        nodes[0].add(*blocks[:100])
        before = objects()

        def use() -> None:
            fetches = [ours.fetch([blocks[number % 200].cid]) for number in range(SESSIONS)]
            net.run(seconds=10)
            assert [fetch.done for fetch in fetches] == [number % 200 < 100 for number in range(SESSIONS)]
            for fetch in fetches:
                ours.close_session(fetch.session)

        use()
        assert ours.wants.wantlist() == []
        net.run(seconds=200)
        assert leftovers(net) == []
        assert emptied(ours) == {}
        assert objects() - before == Counter()

    @pytest.mark.timeout(120)
    def test_of_a_real_client(self) -> None:
        """With its lock, its timers and a network that has a thread."""
        with LoopbackHub() as hub, Client(hub.network("ours")) as client:
            other = hub.network("other")
            client.network.start(client)
            other.start(client)
            client.network.connect("/loopback/other")
            cids = cids_of(make_blocks(50))

            def use(number: int) -> None:
                with client.new_session() as session, session.getter() as getter:
                    getter.want(cids[number % 50 : number % 50 + 3])

            use(0)
            before = objects()
            threads = threading.active_count()
            for number in range(SESSIONS):
                use(number)
            assert client.wantlist() == []
            assert threading.active_count() <= threads + 1
            after = objects() - before
            # Timers of the last seconds are forgotten when they are due, and no session stays for one.
            assert after["bitswap.session.session.Session"] <= 10
            assert after["bitswap.notifications.Subscription"] <= 10
            assert after["bitswap.getter.Getter"] <= 10


class TestWhileTimeStands:
    """Nothing that is closed waits for its timer to be forgotten."""

    def test_closed_sessions_are_gone_at_once(self) -> None:
        net, ours, _ = world(40)
        absent = cids_of(make_blocks(50))
        net.run(seconds=1)
        before = objects()
        for number in range(2000):
            session = ours.session()
            ours.fetch(absent, session)
            if number % 100 == 0:
                net.run(seconds=0.001)
            ours.close_session(session)
        del session
        after = objects() - before
        assert after["bitswap.session.session.Session"] <= 10
        assert after["bitswap.session.want.Want"] <= 500


@pytest.mark.timeout(120)
def test_a_node_with_a_store_forgets_its_sessions() -> None:
    with instances(2) as (ours, theirs):
        blocks = make_blocks(100)
        theirs.add_blocks(blocks)
        assert isinstance(ours.store, MemoryBlockstore)
        assert len(list(ours.get_blocks(cids_of(blocks), timeout=20))) == 100
        before = objects()
        for number in range(2000):
            with ours.new_session() as session:
                assert session.get_block(blocks[number % 100].cid, timeout=20) == blocks[number % 100]
        del session
        after = objects() - before
        assert after["bitswap.session.session.Session"] <= 10
        assert ours.wantlist() == []


def test_peers_that_come_and_go_leave_nothing() -> None:
    """Each of them gave a block."""
    net = VirtualNetwork(delay=fixed(0.01), wire=False)
    ours = net.node("ours", client=ClientOptions(max_peer_records=10))
    session = ours.session()
    blocks = make_blocks(30)
    before: Counter[str] = Counter()
    for number in range(3000 if LONG else 1000):
        theirs = net.node("theirs")
        theirs.add(blocks[number % 30])
        net.connect(ours, theirs)
        fetch = ours.fetch([blocks[number % 30].cid], session)
        assert net.run(lambda fetch=fetch: fetch.done, seconds=5)  # type: ignore[misc]
        net.disconnect(ours, theirs)
        del net.nodes["theirs"]
        if number == 100:
            net.run(seconds=200)
            before = objects()
    net.run(seconds=200)
    assert emptied(ours).keys() == {"._sessions._sessions"} | {
        path for path in emptied(ours) if "_known" in path or "lost" in path
    }
    assert objects() - before == Counter()
