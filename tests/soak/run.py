"""The soak: epochs of churn, each followed by a rest in which everything is counted."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bitswap import Bitswap
from tests.soak import acts, census
from tests.soak.acts import Act, Companion, Place, exchange
from tests.soak.flat import Sample, differences
from tests.soak.neighbours import Neighbours
from tests.soak.node import (
    BACKOFFS,
    BASE,
    KNOWN_PEERS,
    POOL,
    REMEMBERED,
    LateRouter,
    make_node,
    make_registry,
    make_store,
    options,
)
from tests.soak.rude import KINDS
from tests.soak.stalls import SPAN, TICK, Stalls
from tests.soak.tally import Tally

MIX: tuple[tuple[Callable[[Act], None], int], ...] = (
    (acts.they_fetch, 8),
    (acts.we_fetch, 8),
    (acts.they_break_off, 3),
    (acts.we_lose_them, 3),
    (acts.they_wait, 2),
    (acts.they_change_their_mind, 2),
    (acts.we_change_our_mind, 2),
    (acts.we_ask_in_vain, 2),
    (acts.they_say_nothing, 1),
    (acts.they_turn_up_late, 2),
    (acts.many_ask_for_the_same, 2),
    (acts.nobody_answers, 1),
    (acts.friends_exchange, 2),
    (acts.somebody_looks, 2),
    *((partial(acts.rude, kind=kind), 1) for kind in KINDS),
)
"""What an epoch consists of, and how often."""
REST = 60.0
"""Seconds in which a node must come back to its state at rest."""
TRIES = 3
"""How often something is done that fails while a process stands still."""
LIMITS = {
    "threads of pools": 2 * POOL,
    "items of network._host._known": KNOWN_PEERS,
    "objects network.libp2p.multiaddr.Multiaddr": 4 * KNOWN_PEERS + 10,
    "blocks remembered to tell duplicates": REMEMBERED,
    "dials remembered for having failed": BACKOFFS,
    "items of server._engine._scores": 2,
    "items of client._machine._unwanted": 2,
    "objects network.libp2p.timers.Timer": 100,
}
"""What depends on who came last, or on how much came at once, and is bounded."""
LOOK = 0.5


@dataclass(frozen=True)
class Settings:
    """How much of it."""

    seed: int = 1
    seconds: float = 3600.0
    """After which no epoch is begun."""
    epochs: int | None = None
    """Or so many, whatever the time."""
    rounds: int = 5
    """How often an epoch goes through the mix."""
    warm: int = 5
    """Epochs before the first whose state all later ones must have."""
    share: float = 0.33
    """Of one processor, for all processes together; 0 for no limit."""
    workers: int = 6
    """Acts at the same time."""
    store: str = "lmdb"
    patience: float = 4.0
    """Seconds that the node bears with silence."""

    @property
    def quiet(self) -> float:
        """Seconds without any change after which a node is at rest whose state at rest is not known yet."""
        return self.patience * 2 + 1.0


@dataclass
class Result:
    """What came of it."""

    settings: Settings
    samples: list[Sample] = field(default_factory=list)
    peers_process: list[dict[str, int]] = field(default_factory=list)
    """Memory of the process with the peers at the same times."""
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    cpu: float = 0.0
    longest_stall: float = 0.0
    """Seconds that this process was kept from running at a time."""


class Pace:
    """Keeps to a share of one processor: who is ahead waits."""

    def __init__(self, share: float, used: Callable[[], float]) -> None:
        self._share = share
        self._used = used
        self._began = time.monotonic() - used() / share if share else 0.0
        self._never = threading.Event()

    def wait(self) -> None:
        """Until the share allows for more; a few seconds at most."""
        if not self._share:
            return
        ahead = self._used() / self._share - (time.monotonic() - self._began)
        if ahead > 0:
            self._never.wait(min(ahead, 5.0))


class Soak:
    """One run. `say` is told a line now and then."""

    def __init__(self, settings: Settings, folder: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self.settings = settings
        self.result = Result(settings)
        self._folder = folder
        self._say = say
        self._stalls = Stalls()
        self._greeting = threading.Lock()
        self._greeted: dict[str, object] = {}

    def run(self) -> Result:
        """All epochs. What fails is in the result."""
        began = time.monotonic()
        with self._place() as place, ThreadPoolExecutor(self.settings.workers, "acts") as pool:
            pace = Pace(self.settings.share, lambda: cpu_seconds(place))
            for epoch in range(self.settings.epochs or 1_000_000):
                spent = time.monotonic() - began
                if self.settings.epochs is None and spent >= self.settings.seconds:
                    break
                self._epoch(place, pool, pace, epoch)
                self._sample(place, epoch, began)
        self.result.seconds = time.monotonic() - began
        return self.result

    @contextmanager
    def _place(self) -> Iterator[Place]:
        with ExitStack() as stack:
            stack.enter_context(self._stalls)
            near = stack.enter_context(Neighbours(self._folder / "peers"))
            chosen, tally = options(self.settings.patience), self.result.tally
            store = make_store(self.settings.store, self._folder, chosen)
            stack.callback(store.close)
            router, registry = LateRouter(), make_registry()
            node = stack.enter_context(make_node(store, router, registry, chosen))
            stack.enter_context(watched_log(tally))
            companions = [self._companion(near, node, kind) for kind in ("tls", "noise")]
            yield Place(node, router, registry, near, tally, self._folder, companions)

    def _companion(self, near: Neighbours, node: Bitswap, security: str) -> Companion:
        told = near.ask("up", name=f"friend {security}", security=security, listen=False)
        near.ask("dial", name=f"friend {security}", to=node.network.addrs[0])
        # The server remembers the sizes of all blocks that stay.
        cids = [str(block.cid) for block in BASE]
        near.ask("fetch", name=f"friend {security}", peer=node.network.self_id, cids=cids, timeout=acts.WAIT)
        return Companion(f"friend {security}", told["id"])

    def _epoch(self, place: Place, pool: ThreadPoolExecutor, pace: Pace, epoch: int) -> None:
        chance = random.Random(f"{self.settings.seed}:{epoch}")
        todo = [act for act, often in MIX for _ in range(often * self.settings.rounds)]
        todo.append(acts.a_process_is_killed)
        chance.shuffle(todo)

        def run(number: int) -> None:
            pace.wait()
            name = f"{self.settings.seed}:{epoch}:{number}:"
            self._act(todo[number], place, name)

        for _ in pool.map(run, range(len(todo))):
            pass

    def _act(self, do: Callable[[Act], None], place: Place, name: str) -> None:
        """Do it, and again if it failed while a process stood still."""
        what = getattr(do, "__name__", None) or f"{do.func.__name__} {do.keywords}"  # type: ignore[attr-defined]
        place.tally.add(acts=1)
        for attempt in range(TRIES):
            act = Act(place, f"{name}{attempt}:", random.Random(name))
            before = self._stood_still(place)
            try:
                do(act)
                return
            except Exception as error:
                told = f"{act.name} {what}: {type(error).__name__}: {error}"
            # The thread that would notice may itself be late.
            threading.Event().wait((SPAN + 1) * TICK)
            if self._stood_still(place) == before:
                place.tally.fail(told)
                return
            place.tally.disturb(told)
            self._friends(place)
        place.tally.fail(f"{name} {what}: disturbed {TRIES} times")

    def _stood_still(self, place: Place) -> int:
        """How often either process has."""
        place.near.ask("nothing")
        return self._stalls.count + place.near.stalls

    def _friends(self, place: Place) -> None:
        """Those that stay are connected, and have the streams of an exchange; again, if they were lost."""
        with self._greeting:
            for friend in place.companions:
                remote = place.node.network._swarm.peers.get(friend.id)  # type: ignore[attr-defined]
                if remote is not None and self._greeted.get(friend.name) is remote:
                    continue
                try:
                    if remote is None:
                        place.tally.add(friends_lost=1)
                        place.near.ask("dial", name=friend.name, to=place.node.network.addrs[0])
                    name = f"greeting:{place.tally['greetings']}:"
                    exchange(Act(place, name, random.Random(name)), friend)
                except Exception as error:
                    place.tally.disturb(f"{friend.name}: {error!r}")
                else:
                    place.tally.add(greetings=1)
                    peers = place.node.network._swarm.peers  # type: ignore[attr-defined]
                    self._greeted[friend.name] = peers.get(friend.id)

    # Rest.

    def _sample(self, place: Place, epoch: int, began: float) -> None:
        place.near.ask("sweep", keep=[friend.name for friend in place.companions])
        samples, warm = self.result.samples, self.settings.warm
        like = samples[warm].exact if epoch > warm else None
        history = census.forget_history(place.node)
        exact = self._rest(place, like)
        told = place.near.ask("sample")
        self.result.cpu, self.result.longest_stall = cpu_seconds(place), self._stalls.longest
        self.result.peers_process.append(told["memory"])
        tally = place.tally
        held = {**everything(place), **history}
        bounded = {name: (held.get(name, 0), most) for name, most in LIMITS.items()}
        memory = {**census.memory(), **census.core_memory(place.node)}
        sample = Sample(epoch, time.monotonic() - began, tally["peers"], exact, memory, bounded)
        samples.append(sample)
        self._tell(sample, like, tally)

    def _rest(self, place: Place, like: dict[str, int] | None) -> dict[str, int]:
        """Wait for the state at rest, which is `like`, or else one that stays; what there is in the end."""
        deadline = time.monotonic() + REST
        quiet_since, before = time.monotonic(), None
        never = threading.Event()
        while True:
            place.router.rest()
            self._friends(place)
            census.forget_history(place.node)
            # A call that changes nothing, so that deadlines of what is gone are swept.
            place.node.notify_new_blocks([])
            found = {name: count for name, count in everything(place).items() if name not in LIMITS}
            now = time.monotonic()
            if like is not None and found == like:
                return like  # itself, so that what is kept of each epoch is little
            if found != before:
                quiet_since, before = now, found
            if like is None and now - quiet_since >= self.settings.quiet and not busy(found):
                return found
            if now >= deadline:
                return found
            never.wait(LOOK)

    def _tell(self, sample: Sample, like: dict[str, int] | None, tally: Tally) -> None:
        resident, heap = (
            sample.memory.get(name, 0) / 1024 for name in ("KiB resident", "KiB resident, files apart")
        )
        blocks = sample.memory["memory blocks of Python"]
        self._say(
            f"epoch {sample.epoch}: {sample.seconds:.0f} s, {sample.peers} peers, {tally['transfers']} "
            f"transfers, {tally['failures']} failures, {resident:.1f} MiB ({heap:.1f} without files), "
            f"{blocks:,} blocks, "
            f"{self.result.cpu / max(sample.seconds, 1):.2f} of a processor"
        )
        if like is not None:
            for name, (then, now) in differences(like, sample.exact).items():
                self._say(f"  {name}: {then}, now {now}")


class _Errors(logging.Handler):
    """What the node logs as an error is one."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.ERROR)
        self._tally = tally

    def emit(self, record: logging.LogRecord) -> None:
        self._tally.fail(f"logged by {record.name}: {self.format(record)}")


