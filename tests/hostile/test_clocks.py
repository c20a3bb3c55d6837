"""Clocks: no part of a node knows what day it is, and leaps of time harm nobody."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

import bitswap
from bitswap import Bitswap
from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.clock import SystemClock, VirtualClock
from bitswap.decision.inbox import Inboxes
from bitswap.decision.ratelimit import RateLimit
from bitswap.message import Message, WantType
from bitswap.network.libp2p.timers import Timers
from bitswap.options import ServerOptions
from bitswap.testnet.loopback import LoopbackHub
from tests.decision.support import ALPHABET, Node

pytestmark = pytest.mark.timeout(60)

SOURCE = Path(bitswap.__file__).parent
WAIT = 20.0
LEAP = 1e7
"""Seconds, about four months: a laptop that wakes up."""

CALENDAR = {"time", "time_ns", "localtime", "gmtime", "ctime", "now", "utcnow", "today"}
"""What `time`, `datetime` and `date` give that may run backwards."""
KNOWN = {"Clock", "SystemClock"}


def calls_of_the_calendar(path: Path) -> list[str]:
    """Calls like time.time() or datetime.now(); the `now` of our own clocks is something else."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALENDAR:
            if ast.unparse(node.func.value) in ("time", "datetime", "date", "datetime.datetime"):
                found.append(f"{path.name}:{node.lineno} {ast.unparse(node.func)}")
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [f"{path.name}:{node.lineno} {a.name}" for a in node.names if a.name in CALENDAR]
    return found


def test_no_part_of_a_node_reads_the_calendar() -> None:
    """Whoever sets the machine's date changes nothing for a node: all its times are monotonic."""
    assert [call for path in SOURCE.rglob("*.py") for call in calls_of_the_calendar(path)] == []


def test_the_systems_clock_does_not_run_backwards() -> None:
    clock = SystemClock()
    times = [clock.now() for _ in range(10_000)]
    assert times == sorted(times)
    with pytest.raises(ValueError, match="backwards"):
        VirtualClock().advance(-1.0)
    assert VirtualClock(5.0).advance_to(1.0) == 5.0


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("leap", [LEAP, -LEAP], ids=["forwards", "backwards"])
def test_an_engine_serves_all_whatever_time_it_is_told(leap: float) -> None:
    """A time before the last one is against the contract, and still costs nobody an answer in the end."""
    options = ServerOptions(max_peer_rate=1000.0, retry_delay=0.1)
    node = Node(options)
    now = node.now
    answers = 0
    for step in range(26):
        message = Message()
        message.add_entry(Block.of(ALPHABET[step].encode()).cid, 1, WantType.BLOCK, True)
        lookup = node.engine.lookup(message)
        node.engine.message_received("ABC"[step % 3], lookup, [1] * len(lookup.cids), now)
        if step % 5 == 0:
            now += leap
        while (envelope := node.engine.next_envelope(now)) is not None:
            node.fill(envelope)
            if step == 10:
                node.engine.envelope_failed(envelope, now)
            else:
                node.engine.envelope_sent(envelope, now)
                answers += envelope.block_count
    # The latest time that it ever saw, and a little more.
    now = max(now, node.now) + 60.0
    while (envelope := node.engine.next_envelope(now)) is not None:
        node.fill(envelope)
        node.engine.envelope_sent(envelope, now)
        answers += envelope.block_count
    assert answers == 26
    assert node.engine.stat.pending_tasks == 0


def test_what_waits_for_a_rate_goes_on_after_a_leap() -> None:
    inboxes = Inboxes(4, 1000, RateLimit(1.0, None, 1.0, 1.0))
    for _ in range(2):
        inboxes.message("A", Message(), 1)
    assert inboxes.take(0.0) is not None
    inboxes.finished("A")
    assert inboxes.take(0.0) is None
    assert inboxes.take(-LEAP) is None
    assert inboxes.take(LEAP) is not None


def test_timers_run_once_after_a_leap_and_never_early() -> None:
    timers, ran = Timers(), []
    for delay in (1.0, 2.0, 3.0):
        timers.at(delay, lambda delay=delay: ran.append(delay))
    for now in (0.5, -LEAP, 2.5, 1.0, LEAP, LEAP):
        while (callback := timers.pop_due(now)) is not None:
            callback()
    assert ran == [1.0, 2.0, 3.0]
    assert len(timers) == 0


class LeapingClock:
    """Leaps ahead with every look, as far as the test says."""

    def __init__(self) -> None:
        self.time = 0.0
        self.leap = 0.0

    def now(self) -> float:
        self.time += self.leap
        return self.time


@pytest.mark.parametrize("leap", [0.0, 1e-3, LEAP], ids=["stands-still", "hurries", "leaps"])
def test_two_nodes_transfer_while_the_time_leaps(leap: float) -> None:
    """Every timer is overdue at once, over and over: more is said than needed, and all blocks arrive."""
    clock = LeapingClock()
    with (
        LoopbackHub() as hub,
        Bitswap(hub.network("a"), MemoryBlockstore(), clock=clock) as giver,
        Bitswap(hub.network("b"), MemoryBlockstore(), clock=clock) as taker,
    ):
        taker.connect("/loopback/a")
        clock.leap = leap
        blocks = [Block.of(os.urandom(100)) for _ in range(50)]
        giver.add_blocks(blocks)
        got = {block.cid for block in taker.get_blocks([block.cid for block in blocks], WAIT)}
        assert got == {block.cid for block in blocks}
        clock.leap = 0.0
