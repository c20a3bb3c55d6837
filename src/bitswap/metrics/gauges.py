"""Numbers that are read only when somebody looks, added up over the nodes that have them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from bitswap.metrics.interface import GROWING, Stop

_log = logging.getLogger(__name__)


class Gauges:
    """The sum of several sources; what one that ended had counted since its start is kept."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._lock = threading.Lock()
        self._ended = dict.fromkeys(names, 0)
        self._sources: dict[object, Callable[[], tuple[int, ...]]] = {}

    def watch(self, read: Callable[[], tuple[int, ...]]) -> Stop:
        """Add a source, whose numbers are in the order of the names; returns what ends it."""
        key = object()

        def stop() -> None:
            last = self._ask(read)
            with self._lock:
                if self._sources.pop(key, None) is None:
                    return
                for name, number in last.items():
                    if name in GROWING:
                        self._ended[name] += number

        with self._lock:
            self._sources[key] = read
        return stop

    def read(self) -> dict[str, int]:
        """The sums, by name. Sources are asked without the lock, because they take locks of their own."""
        with self._lock:
            total, sources = dict(self._ended), list(self._sources.values())
        for source in sources:
            for name, number in self._ask(source).items():
                total[name] += number
        return total

    def _ask(self, source: Callable[[], tuple[int, ...]]) -> dict[str, int]:
        try:
            return dict(zip(self._names, source(), strict=True))
        except Exception:
            _log.exception("numbers of a node cannot be read")
            return {}
