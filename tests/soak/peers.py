"""The peers, as a process of their own: `python -m tests.soak.peers`.

Each line of standard input is a command, JSON, with a number; its answer has that number. Commands run beside
each other. What a command is about is named by the caller, so that a peer lives over several commands.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

from bitswap import Bitswap, Block, Options
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.errors import BitswapError, Timeout
from bitswap.getter import BlockGetter
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import MIB, NetworkOptions, ServerOptions
from bitswap.testutils import make_blocks
from tests.soak.census import memory, process_counts
from tests.soak.rude import KINDS, Visit
from tests.soak.stalls import Stalls

WORKERS = 24
"""Commands beside each other."""
PATIENCE = 60.0
"""Seconds for anything."""
LISTEN = "/ip4/127.0.0.1/tcp/0"
_RESET = struct.pack("ii", 1, 0)


class WatchedStore(MemoryBlockstore):
    """Tells how many blocks were read to be served, and stops serving after some when told so."""

    def __init__(self, most: int | None) -> None:
        super().__init__()
        self._most = most
        self._read = 0
        self._changed = threading.Condition()
        self._over = False

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        with self._changed:
            self._read += len(cids)
            self._changed.notify_all()
            if self._most is not None and self._read > self._most:
                self._changed.wait_for(lambda: self._over, PATIENCE)
        return super().get_many(cids)

    def wait_read(self, count: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._read >= count or self._over, PATIENCE):
                raise TimeoutError(f"{self._read} of {count} blocks were asked for")

    def release(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()


class Mute:
    """Listens, and says nothing to whoever comes."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"/ip4/127.0.0.1/tcp/{self.server.getsockname()[1]}"

    def close(self) -> None:
        self.server.close()


class Peers:
    """All peers of this process."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[Bitswap, WatchedStore]] = {}
        self._mute: dict[str, Mute] = {}
        self._leave: dict[str, threading.Event] = {}
        self._getters: dict[str, BlockGetter] = {}

    def up(
        self, name: str, security: str, listen: bool = True, most: int | None = None, window: int = 16 * MIB
    ) -> dict[str, Any]:
        """A node; with `most` it serves that many blocks and then hangs until `release`."""
        limits = NetworkOptions(
            linger=0.2, raise_descriptor_limit=False, receive_window=window, stream_timeout=30.0
        )
        network = Libp2pNetwork([LISTEN] if listen else [], security=[security], options=limits)
        store = WatchedStore(most)
        options = Options(network=limits, server=ServerOptions(task_workers=1))
        self._nodes[name] = Bitswap(network, store, options), store
        return {"id": network.self_id, "addrs": list(network.addrs)}

    def add(self, name: str, seed: str, count: int, size: int) -> None:
        self._nodes[name][0].add_blocks(make_blocks(count, size, seed))

    def remove(self, name: str, seed: str, count: int, size: int) -> None:
        """What `add` added."""
        for block in make_blocks(count, size, seed):
            self._nodes[name][1].delete(block.cid)

    def dial(self, name: str, to: str) -> None:
        self._nodes[name][0].connect(to, PATIENCE)

    def fetch(
        self, name: str, peer: str | None, cids: list[str], timeout: float, stop: int | None = None
    ) -> dict[str, Any]:
        """Fetch all, or `stop` and cancel the rest, from `peer` alone or from whoever has them.

        Every block is verified against its CID.
        """
        node, store = self._nodes[name]
        wanted = {CID(text) for text in cids}
        got: dict[CID, int] = {}
        error = ""
        named = None if peer is None else [peer]
        with node.new_session(named, broadcast=peer is None) as session, session.getter(timeout) as getter:
            getter.want(wanted)
            try:
                while len(got) < len(wanted if stop is None else range(stop)):
                    for block in getter.take():
                        block.verify()
                        if block.cid not in wanted or block.cid in got:
                            raise AssertionError(f"{block.cid} came unasked or twice")
                        got[block.cid] = len(block.data)
            except BitswapError as failure:
                error = type(failure).__name__
        for cid in got:
            store.delete(cid)
        return {"blocks": len(got), "bytes": sum(got.values()), "error": error}

    def want(self, name: str, cids: list[str]) -> None:
        """Want these of everybody, until `unwant`."""
        getter = self._nodes[name][0].getter(PATIENCE)
        getter.want(CID(text) for text in cids)
        self._getters[name] = getter

    def unwant(self, name: str) -> None:
        """Take back, one half first, what `want` wanted."""
        with self._getters.pop(name) as getter:
            getter.cancel(self._nodes[name][0].wantlist()[::2])

    def nothing(self) -> None:
        """Answers."""

    def wait_read(self, name: str, count: int) -> None:
        self._nodes[name][1].wait_read(count)

    def release(self, name: str) -> None:
        self._nodes[name][1].release()

    def down(self, name: str, reset: bool = False) -> None:
        """Close it; with `reset` without the usual end of its sockets."""
        node, store = self._nodes.pop(name)
        if reset:
            swarm = node.network._swarm  # type: ignore[attr-defined]
            for link in list(swarm._links):
                # The other side may have hung up already.
                with suppress(OSError):
                    link._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        store.release()
        node.close()

    def mute(self, name: str) -> dict[str, Any]:
        """A listener that says nothing, until `unmute`."""
        self._mute[name] = Mute()
        return {"address": self._mute[name].address}

    def unmute(self, name: str) -> None:
        self._mute.pop(name).close()

    def nobody(self) -> dict[str, Any]:
        """An address where nobody listens."""
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            return {"address": f"/ip4/127.0.0.1/tcp/{server.getsockname()[1]}"}

    def rude(self, name: str, kind: str, to: str, security: str, cids: list[str]) -> None:
        """A rude peer, from its coming to its end; one that waits to be told waits for `leave`."""
        leave = self._leave[name] = threading.Event()
        try:
            KINDS[kind](Visit(to, security, [CID(text) for text in cids], leave, PATIENCE))
        finally:
            del self._leave[name]

    def leave(self, name: str) -> None:
        event = self._leave.get(name)
        if event is not None:
            event.set()

    def sweep(self, keep: list[str]) -> None:
        """Close all but these: what failed in the middle left some behind."""
        for name in self._nodes.keys() - set(keep):
            self.down(name)

    def sample(self) -> dict[str, Any]:
        """What this process holds, with no peer but those that stay."""
        return {"nodes": len(self._nodes), "exact": process_counts(), "memory": memory()}

    def close(self) -> None:
        for name in list(self._nodes):
            self.down(name)
        for mute in self._mute.values():
            mute.close()


def _answer(
    peers: Peers, stalls: Stalls, command: dict[str, Any], say: Callable[[dict[str, Any]], None]
) -> None:
    number, what = command.pop("number"), command.pop("do")
    try:
        found = getattr(peers, what)(**command) or {}
    except (BitswapError, OSError, AssertionError, Timeout) as error:
        found = {"failed": f"{type(error).__name__}: {error}"}
    except Exception as error:
        found = {"failed": f"unforeseen {type(error).__name__}: {error!r}"}
    say({"number": number, "cpu": time.process_time(), "stalls": stalls.count, **found})


def main() -> None:
    lock = threading.Lock()
    peers = Peers()

    def say(record: dict[str, Any]) -> None:
        with lock:
            print(json.dumps(record), flush=True)

    with Stalls() as stalls, ThreadPoolExecutor(WORKERS) as pool:
        for line in sys.stdin:
            pool.submit(_answer, peers, stalls, json.loads(line), say)
    peers.close()


if __name__ == "__main__":
    main()
