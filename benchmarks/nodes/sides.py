"""Nodes as processes, ours and boxo's: a server that lasts for a scenario, a client for each transfer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from benchmarks.nodes.procfs import cpu_seconds, forget_peak, peak_bytes
from benchmarks.nodes.scenarios import WARM, Busy, Kind, Scenario
from tests.interop import gopeer
from tests.interop.process import JsonProcess, ProcessFailed

SEED = "nodes"
READY = 300.0
"""Seconds a server may take to make its blocks."""


class Side(Enum):
    """Whose node it is."""

    BOXO = "boxo"
    OURS = "ours"
    PURE = "pure"


@dataclass(frozen=True)
class Setting:
    """What all processes of a run have in common."""

    binary: Path
    """The Go peer."""
    folder: Path
    security: str
    timeout: float
    """Seconds for one transfer."""


@dataclass(frozen=True)
class Sample:
    """One transfer, from the first want on; processor time and memory of both processes."""

    seconds: float
    client_cpu: float
    server_cpu: float
    client_bytes: int
    server_bytes: int
    """Most memory, less the blocks that are served."""
    p50: float | None = None
    p99: float | None = None


class Server:
    """A running server that is stopped (SIGSTOP) while nobody fetches from it."""

    def __init__(self, process: JsonProcess, scenario: Scenario) -> None:
        line = process.line(READY)
        self._pid = process.process.pid
        self._served = scenario.bytes
        self.address: str = line["addrs"][0]
        self.roots: list[str] = list(line["roots"].values())
        self._cpu = 0.0
        os.kill(self._pid, signal.SIGSTOP)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Its time and memory are those of the body."""
        forget_peak(self._pid)
        self._cpu = cpu_seconds(self._pid)
        os.kill(self._pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGSTOP)

    def usage(self) -> tuple[float, int]:
        """Processor seconds since it was woken, and its peak without the blocks."""
        return cpu_seconds(self._pid) - self._cpu, max(peak_bytes(self._pid) - self._served, 0)


class Servers:
    """The servers of one scenario, started by need."""

    def __init__(self, setting: Setting, scenario: Scenario, stack: ExitStack) -> None:
        self._setting = setting
        self._scenario = scenario
        self._stack = stack
        self._running: dict[tuple[Side, bool], Server] = {}
        self.cids = setting.folder / f"cids-{scenario.count}-{scenario.size}"

    def of(self, side: Side) -> Server:
        busy = self._scenario.busy is Busy.SERVER and side is not Side.BOXO
        if (side, busy) not in self._running:
            command = self._command(side, busy)
            process = self._stack.enter_context(JsonProcess(command, self._setting.folder, env=_env(side)))
            self._running[side, busy] = Server(process, self._scenario)
        return self._running[side, busy]

    def _command(self, side: Side, busy: bool) -> list[str | Path]:
        scenario, setting = self._scenario, self._setting
        flags: dict[str, object] = {"security": setting.security}
        if scenario.kind is Kind.FILE:
            flags["file"] = self._file()
        else:
            flags |= {"blocks_count": scenario.count, "blocks_size": scenario.size, "blocks_seed": SEED}
            flags["cids_out"] = self.cids
        if side is not Side.BOXO:
            words = gopeer.flag_list(flags) + (["--busy"] if busy else [])
            return [*_OURS, "serve", *words]
        if scenario.kind is Kind.FILE:
            flags["cid_version"] = 1
        else:
            flags["blocks_repeat"] = True
        if scenario.max_wants:
            flags["max_wants"] = scenario.max_wants
        return [setting.binary, "serve", *gopeer.flag_list(flags)]

    def _file(self) -> Path:
        from benchmarks.nodes.peer import repeated

        path = self._setting.folder / f"file-{self._scenario.count}"
        if not path.exists():
            with path.open("wb") as out:
                for index in range(self._scenario.count):
                    out.write(repeated(SEED, index, self._scenario.size))
        return path


_OURS: list[str | Path] = [sys.executable, "-m", "benchmarks.nodes.peer"]


def _env(side: Side) -> dict[str, str]:
    return {**os.environ, "BITSWAP_PURE": "1"} if side is Side.PURE else dict(os.environ)


def transfer(
    setting: Setting, scenario: Scenario, client: Side, server_side: Side, servers: Servers
) -> Sample:
    """Fetch once. Raises ProcessFailed when anything is missing, or it takes too long."""
    server = servers.of(server_side)
    command = _client(setting, scenario, client, server, servers.cids)
    with server.awake():
        report = _run(command, client, setting.timeout)
    if report["bytes"] < scenario.bytes - (scenario.size * WARM if scenario.kind is Kind.LATENCY else 0):
        raise ProcessFailed(f"{report['bytes']:,} of {scenario.bytes:,} bytes came")
    cpu, memory = server.usage()
    return Sample(
        report["fetch_seconds"],
        report["cpu_seconds"],
        cpu,
        report["peak_bytes"],
        memory,
        report.get("p50_seconds"),
        report.get("p99_seconds"),
    )


def _client(setting: Setting, scenario: Scenario, side: Side, server: Server, cids: Path) -> list[str | Path]:
    kind = scenario.kind
    words: list[str | Path] = ["fetch", "--security", setting.security, "--peer", server.address]
    words += ["--cid", server.roots[0]] if kind is Kind.FILE else ["--cids", cids]
    if not scenario.keep:
        words.append("--discard")
    if kind is Kind.LATENCY:
        words += ["--warm", str(WARM)]
    if side is Side.BOXO:
        words += ["--timeout", f"{setting.timeout}s"]
        if kind is Kind.LATENCY:
            words += ["--parallel", "1"]
        elif kind is Kind.BLOCKS:
            words += ["--batch", str(scenario.batch)]
        return [setting.binary, *words]
    words += ["--timeout", str(setting.timeout)]
    if kind is Kind.LATENCY:
        words.append("--one-by-one")
    if scenario.busy is Busy.CLIENT:
        words.append("--busy")
    return [*_OURS, *words]


def _run(command: list[str | Path], side: Side, timeout: float) -> dict[str, Any]:
    words = [str(word) for word in command]
    try:
        ended = subprocess.run(
            words, capture_output=True, text=True, timeout=timeout + 20, check=False, env=_env(side)
        )
    except subprocess.TimeoutExpired:
        raise ProcessFailed(f"no end within {timeout + 20:g} s") from None
    if ended.returncode != 0:
        raise ProcessFailed(f"exit code {ended.returncode}: {ended.stdout}{ended.stderr}")
    report: dict[str, Any] = json.loads(ended.stdout)
    return report
