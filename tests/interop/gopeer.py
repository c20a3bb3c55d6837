"""Builds and runs `bitswap-peer`, the Go node of boxo and go-libp2p whose source is in `peer/`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.interop.process import JsonProcess, ProcessFailed

SOURCE = Path(__file__).parent / "peer"
CACHE = Path(__file__).parents[2] / ".cache" / "interop"
BUILD_TIMEOUT = 900.0
"""Seconds for the first build, downloads included; later ones come from the cache."""
ABSENT = "Go is not installed: interop with boxo was not run"


class GoAbsent(Exception):
    """There is no Go here that can build the peer; the message is the sentence to show."""


def build() -> Path:
    """The path of the built program, from the cache when the sources and the Go version have not changed.

    Raises GoAbsent, or RuntimeError with the compiler's words.
    """
    go = shutil.which("go")
    if go is None:
        raise GoAbsent(ABSENT)
    binary = CACHE / _fingerprint(go) / ("bitswap-peer.exe" if os.name == "nt" else "bitswap-peer")
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    partial = binary.with_name(f"{os.getpid()}-{binary.name}")
    result = subprocess.run(
        [go, "build", "-trimpath", "-buildvcs=false", "-o", str(partial), "."],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT,
        check=False,
    )
    if result.returncode != 0:
        if "requires go >=" in result.stderr:
            raise GoAbsent(f"Go is too old ({result.stderr.strip()}): interop with boxo was not run")
        raise RuntimeError(f"go build failed:\n{result.stderr}")
    partial.replace(binary)
    return binary


def _fingerprint(go: str) -> str:
    version = subprocess.run([go, "version"], capture_output=True, check=True, timeout=60).stdout
    digest = hashlib.sha256(version)
    for path in sorted([*SOURCE.glob("*.go"), SOURCE / "go.mod", SOURCE / "go.sum"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class GoPeer:
    """The built program; `serve` gives a running server, `fetch` and `ping` run to their end."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder

    def serve(self, *, security: str = "both", **flags: object) -> JsonProcess:
        """Start a server; the caller reads its first line: `peer_id`, `addrs`, `roots`."""
        return JsonProcess([self._binary, "serve", "--security", security, *flag_list(flags)], self._folder)

    def start_fetch(self, address: str, *, security: str = "both", **flags: object) -> JsonProcess:
        where = ["--security", security, "--peer", address]
        return JsonProcess([self._binary, "fetch", *where, *flag_list(flags)], self._folder)

    def fetch(
        self, address: str, *, security: str = "both", timeout: float = 60.0, **flags: object
    ) -> dict[str, Any]:
        """Fetch to the end and return the report; raises ProcessFailed with the report when it failed."""
        return self._run("fetch", address, security, timeout, flags)

    def ping(self, address: str, *, security: str = "both", timeout: float = 10.0) -> dict[str, Any]:
        return self._run("ping", address, security, timeout, {})

    def _run(
        self, name: str, address: str, security: str, timeout: float, flags: dict[str, object]
    ) -> dict[str, Any]:
        where = ["--security", security, "--peer", address, "--timeout", f"{timeout}s"]
        result = subprocess.run(
            [self._binary, name, *where, *flag_list(flags)],
            capture_output=True,
            text=True,
            timeout=timeout + 20,
            check=False,
        )
        if result.returncode != 0:
            raise ProcessFailed(f"{name} failed: {result.stdout}{result.stderr}")
        report: dict[str, Any] = json.loads(result.stdout)
        return report


def flag_list(flags: dict[str, object]) -> list[str]:
    """Keyword arguments as Go flags: `blocks_count=5` gives --blocks-count=5, a list repeats the flag."""
    words: list[str] = []
    for name, value in flags.items():
        values = value if isinstance(value, list) else [value]
        flag = name.replace("_", "-")
        words += [f"--{flag}={str(v).lower() if isinstance(v, bool) else v}" for v in values]
    return words
