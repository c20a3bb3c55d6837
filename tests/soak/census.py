"""What a node holds, counted without asking it: its containers, living objects, threads, files, memory."""

from __future__ import annotations

import ctypes
import gc
import os
import stat
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from bitswap import Bitswap
from bitswap.deadlines import Deadlines
from bitswap.network.libp2p.timers import Timers
from bitswap.routing.threads import Threads

_CONTAINERS = (dict, list, set, frozenset, tuple, deque)
_LOOSE = (Deadlines, Timers)
"""Heaps that keep a bounded number of dead entries: what counts is how many live."""
POOLS = ("bitswap-router-", "bitswap-provider-dial-")
"""Threads that are made when more is to be done at once than ever before, up to a bound, and then stay."""
_STEPS = 2_000_000
"""Objects that are looked at, at most: whatever is more is growth by itself."""


def containers(node: Bitswap) -> dict[str, int]:
    """Items of every container that can be reached from the node through objects of its own classes.

    Summed by where they are: "client._machine._peers._queues" is one count, and so are the containers of one
    name in all of its values.
    """
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    # The nearest first, so that a place is named by the shortest way to it.
    todo: deque[tuple[str, Any]] = deque(
        (name, getattr(node, name)) for name in ("client", "server", "network") if getattr(node, name)
    )
    steps = 0
    while todo and steps < _STEPS:
        path, value = todo.popleft()
        steps += 1
        if id(value) in seen or isinstance(value, (type, Enum, str, bytes, int, float)):
            continue
        seen.add(id(value))
        if isinstance(value, _LOOSE):
            counts[path] += len(value)
        elif isinstance(value, Threads):
            continue
        elif isinstance(value, _CONTAINERS):
            if not isinstance(value, (tuple, frozenset)):
                counts[path] += len(value)
            todo += [(f"{path}[]", item) for item in _items(value)]
        elif type(value).__module__.startswith("bitswap."):
            todo += [(f"{path}.{name}", item) for name, item in _attributes(value)]
    return {path: count for path, count in counts.items() if count}


def _items(value: Any) -> list[Any]:
    # Other threads may change it.
    for _ in range(100):
        try:
            return [*value.keys(), *value.values()] if isinstance(value, Mapping) else list(value)
        except RuntimeError:
            continue
    return []


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "__dict__"):
        yield from list(vars(value).items())
    for kind in type(value).__mro__:
        for name in _slots(kind):
            try:
                yield name, getattr(value, name)
            except AttributeError:
                continue


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def objects() -> dict[str, int]:
    """Living objects of the package, by class, after the collector has run."""
    gc.collect()
    counts: Counter[str] = Counter()
    for value in gc.get_objects():
        kind = type(value)
        module = kind.__module__
        if isinstance(module, str) and module.startswith("bitswap."):
            counts[f"{module.removeprefix('bitswap.')}.{kind.__qualname__}"] += 1
    return dict(counts)


def own_counts(node: Bitswap) -> dict[str, int]:
    """What the node itself says that it holds now."""
    told = node.stat()
    network = node.network
    swarm, host = network._swarm, network._host  # type: ignore[attr-defined]
    sessions = [link.connection.session for link in list(swarm._links)]
    counts = {
        "peers": len(node.peers()),
        "connections": swarm.connections,
        "handshakes": len(swarm._handshakes),
        "yamux streams": sum(len(session.streams) for session in sessions),
        "bytes queued to peers": sum(session.queued for session in sessions),
        "bytes of partial messages": host.buffered,
        "own wants": len(told.wantlist),
        "wants of peers": told.wants,
        "answers queued": told.pending_tasks,
        "answers under way": told.active_tasks,
        "blocks stored": len(node.store),  # type: ignore[arg-type]
    }
    accounts = getattr(node.server._engine, "_accounts", None) if node.server is not None else None
    if hasattr(accounts, "__len__"):
        counts["ledgers"] = len(accounts)  # type: ignore[arg-type]
    return counts


def process_counts() -> dict[str, int]:
    """Threads and open files of this process; files only where the system lists them."""
    threads = [thread.name for thread in threading.enumerate() if not thread.name.startswith(POOLS)]
    counts = {"threads": len(threads)}
    folder = next((path for path in ("/proc/self/fd", "/dev/fd") if os.path.isdir(path)), None)
    if folder is None:
        return counts
    counts["descriptors"] = counts["sockets"] = 0
    for name in os.listdir(folder):
        try:
            mode = os.fstat(int(name)).st_mode
        except (OSError, ValueError):
            continue  # the listing's own
        counts["descriptors"] += 1
        counts["sockets"] += stat.S_ISSOCK(mode)
    return counts


def forget_history(node: Bitswap) -> dict[str, int]:
    """Empty what is kept of the past up to a bound; how much of each there was.

    That is what tells blocks that come twice, which keeps sessions that have ended, and the addresses that
    could not be dialled.
    """
    with node.client._lock:
        machine = node.client._machine
        kept = {
            "blocks remembered to tell duplicates": machine._sessions._remembered,
            "dials remembered for having failed": node.client._providers.machine._dials._backoffs,
        }
        counts = {name: len(history) for name, history in kept.items()}
        for history in kept.values():
            history.clear()
    return counts


def pooled() -> int:
    """Threads of pools."""
    return sum(thread.name.startswith(POOLS) for thread in threading.enumerate())


def core_memory(node: Bitswap) -> dict[str, int]:
    """Bytes that the compiled decision core holds outside of Python; nothing for the other."""
    core = getattr(getattr(node.server, "_engine", None), "_core", None)
    return {"bytes of the compiled core": core.memory()} if hasattr(core, "memory") else {}


class _MallocInfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def malloc_memory() -> dict[str, int]:
    """KiB that C code and large objects of Python hold, without free memory between them; glibc only."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return {}
    mallinfo.restype = _MallocInfo
    info = mallinfo()
    return {"KiB in use by malloc": (info.uordblks + info.hblkhd) // 1024}


def memory() -> dict[str, int]:
    """KiB resident, all and without files, where the system tells; memory blocks of the interpreter."""
    found = {"memory blocks of Python": sys.getallocatedblocks(), **malloc_memory()}
    path = Path("/proc/self/status")
    if path.exists():
        fields = dict(line.split(":", 1) for line in path.read_text().splitlines())
        found["KiB resident"] = int(fields["VmRSS"].split()[0])
        found["KiB resident, files apart"] = int(fields["RssAnon"].split()[0])
    return found
