"""A fixed number of named threads that run one function (boxo `workers.go`)."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Workers:
    """`count` daemon threads "`name`-0", "`name`-1"… running `work`, which returns once its owner is closing.

    Daemons, so that a node nobody closed does not keep the interpreter alive.
    """

    def __init__(self, name: str, count: int, work: Callable[[], None]) -> None:
        self._threads = [
            threading.Thread(target=work, name=f"{name}-{index}", daemon=True) for index in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for all of them, except for the one that calls."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
