"""A node that is attacked, a friend whose transfers with it must go on meanwhile, and what the node holds."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from bitswap import Bitswap, Options
from bitswap.block import Block
from bitswap.blockstore import Blockstore, MemoryBlockstore
from bitswap.cid import CID
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import KIB
from tests.libp2p.puppet import WAIT, Puppet

LISTEN = "/ip4/127.0.0.1/tcp/0"
BITSWAP = "/ipfs/bitswap/1.2.0"
ROUNDS = 2
"""Transfers, each way, that must begin and end while an attack goes on."""
COUNT = 20
SIZE = 4 * KIB
TRANSFER = COUNT * (SIZE + 64)
"""Bytes of a message that brings all blocks of a transfer: what of the friend's may be there in part."""


class Holdings(NamedTuple):
    """What a node keeps for its peers, by its own count, in bytes and in number."""

    buffered: int
    control: int
    """Bytes of answers to yamux frames, over all connections."""
    queued: int
    """Bytes of messages and other payload that wait to be sent."""
    wants: int
    tasks: int


def holdings(node: Bitswap) -> Holdings:
    network = network_of(node)
    sessions = [link.connection.session for link in list(network._swarm._links)]
    stat = node.server.stat() if node.server is not None else None
    return Holdings(
        network._host.buffered,
        sum(len(session._control) for session in sessions),
        sum(session.queued for session in sessions),
        stat.wants if stat is not None else 0,
        stat.pending_tasks if stat is not None else 0,
    )


def network_of(node: Bitswap) -> Libp2pNetwork:
    assert isinstance(node.network, Libp2pNetwork)
    return node.network


def node_of(
    options: Options | None = None, store: Blockstore | None = None, *, security: str = "tls"
) -> Bitswap:
    """A node on a loopback port of the system's choice."""
    options = options or Options()
    network = Libp2pNetwork([LISTEN], security=[security], options=options.network)
    return Bitswap(network, MemoryBlockstore() if store is None else store, options)


class Town:
    """`node` is what a test attacks; `friend` is connected to it, and each fetches from the other."""

    def __init__(self, node: Bitswap, friend: Bitswap) -> None:
        self.node = node
        self.friend = friend
        friend.connect(self.address)

    @property
    def address(self) -> str:
        return self.node.network.addrs[0]

    def transfer(self, count: int = COUNT, size: int = SIZE) -> None:
        """Fresh blocks, each way, all of them; attackers are not asked: their silence would take time."""
        for giver, taker in ((self.node, self.friend), (self.friend, self.node)):
            blocks = [Block.of(os.urandom(size)) for _ in range(count)]
            giver.add_blocks(blocks)
            with taker.new_session([giver.network.self_id], broadcast=False) as session:
                got = list(session.get_blocks([block.cid for block in blocks], timeout=WAIT))
            assert {block.cid for block in got} == {block.cid for block in blocks}

    def under(self, attack: Callable[[], None]) -> Holdings:
        """Repeat `attack` until transfers that began during it are through; the most held meanwhile."""
        attack()
        most = holdings(self.node)
        over = threading.Event()
        failures: list[BaseException] = []

        def go() -> None:
            try:
                for _ in range(ROUNDS):
                    self.transfer()
            except BaseException as error:
                failures.append(error)
            finally:
                over.set()

        thread = threading.Thread(target=go, name="transfers")
        thread.start()
        try:
            while not over.is_set():
                attack()
                most = Holdings(*map(max, most, holdings(self.node)))
        finally:
            thread.join()
        if failures:
            raise failures[0]
        return most

    def until(self, condition: Callable[[], bool]) -> None:
        """Until `condition` holds; transfers go on meanwhile, so that each look is at a node that moves."""
        for _ in range(20_000):
            if condition():
                return
            self.transfer(1)
        raise AssertionError("it never came true")


class Hose:
    """Says anything inside a puppet's secure channel as fast as the other side takes it, and no faster."""

    def __init__(self, puppet: Puppet, *, reads: bool) -> None:
        """`reads`: takes what comes off the socket and throws it away; else never reads."""
        self.puppet = puppet
        self.closed = False
        self.poured = 0
        """Bytes of plaintext handed to the channel."""
        self._reads = reads
        self._out: deque[memoryview] = deque()
        puppet.flush()
        puppet.sock.setblocking(False)

    def pour(self, data: bytes) -> None:
        """Send `data` after what is left of before; some of it may be left for the next call."""
        if self.closed:
            return
        if not self._out:
            channel = self.puppet.connection._channel
            assert channel is not None
            channel.write([data])
            self._out.extend(memoryview(chunk) for chunk in channel.data_to_send())
            self.poured += len(data)
        sock = self.puppet.sock
        readable, writable, _ = select.select([sock] if self._reads else [], [sock], [], 0.01)
        try:
            if readable and not sock.recv(256 * KIB):
                self.closed = True
            while writable and self._out:
                sent = sock.send(self._out[0])
                self._out[0] = self._out[0][sent:]
                if not self._out[0]:
                    self._out.popleft()
        except BlockingIOError:
            pass
        except ConnectionError:
            self.closed = True


def absent(count: int) -> list[CID]:
    """Names of blocks that nobody has."""
    return [Block.of(os.urandom(16)).cid for _ in range(count)]
