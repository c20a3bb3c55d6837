"""In what order and in what requests a node fetches its blocks (boxo's benchmark fetch functions)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from bitswap.cid import CID
from bitswap.simulation.scenario import Fetching

Round = Sequence[Sequence[CID]]
"""Requests that are made at the same time; the next round begins when all of them are done."""


def rounds(fetching: Fetching, cids: Sequence[CID]) -> Iterator[Round]:
    """The rounds of a pattern.

    "all": one request for everything. "one-at-a-time": a request a block, one after the other. "batches":
    requests of `batch` blocks, one after the other. "concurrent": a request a block, all at once. "unixfs":
    block 0, then 1 to 10, then the rest. "unixfs-large": block 0; 1 to 10; 11 to 99; rounds of
    `parallel` requests of `batch` blocks. "arrivals": one round, of requests of a block each, made one by one
    `every` so many seconds.
    """
    if fetching.pattern == "all":
        yield [cids]
    elif fetching.pattern == "one-at-a-time":
        yield from ([[cid]] for cid in cids)
    elif fetching.pattern == "batches":
        yield from ([part] for part in _parts(cids, fetching.batch))
    elif fetching.pattern in ("concurrent", "arrivals"):
        yield [[cid] for cid in cids]
    else:
        yield from _unixfs(fetching, cids)


def _unixfs(fetching: Fetching, cids: Sequence[CID]) -> Iterator[Round]:
    yield [cids[:1]]
    ends = (1, 11, 100 if fetching.pattern == "unixfs-large" else len(cids))
    for first, last in pairwise(ends):
        if cids[first:last]:
            yield [cids[first:last]]
    requests = _parts(cids[ends[-1] :], fetching.batch)
    for first in range(0, len(requests), fetching.parallel):
        yield requests[first : first + fetching.parallel]


def _parts(cids: Sequence[CID], size: int) -> list[Sequence[CID]]:
    return [cids[first : first + size] for first in range(0, len(cids), size)]
