"""What is over is not kept: no message by a thread that waits, nothing of a connection that is gone."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from bitswap import Bitswap, Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.network.libp2p import Libp2pNetwork
from tests.hostile.town import LISTEN, network_of, node_of
from tests.libp2p.puppet import WAIT
from tests.soak import census
from tests.soak.node import LateRouter

LOOPS = {"bitswap-server": "_work", "bitswap-client": "_run", "bitswap-router": "_run"}
"""Threads that wait for work, and the function in which they do."""
EXPECTED = {"bitswap-server-0", "bitswap-server-1", "bitswap-client", "bitswap-router-0"}
BEFORE = {"self", "now", "when", "pull"}
"""What such a function knows when it waits for the first time, and numbers."""


class SlowStore(MemoryBlockstore):
    """Might wait, as far as a server knows: its worker threads do the answering."""


def waiting() -> Iterator[tuple[str, FrameType]]:
    """The loops of threads that wait now."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        loop = LOOPS.get(thread.name.rpartition("-")[0]) or LOOPS.get(thread.name)
        is_waiting = frame is not None and frame.f_code.co_name == "wait"
        while loop is not None and is_waiting and frame is not None:
            if frame.f_code.co_name == loop:
                yield thread.name, frame
                break
            frame = frame.f_back


def until(node: Bitswap, friend: Bitswap, condition: Callable[[], bool]) -> None:
    """Until it holds; a round trip between looks."""
    for _ in range(20_000):
        if condition():
            return
        friend.network.ping(node.network.self_id)
    raise AssertionError("it never came true")


@pytest.mark.timeout(120)
def test_a_thread_that_waits_keeps_nothing_of_what_it_did() -> None:
    blocks = [Block.of(os.urandom(2000)) for _ in range(20)]
    absent = Block.of(os.urandom(16)).cid
    router = LateRouter()
    with node_of(store=SlowStore()) as giver, node_of() as friend:
        friend.connect(giver.network.addrs[0])
        giver.add_blocks(blocks)
        with Bitswap(Libp2pNetwork([LISTEN]), MemoryBlockstore(), routing=router) as taker:
            taker.connect(giver.network.addrs[0])
            me = taker.network.self_id
            list(taker.get_blocks([block.cid for block in blocks], timeout=WAIT))
            with taker.getter() as getter:
                getter.want([absent])
                until(giver, friend, lambda: absent in giver.wantlist_for_peer(me))
                router.wait_asked({absent}, WAIT)
            # The timers' thread sends the cancel, after a moment.
            until(giver, friend, lambda: not giver.wantlist_for_peer(me))
            until(giver, friend, lambda: {name for name, _ in waiting()} >= EXPECTED)
            kept = {f"{name}: {key}" for name, frame in waiting() for key in frame.f_locals.keys() - BEFORE}
            assert kept == set()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("security", ["tls", "noise"])
def test_nothing_is_kept_of_a_connection_that_is_gone(security: str) -> None:
    with node_of(security=security) as node:
        with node_of(security=security) as friend:
            friend.connect(node.network.addrs[0])
            peers, me = network_of(node)._swarm.peers, friend.network.self_id
            until(node, friend, lambda: me in peers and peers[me].identified)
        gone = threading.Event()
        reactor = network_of(node)._reactor
        assert reactor is not None

        def look() -> None:
            reactor.call(gone.set if not node.peers() else look)

        reactor.call(look)
        assert gone.wait(20)
        after = threading.Event()
        reactor.call(after.set)
        assert after.wait(20)
        assert census.objects().get("network.libp2p.link.Link", 0) == 0
