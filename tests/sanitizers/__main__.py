"""`python -m tests.sanitizers`: build a copy with the sanitizers, run the tests of the compiled core on it.

Every stage has a time limit; the exit code is 1 if any fails. Names of stages as arguments run those only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from .build import REPORT, ROOT, build, check_loaded, copy, environment

TARGET = ROOT / "build" / "asan"


class Stage(NamedTuple):
    name: str
    minutes: float
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


def pytest(*arguments: str) -> tuple[str, ...]:
    options = ("-q", "-x", "-p", "no:cacheprovider", f"--basetemp={TARGET / 'tmp'}")
    return ("-m", "pytest", *options, *arguments)


STAGES = (
    Stage("codec and decision tests", 4, pytest("tests/core", "tests/decision", "-m", "not slow")),
    Stage("TLS and sockets", 2, pytest("tests/libp2p/test_tls.py", "tests/libp2p/test_sockets.py")),
    Stage("codec fuzz", 2, pytest("tests/fuzz")),
    Stage(
        "state machines",
        3,
        pytest("tests/differential/test_machine.py"),
        (("BITSWAP_EXAMPLES", "80"),),
    ),
    Stage(
        "random histories",
        3,
        ("-m", "tests.differential", "--operations", "30000", "--seed", "11"),
    ),
    Stage("soak", 6, ("-m", "tests.differential.soak", "--operations", "200000", "--cids", "60000")),
)


def run_stage(stage: Stage, target: Path = TARGET, output: int | None = None) -> str:
    """Returns "" if it passed, else how it ended; what the sanitizers wrote goes to stderr."""
    for old in target.glob(f"{REPORT}.*"):
        old.unlink()
    process = subprocess.Popen(
        [sys.executable, *stage.arguments],
        cwd=ROOT,
        env={**environment(target), **dict(stage.environment)},
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
    )
    try:
        code = process.wait(stage.minutes * 60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"not done after {stage.minutes:g} minutes"
    reports = [path.read_text(errors="replace") for path in target.glob(f"{REPORT}.*")]
    for report in reports:
        sys.stderr.write(report[:6000] + "\n")
    if reports:
        return "a sanitizer found an error: " + first_line(reports[0])
    return f"exit code {code}" if code else ""


def first_line(report: str) -> str:
    lines = [line for line in report.splitlines() if "ERROR" in line or "runtime error" in line]
    return lines[0].split("ERROR: ")[-1][:150] if lines else report[:150]


def main(names: list[str]) -> int:
    began = time.perf_counter()
    copy(TARGET)
    build(TARGET)
    check_loaded(TARGET)
    print(f"--- built in {time.perf_counter() - began:.0f} s", flush=True)
    failed = []
    for stage in STAGES:
        if names and stage.name not in names:
            continue
        at = time.perf_counter()
        print(f"=== {stage.name}", flush=True)
        wrong = run_stage(stage)
        print(f"--- {stage.name}: {wrong or 'passed'}, {time.perf_counter() - at:.0f} s", flush=True)
        failed += [stage.name] if wrong else []
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
