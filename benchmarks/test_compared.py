"""What exists in several implementations: codec, engine, queues, wantlist."""

from __future__ import annotations

import pytest

from benchmarks.operation import Effort, Operation, Runner
from benchmarks.registry import compared

CASES = [
    pytest.param(implementation, operation, id=f"{name}-{implementation}")
    for name, found in compared(Effort.SHAPE).items()
    for implementation, operation in found.items()
]


@pytest.mark.parametrize(("implementation", "operation"), CASES)
@pytest.mark.benchmark(max_time=0.5)
def test_operation(implementation: str, operation: Operation, per_item: Runner) -> None:
    per_item(implementation, operation)
