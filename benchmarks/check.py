"""`python -m benchmarks.check`: fails when the compiled core has clearly lost speed beside its pure twin.

Ratios of two figures from the same minute are compared with those of `baseline.json`, since absolute times
say nothing on another machine. A ratio that looks bad is measured again before it counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time_ns

from benchmarks.operation import Effort, Operation
from benchmarks.registry import compared
from benchmarks.report import times
from benchmarks.timing import run_samples, sample

BASELINE = Path(__file__).with_name("baseline.json")
CLEAR_LOSS = 0.5
"""Share of the baseline's ratio below which a ratio is a failure."""
ATTEMPTS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, 1 after a clear loss, 2 when there is nothing to compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description=__doc__)
    parser.add_argument("--update", action="store_true", help="measure, and write baseline.json anew")
    arguments = parser.parse_args(argv)
    twins = {name: found for name, found in compared(Effort.LIGHT).items() if len(found) == 2}
    if not twins:
        print("the compiled core is not built: there is nothing to compare", file=sys.stderr)
        return 2
    return _update(twins) if arguments.update else _check(twins)


def ratio(found: dict[str, Operation]) -> float:
    """How many times as long as the compiled operation the pure one takes; both by turns, the best of each.

    In processor time: the machine may have other work.
    """
    pure: list[float] = []

    def both() -> float:
        pure.append(sample(found["py"], process_time_ns))
        return sample(found["c"], process_time_ns)

    compiled = run_samples(both)
    return min(pure) / min(compiled)


def _update(twins: dict[str, dict[str, Operation]]) -> int:
    ratios = {name: float(f"{ratio(found):.3g}") for name, found in twins.items()}
    BASELINE.write_text(json.dumps(ratios, indent=2) + "\n")
    for name, value in ratios.items():
        print(f"{name}: {times(value)}")
    return 0


def _check(twins: dict[str, dict[str, Operation]]) -> int:
    baseline: dict[str, float] = json.loads(BASELINE.read_text())
    lost = []
    for name in sorted(baseline.keys() - twins.keys()):
        print(f"{name}: GONE, was {times(baseline[name])}")
        lost.append(name)
    for name, found in twins.items():
        expected = baseline.get(name)
        value = ratio(found)
        for _ in range(ATTEMPTS - 1):
            if expected is None or value >= expected * CLEAR_LOSS:
                break
            value = max(value, ratio(found))
        if expected is None:
            print(f"{name}: {times(value)}, new")
            continue
        verdict = "ok" if value >= expected * CLEAR_LOSS else "LOST"
        print(f"{name}: {times(value)}, baseline {times(expected)}: {verdict}", flush=True)
        if verdict != "ok":
            lost.append(name)
    if lost:
        print(f"\nslower beside the pure twin than half of the baseline: {', '.join(lost)}", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
