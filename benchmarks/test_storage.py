"""What exists once: the embedded store, the import of files."""

from __future__ import annotations

import pytest

from benchmarks.operation import Operation, Runner
from benchmarks.storage import operations


@pytest.mark.parametrize("operation", [pytest.param(found, id=found.name) for found in operations()])
@pytest.mark.benchmark(max_time=0.5)
def test_operation(operation: Operation, per_item: Runner) -> None:
    per_item("", operation)
