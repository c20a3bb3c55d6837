"""What the command says: results on standard output, words and progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import Any, TextIO

from bitswap.options import KIB, MIB

REDRAW_SECONDS = 0.1
"""A bar that moves more often costs more than it tells."""
BAR_CELLS = 24


def say(words: str) -> None:
    """One line for people, on standard error."""
    print(f"bitswap: {words}", file=sys.stderr, flush=True)


def emit(record: dict[str, Any]) -> None:
    """One JSON object on a line of standard output."""
    print(json.dumps(record, ensure_ascii=False), flush=True)


def size_text(count: float) -> str:
    """Bytes for people: 1.5 MiB."""
    for limit, unit in ((KIB, "B"), (MIB, "KiB"), (MIB * KIB, "MiB")):
        if count < limit:
            return f"{count / (limit / KIB):.{0 if unit == 'B' else 1}f} {unit}"
    return f"{count / (MIB * KIB):.2f} GiB"


def rate_text(count: float, seconds: float) -> str:
    """Bytes a second in MB of 10^6, the unit of network figures."""
    return f"{count / max(seconds, 1e-9) / 1e6:.1f} MB/s"


class Progress:
    """A bar on a terminal with rate, time left, peers and duplicates; nothing where nobody watches.

    `total` may be unknown (0) and may be set later. Use as a context manager, so that the line is left clean.
    """

    def __init__(
        self, label: str, total: int = 0, *, quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        self.total = total
        self._label = label
        self._stream = stream or sys.stderr
        self._shown = not quiet and self._stream.isatty()
        self._started = time.monotonic()
        self._next = 0.0

    def update(self, done: int, *, peers: int | None = None, duplicates: int | None = None) -> None:
        """Say how many bytes are done; draws at most ten times a second."""
        if not self._shown:
            return
        now = time.monotonic()
        if now < self._next and done != self.total:
            return
        self._next = now + REDRAW_SECONDS
        self._stream.write("\r\x1b[K" + self._line(done, now - self._started, peers, duplicates))
        self._stream.flush()

    def _line(self, done: int, seconds: float, peers: int | None, duplicates: int | None) -> str:
        parts = [self._label]
        if self.total:
            share = min(done / self.total, 1.0)
            filled = int(share * BAR_CELLS)
            parts.append(f"[{'#' * filled}{'.' * (BAR_CELLS - filled)}] {share:4.0%}")
            parts.append(f"{size_text(done)} of {size_text(self.total)}")
        else:
            parts.append(size_text(done))
        parts.append(rate_text(done, seconds))
        if self.total and done and done < self.total:
            parts.append(f"{seconds / done * (self.total - done):.0f} s left")
        if peers is not None:
            parts.append(f"{peers} peer{'' if peers == 1 else 's'}")
        if duplicates:
            parts.append(f"{duplicates} duplicates")
        return "  ".join(parts)

    def clear(self) -> None:
        """Leave the line to others; it is drawn again with the next `update`."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._next = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