@contextmanager
def watched_log(tally: Tally) -> Iterator[None]:
    """Errors that are logged meanwhile count as failures."""
    handler, logger = _Errors(tally), logging.getLogger("bitswap")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def everything(place: Place) -> dict[str, int]:
    """All exact counts."""
    counts = dict(census.own_counts(place.node))
    counts["providers known to the router"] = len(place.router)
    counts["threads of pools"] = census.pooled()
    counts.update(census.process_counts())
    counts.update({f"items of {path}": count for path, count in census.containers(place.node).items()})
    counts.update({f"objects {kind}": count for kind, count in census.objects().items()})
    return counts


def cpu_seconds(place: Place) -> float:
    """Of this process, of the peers', and of those that have ended."""
    return sum(os.times()[:4]) + place.near.cpu


def busy(counts: dict[str, int]) -> bool:
    """Whether something of the churn is still going on."""
    return (
        counts["peers"] != 2
        or counts["connections"] != 2
        or counts["blocks stored"] != len(BASE)
        or any(counts[name] for name in STILL)
    )


STILL: Sequence[str] = (
    "handshakes",
    "bytes queued to peers",
    "bytes of partial messages",
    "own wants",
    "wants of peers",
    "answers queued",
    "answers under way",
)
"""What is nothing at rest."""
