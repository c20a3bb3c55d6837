"""The thread that hashes large blocks while the rest of their messages still comes."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING

from bitswap._core import IMPLEMENTATION

if TYPE_CHECKING:
    from bitswap._core.ahead_c import HashAhead


class HashThread:
    """Nobody depends on it: what it has not done is done by the network's thread."""

    def __init__(self, ahead: HashAhead) -> None:
        self.ahead = ahead
        self._thread = threading.Thread(target=ahead.run, name="bitswap-hash", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let it end; from any thread."""
        self.ahead.stop()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()


def start_hash_thread(threads: int) -> HashThread | None:
    """None without `threads`, and where the core is not compiled or OpenSSL cannot be reached from it."""
    if not threads or IMPLEMENTATION != "compiled":
        return None
    compiled = import_module("bitswap._core.ahead_c")
    return HashThread(compiled.HashAhead()) if compiled.AVAILABLE else None
