"""Large tables in the compiled core: hundreds of thousands of wants, thousands of peers, growth and emptying.

Too much for the model; so each want is written down in a plain dict, which is enough while nobody has too
many, and the core looks over itself. `python -m tests.differential.soak --operations 200000`.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

from bitswap._core.wire_c import Message
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.implementations import implementations
from bitswap.options import ServerOptions

PEERS = 2000
POPULAR = 40
"""CIDs that nearly everybody wants."""
SHARED = 400
"""CIDs that some ten to thirty want."""
SLACK = 256 * 1024
"""Bytes that a core keeps, so that memory does not come and go with single wants."""
MISSING = 0.6
"""Share of the CIDs that are not in the store at first."""


def cid(number: int) -> CID:
    """One in sixteen is longer than the others."""
    digest = (number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big") * 4
    head = b"\x01\x55\x12\x20" if number % 16 else b"\x01\x55\x13\x28"
    return CID.from_trusted(head + digest + (b"" if number % 16 else digest[:8]))


class Soak:
    def __init__(
        self, seed: int, cids: int, options: ServerOptions | None = None, peers: int = PEERS
    ) -> None:
        self.random = random.Random(seed)
        self.exact = options is None
        """Nobody has too many wants, so that what is wanted is known."""
        self.core: Any = implementations()["c"].DecisionCore(options or ServerOptions(), seed, 3)
        self.at_first = self.core.memory()
        self.cids = [cid(number) for number in range(cids)]
        self.peers = [f"peer {number}" for number in range(peers)]
        self.wants: dict[str, dict[CID, int]] = {}
        self.store = {name for number, name in enumerate(self.cids) if number % 100 >= MISSING * 100}
        self.out: list[tuple[Any, list[CID]]] = []
        self.now = 1000.0
        self.operations = 0
        self.most = self.peak = 0
        """Wants at once, and bytes held, at most."""

    # Operations

    def run(self, operations: int, cancels: float) -> None:
        """So many operations; `cancels` is the share of entries that withdraw."""
        actions = [self.message, self.serve, self.end, self.notify, self.leave, self.vanish]
        chosen = self.random.choices(actions, [500, 300, 280, 30, 4, 5], k=operations)
        for place, action in enumerate(chosen):
            if action == self.message:
                self.message(cancels)
            else:
                action()
            self.now += 0.001
            if place % 20_000 == 0:
                self.check()
        self.operations += operations
        self.check()

    def message(self, cancels: float = 0.1) -> None:
        rng = self.random
        peer = rng.choice(self.peers)
        mine = self.wants.setdefault(peer, {})
        message = Message(rng.random() < 0.001)
        if message.full:
            mine.clear()
        for wanted in self._some(rng.randint(1, 40)):
            if wanted in mine and rng.random() < 0.5:
                continue
            kind = rng.random() < 0.3
            message.add_entry(wanted, rng.randint(0, 9), kind, rng.random() < 0.5)
            mine[wanted] = kind
        for gone in rng.sample(list(mine), int(len(mine) * cancels)):
            message.cancel(gone)
            del mine[gone]
        lookup = self.core.lookup(message)
        sizes = [200 if wanted in self.store else None for wanted in lookup.cids]
        self.core.message_received(peer, lookup, sizes, self.now)
        self.most = max(self.most, self.core.counts().wants)

    def _some(self, count: int) -> list[CID]:
        """Different CIDs, of which some are popular."""
        rng = self.random
        found = {rng.choice(self.cids) for _ in range(count)}
        found.update(self.cids[rng.randrange(SHARED)] for _ in range(count // 8))
        found.update(self.cids[rng.randrange(POPULAR)] for _ in range(2))
        return list(found)

    def serve(self) -> None:
        envelope = self.core.next_envelope(self.now)
        if envelope is None:
            self.now += 1.0
            return
        blocks = [Block(wanted, b"x" * 200) if wanted in self.store else None for wanted in envelope.cids]
        message = self.core.fill(envelope, blocks)
        if message is None:
            return
        mine = self.wants.get(envelope.peer, {})
        answered = [block.cid for block in message.blocks() if mine.pop(block.cid, None) is not None]
        for name in message.haves():
            if mine.get(name):
                del mine[name]
                answered.append(name)
        self.out.append((envelope, answered))

    def end(self, sent: bool | None = None) -> None:
        if not self.out:
            return
        envelope, _ = self.out.pop(self.random.randrange(len(self.out)))
        # A failed send would put wants back, which the dict knows nothing of.
        if sent or not self.exact or self.random.random() < 0.999:
            self.core.envelope_sent(envelope, self.now)
        else:
            self.leave(envelope.peer)
            assert not self.core.envelope_failed(envelope, self.now)
        if not self.exact and self.random.random() < 0.05 and self.out:
            self.core.envelope_failed(self.out.pop()[0], self.now)

    def notify(self) -> None:
        found = self._some(10)
        self.store.update(found)
        self.core.notify_new_blocks(dict.fromkeys(found, 200), self.now)

    def vanish(self) -> None:
        self.store.difference_update(self._some(3))

    def leave(self, peer: str | None = None) -> None:
        peer = peer or self.random.choice(self.peers)
        self.core.peer_disconnected(peer)
        self.wants.pop(peer, None)

    def comes_back(self, held: int) -> None:
        """What is held without wants is a small part of what they took."""
        assert held <= self.at_first + SLACK + self.peak // 32, f"{held} bytes are held, {self.peak} were"

    # Phases

    def drain(self) -> None:
        """End what is under way, and send all that is owed."""
        while self.out:
            self.end(True)
        self.now += 1000.0
        while self.core.ready:
            self.serve()
            while self.out:
                self.end(True)
        self.check()
        assert self.core.counts()[1:3] == (0, 0)

    def empty(self) -> int:
        """Everybody leaves; returns the bytes that are held then."""
        while self.out:
            self.end(True)
        for peer in self.peers:
            self.leave(peer)
        self.core.blocks_removed(self.cids)
        self.check()
        assert self.core.counts()[:3] == (0, 0, 0)
        assert not self.core.peers()
        held: int = self.core.memory()
        return held

    def check(self) -> None:
        self.core.check()
        self.peak = max(self.peak, self.core.memory())
        if not self.exact:
            return
        assert self.core.counts().wants == sum(map(len, self.wants.values()))
        for peer in self.random.sample(self.peers, 20):
            assert set(self.core.wantlist_for_peer(peer)) == self.wants.get(peer, {}).keys()


def soak(seed: int, operations: int, cids: int = 300_000) -> Soak:
    """Grow, churn, empty, and again; the core must end with the memory with which it began."""
    run = Soak(seed, cids)
    run.run(operations // 2, 0.02)
    run.drain()
    run.run(operations // 4, 0.5)
    held = run.empty()
    run.comes_back(held)
    run.run(operations // 8, 0.1)
    assert run.empty() <= held + SLACK, "memory grows from one time to the next"
    crowded(seed, operations // 8, cids)
    return run


def crowded(seed: int, operations: int, cids: int) -> None:
    """Wants that have to go, known blocks that have to be forgotten, little memory for each peer."""
    options = ServerOptions(
        max_wantlist_entries=60,
        min_wantlist_entries=10,
        max_total_wantlist_entries=5000,
        max_known_blocks=2000,
        target_message_size=600,
    )
    run = Soak(seed, cids // 50, options, 300)
    run.core.renumber_at(500)
    for _ in range(8):
        known = run.random.sample(run.cids, 3000 if len(run.cids) > 3000 else len(run.cids))
        run.core.blocks_stored(dict.fromkeys(known, 200))
        run.run(operations // 8, 0.1)
        run.core.blocks_removed(known[:1500])
    assert run.core.counts().wants_refused
    run.drain()
    run.comes_back(run.empty())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.differential.soak", description=__doc__)
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cids", type=int, default=300_000)
    args = parser.parse_args()
    began = time.perf_counter()
    run = soak(args.seed, args.operations, args.cids)
    seconds = time.perf_counter() - began
    most = f"up to {run.most} wants in {run.peak} bytes"
    print(f"{args.operations} operations, seed {args.seed}: {most}, in {seconds:.1f} s")


if __name__ == "__main__":
    main()
