"""Two sides under one history; a history is made of literals, so that it can be printed and replayed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from .engine_side import EngineSetup
from .queue_side import QueueSetup
from .scarcity import plainly, scarcely
from .show import shorten
from .watch import Watcher
from .world import Operation

Setup = EngineSetup | QueueSetup
KINDS: dict[str, Any] = {"engine": EngineSetup, "queue": QueueSetup}
BOTH = ("py", "c")


class Difference(AssertionError):
    """The two sides did not do the same."""


class Pair:
    """Implementations, that are told the same; the outcomes of engines can be shown to a model as well."""

    def __init__(self, setup: Setup, implementations: Sequence[str] = BOTH, watched: bool = False) -> None:
        self.setup = setup
        self.world, sides = setup.sides(implementations)
        self.sides: Sequence[Any] = sides
        self.watcher = None
        if watched and isinstance(setup, EngineSetup):
            self.watcher = Watcher(setup, self.world)

    def apply(self, operation: Operation) -> Any:
        """The outcome, which was the same; raises Difference."""
        self.world.change(operation)
        apply = scarcely if self.setup.scarce else plainly
        outcomes = [(apply(side, operation), side.glance()) for side in self.sides]
        if any(outcome != outcomes[0] for outcome in outcomes):
            raise Difference(self._told(operation, outcomes))
        if self.watcher is not None:
            try:
                self.watcher.watch(operation, *outcomes[0])
            except AssertionError as error:
                raise Difference(f"{self._told(operation, outcomes)}\nbut {error}") from error
        return outcomes[0][0]

    def check(self) -> None:
        """Every side looks over all that it keeps; raises AssertionError."""
        for side in self.sides:
            side.check()

    def finish(self) -> None:
        """End what is under way, send all that is left, let everybody leave; nothing may be left then."""
        for operation in self.setup.settle:
            self.apply(operation)
        self.check()
        for side in self.sides:
            side.check_settled()
        if self.watcher is not None:
            self.watcher.settled()
        for operation in self.setup.leave:
            self.apply(operation)
        self.check()
        for side in self.sides:
            side.check_empty()

    def _told(self, operation: Operation, outcomes: Sequence[Any]) -> str:
        shown = [
            f"{side.implementation}: {shorten(outcome)}, then {shorten(glance)}"
            for side, (outcome, glance) in zip(self.sides, outcomes, strict=True)
        ]
        return "\n".join([f"after {operation}", *shown])


def replay(
    setup: Setup,
    operations: Iterable[Operation],
    implementations: Sequence[str] = BOTH,
    watched: bool = False,
) -> None:
    """Raises what a history, and what follows at its end, raises."""
    pair = Pair(setup, implementations, watched)
    for operation in operations:
        pair.apply(operation)
        pair.check()
    pair.finish()


def write(setup: Setup, operations: Sequence[Operation]) -> str:
    kind = next(name for name, made in KINDS.items() if isinstance(setup, made))
    lines = [f"    {operation!r},\n" for operation in operations]
    return f"({kind!r}, {setup._asdict()!r}, [\n{''.join(lines)}])\n"


def read(text: str) -> tuple[Setup, list[Operation]]:
    kind, setup, operations = ast.literal_eval(text)
    return KINDS[kind](**setup), list(operations)
