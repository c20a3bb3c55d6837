"""`--explain`: what a fetch waits for, on standard error, whenever nothing has come for some seconds."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from bitswap.cli.console import Progress, say
from bitswap.errors import Incomplete, Timeout

if TYPE_CHECKING:
    from bitswap.bitswap import Bitswap, BitswapSession
    from bitswap.block import Block
    from bitswap.cid import CID

EXPLAIN_SECONDS = 3.0
"""Without a block; what is usual between two of a slow peer is shorter."""
SHOWN = 3
"""Blocks that are explained; what holds up the first ones mostly holds up all."""


class Explaining:
    """A getter of `session` (contract: `dag.BlockSource`) that says why nothing comes.

    With `as_json` each explanation is an object on a line of its own, for people a paragraph.
    """

    def __init__(
        self,
        node: Bitswap,
        session: BitswapSession,
        timeout: float,
        progress: Progress,
        *,
        as_json: bool,
        every: float = EXPLAIN_SECONDS,
    ) -> None:
        self._node = node
        self._session = session
        self._getter = session.getter(timeout)
        self._timeout = timeout
        self._progress = progress
        self._as_json = as_json
        self._every = every

    def want(self, cids: Iterable[CID]) -> None:
        self._getter.want(cids)

    def cancel(self, cids: Iterable[CID]) -> None:
        self._getter.cancel(cids)

    def take(self, timeout: float | None = None) -> list[Block]:
        try:
            return self._take(self._timeout if timeout is None else timeout)
        except Incomplete as error:
            # Now, because whoever is told of it gives up what is left.
            self._tell({"failed": str(error)}, error)
            raise

    def _take(self, limit: float) -> list[Block]:
        started = time.monotonic()
        due = self._every
        while True:
            waiter = threading.Lock()
            waiter.acquire()
            blocks = self._getter.try_take(waiter)
            if blocks is not None:
                return blocks
            while not waiter.acquire(timeout=_nap(min(due, limit) - (time.monotonic() - started))):
                passed = time.monotonic() - started
                if passed >= limit:
                    raise self._getter.timed_out(limit, waiter)
                if passed >= due:
                    due = passed + self._every
                    self._tell({"waiting": f"nothing has come for {passed:.0f} s"})

    def close(self) -> None:
        self._getter.close()

    def _tell(self, record: dict[str, Any], error: Incomplete | None = None) -> None:
        wanted = self._node.wantlist()
        told = [self._session.explain(cid) for cid in islice(wanted, SHOWN)]
        record["wanted"] = len(wanted)
        self._progress.clear()
        if self._as_json:
            record["explain"] = [one.record() for one in told]
            if error is not None:
                record |= _record(error)
            print(json.dumps(record, ensure_ascii=False), file=sys.stderr, flush=True)
            return
        if error is None:
            say(f"{record['waiting']}; {len(wanted)} wanted")
        lines = [str(one) for one in told]
        if len(wanted) > SHOWN:
            lines.append(f"and {len(wanted) - SHOWN} more are waited for")
        if error is not None and not isinstance(error, Timeout):
            # What was given up is not wanted any more.
            lines += [f"  {peer}: {reason}" for peer, reason in error.reasons.items()]
        print(*lines, sep="\n", file=sys.stderr, flush=True)


def _record(error: Incomplete) -> dict[str, Any]:
    reasons = {
        peer: {"reason": reason, "cause": reason.cause.name.lower()} for peer, reason in error.reasons.items()
    }
    return {
        "cause": error.cause.name.lower(),
        "missing": error.missing,
        "reasons": reasons,
        "search": error.search,
    }


def _nap(seconds: float) -> float:
    """Not longer than a second, because some systems tell a waiting thread of no interruption."""
    return min(max(seconds, 0.0), 1.0)
