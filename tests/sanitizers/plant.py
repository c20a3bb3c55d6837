"""`python -m tests.sanitizers.plant`: faults put into the compiled core one at a time; what finds each first.

Every fault is built into a copy with the sanitizers, and the parts are run one after the other until one
fails. Names of faults as arguments plant those only. The exit code is 1 if a fault is found by nothing. The
table at the end is the one in docs/testing.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from .__main__ import Stage, first_line, pytest, run_stage
from .build import REPORT, ROOT, build, check_loaded, copy
from .faults import FAULTS, Fault

TARGET = ROOT / "build" / "faults"
CORE = TARGET / "src" / "bitswap" / "_core"
OUTPUT = TARGET / "output"

PARTS = (
    Stage("tests", 4, pytest("tests/core", "tests/decision", "tests/scenarios", "-m", "not slow")),
    Stage("fuzz", 2, pytest("tests/fuzz")),
    Stage("machines", 3, pytest("tests/differential/test_machine.py"), (("BITSWAP_EXAMPLES", "60"),)),
    Stage("histories", 2, ("-m", "tests.differential", "--operations", "12000", "--seed", "5")),
    Stage("soak", 2, ("-m", "tests.differential.soak", "--operations", "16000", "--cids", "40000")),
    Stage("leaks", 2, pytest("tests/differential/test_leaks.py", "tests/differential/test_reentrance.py")),
)

SIGNS = (
    ("a sanitizer", r"ERROR: AddressSanitizer: [\w-]+|runtime error: .{,60}"),
    ("the model", r"the rules say|is forgotten|still waits for"),
    ("a difference", r"Difference"),
    ("memory kept", r"bytes are held|memory grows|growths"),
    ("check()", r"AssertionError: [A-Za-z',() ]{5,70}$"),
)


class Missing(ValueError):
    """What a fault changes is not, or not only once, in the source."""


def plant(fault: Fault, core: Path = CORE) -> None:
    """Put a fault into a copy; raises Missing."""
    sources = {path: path.read_text(encoding="utf-8") for path in core.glob("*.p[xy][xd]")}
    found = [path for path, text in sources.items() for _ in range(text.count(fault.old))]
    if len(found) != 1:
        raise Missing(f"{fault.name}: {len(found)} places have {fault.old!r}")
    found[0].write_text(sources[found[0]].replace(fault.old, fault.new), encoding="utf-8")


def what_found(stage: Stage) -> str:
    """Which kind of look found the fault, "" if the stage passed."""
    with OUTPUT.open("wb") as output:
        wrong = run_stage(stage, TARGET, output.fileno())
    if not wrong:
        return ""
    if wrong.startswith("not done"):
        return "it hangs"
    reports = "".join(path.read_text(errors="replace") for path in TARGET.glob(f"{REPORT}.*"))
    if reports:
        return f"sanitizer ({kind_of(first_line(reports))})"
    said = OUTPUT.read_text(errors="replace")
    for kind, sign in SIGNS[1:]:
        if re.search(sign, said, re.MULTILINE):
            return kind
    return "crash" if "exit code -" in wrong else "a test" if stage.name in ("tests", "fuzz") else "an error"


def kind_of(line: str) -> str:
    found = re.search(r"AddressSanitizer: ([\w-]+)|runtime error: ([^,:]{,40})", line)
    return (found.group(1) or found.group(2)) if found else line[:40]


def examine(fault: Fault) -> tuple[str, str]:
    """Build a copy with the fault; returns the part that finds it, "" if none does, and how it looked."""
    copy(TARGET)
    plant(fault)
    try:
        build(TARGET)
    except subprocess.CalledProcessError:
        return "", "does not compile"
    check_loaded(TARGET)
    # Fuzz is for the codec, and takes long.
    stages = [stage for stage in PARTS if stage.name != "fuzz" or fault.area == "codec"]
    return next(((stage.name, found) for stage in stages if (found := what_found(stage))), ("", ""))


def main(names: list[str]) -> int:
    copy(TARGET)
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    for fault in FAULTS:
        plant(fault)  # all are looked for before the first one is built
        copy(TARGET)
    build(TARGET)
    for stage in PARTS:
        wrong = what_found(stage)
        if wrong:
            sys.exit(f"{stage.name} fails without any fault: {wrong}; see {OUTPUT}")
    rows = []
    unseen = []
    for fault in chosen:
        began = time.perf_counter()
        part, kind = examine(fault)
        rows.append(f"| {fault.area} | {fault.name} | {part} | {kind} |")
        unseen += [] if part else [fault.name]
        print(f"{rows[-1]} ({time.perf_counter() - began:.0f} s)", flush=True)
    print("\n| area | fault | found by | as |\n|---|---|---|---|")
    print("\n".join(rows))
    if unseen:
        print(f"\nNOT FOUND: {', '.join(unseen)}", file=sys.stderr)
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
