"""Our side: the command `bitswap` and the test server as processes, and nodes in this process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bitswap import Bitswap
from bitswap.blockstore import Blockstore, MemoryBlockstore
from bitswap.network.libp2p import Libp2pNetwork
from tests.interop.process import JsonProcess, ProcessFailed

COMMAND = [sys.executable, "-m", "bitswap"]
LISTEN = "/ip4/127.0.0.1/tcp/0"


def run(*words: object, timeout: float = 60.0) -> dict[str, Any]:
    """Run `bitswap WORDS --json` to its end and return its last line; raises ProcessFailed when it failed."""
    result = run_raw(*words, "--json", timeout=timeout)
    if result.returncode != 0:
        raise ProcessFailed(f"bitswap {words[0]} failed: {result.stdout}{result.stderr}")
    record: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return record


def run_raw(*words: object, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run `bitswap WORDS` to its end, whatever it is."""
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def start(folder: Path, *words: object) -> JsonProcess:
    """`bitswap WORDS --json`, running; stopped by SIGINT."""
    command = [*COMMAND, *map(str, words), "--json"]
    return JsonProcess(command, folder, stop_signal=signal.SIGINT)


def serve(folder: Path, *paths: Path, security: str, store: str = "memory:") -> JsonProcess:
    """`bitswap serve`, started; the caller reads its first line."""
    return start(folder, "serve", *paths, "--store", store, "--listen", LISTEN, "--security", security)


def serve_made(folder: Path, **flags: object) -> JsonProcess:
    """The server of tests/interop/memory_server.py, started; `stall_after=5` becomes --stall-after=5."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
    return JsonProcess([sys.executable, "-m", "tests.interop.memory_server", *words], folder)


@contextmanager
def node(security: str, store: Blockstore | None = None) -> Iterator[Bitswap]:
    """A listening node in this process that offers one secure channel."""
    network = Libp2pNetwork([LISTEN], security=[security])
    with Bitswap(network, store if store is not None else MemoryBlockstore()) as running:
        yield running
