"""Many peers that want more than is kept: `python -m tests.scenarios.flood` pours 30 million wants in.

What must hold: the wants and answers kept stay below what the options say, and so does the memory; each peer
keeps what it asks for most; a message is one call of the engine and does not take it long.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bitswap import varint
from bitswap.cid import CID
from bitswap.decision.engine import Engine
from bitswap.decision.implementations import implementations
from bitswap.options import MAX_FRAME, ServerOptions

PREFIX = b"\x01\x55\x12\x20"
DIGEST = 32
LEAST = 1 << 20
"""The lowest priority sent; all that are sent take three bytes."""
ENTRY = (
    b"\x0a\x2c"  # an entry of 44 bytes
    + b"\x0a\x24"  # its CID
    + PREFIX
    + b"\x5a" * DIGEST
    + b"\x10\x80\x80\x40"  # its priority
    + b"\x28\x01"  # DONT_HAVE is asked for
)
AT_NUMBER, AT_PEER, AT_PRIORITY = 8, 11, 41
"""Where in an entry the number of the want (3 bytes), that of the peer (2 bytes) and the priority are."""
LARGEST = (MAX_FRAME - 16) // len(ENTRY)
"""Wants that fit into a message."""
STRIDE = 7919
"""Prime to the number of wants: priorities go up and down."""


@dataclass(frozen=True)
class Flood:
    peers: int = 600
    wants: int = 50_000
    """Of each peer; every other block is there."""
    per_message: int = 5000
    options: ServerOptions = field(default_factory=ServerOptions)

    def priority(self, number: int) -> int:
        """Of the want with this number; different for all wants of a peer."""
        return number * STRIDE % self.wants

    def kept(self, count: int) -> set[int]:
        """Numbers of the `count` wants with the highest priorities."""
        return set(sorted(range(self.wants), key=self.priority)[-count:]) if count else set()

    @property
    def most_wants(self) -> int:
        """Wants kept at most: the room of all, and each peer's smaller share once it is used up."""
        return self.options.max_total_wantlist_entries + self.peers * self.options.min_wantlist_entries

    @property
    def most_answers(self) -> int:
        """Answers queued at most: to each want, to as many that are refused, and some more for each peer."""
        return 2 * self.most_wants + self.peers * self.options.min_wantlist_entries


def name(peer: int) -> str:
    return f"peer {peer}"


def number_of(cid: CID) -> int:
    """The number of a want."""
    return int.from_bytes(cid.bytes[4:7], "big")


def bodies(flood: Flood) -> Iterator[tuple[int, bytes]]:
    """(peer, body) of every message; peers take turns."""
    if not flood.per_message <= LARGEST or flood.wants >= 1 << 20 or flood.wants % STRIDE == 0:
        raise ValueError("the messages are too long, or the wants too many")
    for start in range(0, flood.wants, flood.per_message):
        numbers = range(start, min(start + flood.per_message, flood.wants))
        entries = bytearray(ENTRY * len(numbers))
        for place in range(3):
            entries[AT_NUMBER + place :: len(ENTRY)] = bytes(n >> 8 * (2 - place) & 0xFF for n in numbers)
        priorities = [varint.encode(LEAST + flood.priority(number)) for number in numbers]
        for place in range(3):
            entries[AT_PRIORITY + place :: len(ENTRY)] = bytes(code[place] for code in priorities)
        head = b"\x0a" + varint.encode(len(entries))
        for peer in range(flood.peers):
            for place, byte in enumerate(peer.to_bytes(2, "big")):
                entries[AT_PEER + place :: len(ENTRY)] = bytes([byte]) * len(numbers)
            yield peer, head + bytes(entries)


@dataclass
class Outcome:
    """What became of a flood; its engine is still full."""

    engine: Engine
    messages: int = 0
    most_pending: int = 0
    """Answers queued, at most, as seen after each round of messages."""
    seconds: list[float] = field(default_factory=list)
    """Of each call."""
    growth: int = 0
    """Bytes by which the process grew."""


def pour(flood: Flood, implementation: str) -> Outcome:
    """Take in all messages, and send nothing."""
    engine = Engine("us", flood.options, 1, implementation=implementation)
    outcome = Outcome(engine)
    every_other: dict[int, list[int | None]] = {}

    def sizes(cids: list[CID]) -> list[int | None]:
        count = len(cids)
        found = every_other.get(count)
        if found is None:
            found = every_other[count] = [256 if place % 2 else None for place in range(count)]
        return found

    gc.collect()
    before = resident()
    for peer, body in bodies(flood):
        start = time.perf_counter()
        engine.receive(name(peer), body, sizes, float(outcome.messages))
        outcome.seconds.append(time.perf_counter() - start)
        outcome.messages += 1
        if peer == flood.peers - 1:
            outcome.most_pending = max(outcome.most_pending, engine.stat.pending_tasks)
    outcome.growth = resident() - before
    return outcome


def resident() -> int:
    """Bytes of memory that the process has, 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0
    import resource

    return int(status.read_text().split()[1]) * resource.getpagesize()


def in_core(engine: Engine) -> int:
    """Bytes that a compiled core holds."""
    return int(engine._core.memory())  # type: ignore[attr-defined]


def misplaced(flood: Flood, engine: Engine) -> int:
    """Peers that did not keep exactly their highest priorities."""
    wrong = 0
    highest: dict[int, set[int]] = {}
    for peer in range(flood.peers):
        wantlist = engine.wantlist_for_peer(name(peer))
        count = len(wantlist)
        if count not in highest:
            highest[count] = flood.kept(count)
        wrong += {number_of(cid) for cid in wantlist} != highest[count]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, default=600)
    parser.add_argument("--wants", type=int, default=50_000, help="of each peer")
    parser.add_argument("--per-message", type=int, default=5000)
    parser.add_argument("--implementation", choices=sorted(implementations()), default="c")
    args = parser.parse_args()
    flood = Flood(args.peers, args.wants, args.per_message)
    outcome = pour(flood, args.implementation)
    stat = outcome.engine.stat
    sent = flood.peers * flood.wants
    # A want and the answer to it are one record; what is refused has an answer and no want.
    held = max(stat.wants, stat.pending_tasks)
    counts = sorted(len(outcome.engine.wantlist_for_peer(name(peer))) for peer in range(flood.peers))
    print(f"{flood.peers:,} peers x {flood.wants:,} wants = {sent:,} in {outcome.messages:,} messages")
    print(
        f"kept: {stat.wants:,} wants (at most {flood.most_wants:,}); {counts[0]:,} to {counts[-1]:,} a peer"
    )
    print(f"answers queued: {stat.pending_tasks:,}; most at a time {outcome.most_pending:,}")
    print(f"peers without exactly their highest priorities: {misplaced(flood, outcome.engine)}")
    print(f"process grew by {outcome.growth / 1e6:,.0f} MB: {outcome.growth / held:,.0f} B a want or refusal")
    if args.implementation == "c":
        memory = in_core(outcome.engine)
        print(f"the core holds {memory / 1e6:,.0f} MB: {memory / held:,.0f} B a want or refusal")
    total = sum(outcome.seconds)
    longest, usual = max(outcome.seconds), statistics.median(outcome.seconds)
    print(f"{total:.1f} s in the engine: {total / sent * 1e9:,.0f} ns a want; ", end="")
    print(f"a message of {flood.per_message:,}: {usual * 1e3:.2f} ms, the longest {longest * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
