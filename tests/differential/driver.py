"""Long seeded runs: one history after the other, each set up differently."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from .engine_operations import POPULATIONS, EngineGenerator
from .pair import BOTH, Pair, Setup, replay, write
from .queue_operations import QueueGenerator
from .reduce import reduced
from .world import Operation

GENERATORS: dict[str, Callable[[int, str], Any]] = {"engine": EngineGenerator, "queue": QueueGenerator}
LENGTH = 1000
"""Operations of one history."""
SHARES = {"small": 4, "middle": 5, "wide": 3, "deep": 2, "large": 1}
CHECK_EVERY = 10
"""Operations between two looks at all that a core keeps."""


class Failure(AssertionError):
    """A history that ended in an error."""

    def __init__(
        self, name: str, setup: Setup, operations: Sequence[Operation], error: BaseException, watched: bool
    ) -> None:
        super().__init__(f"{name}: {type(error).__name__}")
        self.name = name
        self.setup = setup
        self.operations = list(operations)
        self.error = error
        self.watched = watched

    def report(self, implementations: Sequence[str] = BOTH) -> str:
        """The history cut down to what still ends in such an error, to be read by `--replay`."""
        left = reduced(self.operations, lambda some: self._fails(some, implementations) is not None)
        error = self._fails(left, implementations) or self.error
        return (
            f"# {self.name}\n{write(self.setup, left)}\n# {_commented(f'{type(error).__name__}: {error}')}\n"
        )

    def _fails(self, operations: Sequence[Operation], implementations: Sequence[str]) -> Exception | None:
        try:
            replay(self.setup, operations, implementations, self.watched)
        except Exception as error:
            return error if type(error) is type(self.error) else None
        return None


def _commented(text: str) -> str:
    return text.replace("\n", "\n# ")


def run(
    kind: str,
    seed: int,
    operations: int,
    implementations: Sequence[str] = BOTH,
    populations: Sequence[str] = tuple(POPULATIONS),
    watched: bool = False,
) -> int:
    """Histories with `operations` in all; returns how many there were. Raises Failure.

    `watched`: the model looks on, which takes several times as long.
    """
    rng = random.Random(seed)
    done = 0
    while done < operations:
        population = rng.choices(populations, [SHARES[name] for name in populations])[0]
        count = LENGTH if population != "large" else LENGTH // 10
        count = min(count, operations - done)
        done += run_one(kind, population, rng.getrandbits(32), count, implementations, watched)
    return done


def run_one(
    kind: str,
    population: str,
    seed: int,
    count: int,
    implementations: Sequence[str] = BOTH,
    watched: bool = False,
) -> int:
    """One history of `count` operations, after which everything is dealt with and everybody leaves."""
    generator = GENERATORS[kind](seed, population)
    applied: list[Operation] = []
    try:
        pair = Pair(generator.setup, implementations, watched)
        while len(applied) < count:
            applied.append(generator.operation())
            pair.apply(applied[-1])
            if len(applied) % CHECK_EVERY == 0:
                pair.check()
        pair.finish()
    except Exception as error:
        name = f"{kind} {population} {seed}"
        raise Failure(name, generator.setup, applied, error, watched) from error
    return len(applied)
