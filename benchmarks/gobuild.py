"""The Go program `versus-boxo` whose source is in `go/`: built by need, asked for one figure at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

SOURCE = Path(__file__).parent / "go"
BINARY = Path(__file__).parents[1] / ".cache" / "benchmarks" / "versus-boxo"
BUILD_TIMEOUT = 900.0
"""Seconds for the first build, downloads included."""
RUN_TIMEOUT = 300.0


class GoAbsent(Exception):
    """There is no Go here that can build the program; the message is the sentence to show."""


class Boxo:
    """boxo's side of the comparison."""

    def __init__(self, clock: str = "wall") -> None:
        """Builds the program; Go's own cache makes that quick when nothing has changed.

        Raises GoAbsent, or RuntimeError with the compiler's words.
        """
        go = shutil.which("go")
        if go is None:
            raise GoAbsent("Go is not installed: there is nothing to compare with")
        self._clock = clock
        self._binary = BINARY.with_suffix(".exe") if os.name == "nt" else BINARY
        command = [go, "build", "-trimpath", "-buildvcs=false", "-o", str(self._binary), "."]
        built = subprocess.run(
            command, cwd=SOURCE, capture_output=True, text=True, timeout=BUILD_TIMEOUT, check=False
        )
        if "requires go >=" in built.stderr:
            raise GoAbsent(f"Go is too old: {built.stderr.strip()}")
        if built.returncode != 0:
            raise RuntimeError(f"go build failed:\n{built.stderr}")

    @cached_property
    def operations(self) -> frozenset[str]:
        """Names of what it can time."""
        return frozenset(self._run("-list").splitlines())

    @cached_property
    def holdings(self) -> frozenset[str]:
        """Names of what it can measure the memory of."""
        return frozenset(self._run("-list", "-memory").splitlines())

    def measure(self, name: str) -> float | None:
        """Nanoseconds an item; None for an operation that it does not know."""
        return self._figure(name, "-clock", self._clock) if name in self.operations else None

    def bytes_an_item(self, name: str) -> float | None:
        """Live heap after garbage collection; None for a holding that it does not know."""
        return self._figure(name, "-memory") if name in self.holdings else None

    def _figure(self, name: str, *arguments: str) -> float:
        results: dict[str, float] = json.loads(self._run(*arguments, name))
        return results[name]

    def _run(self, *arguments: str) -> str:
        command = [str(self._binary), *arguments]
        return subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT, check=True
        ).stdout
