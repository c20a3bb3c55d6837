"""Everything that a core and a queue can do, and then nothing of them is left: for those who count memory.

`python -m tests.differential.leaks` is run where the memory that nobody refers to any more is reported.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence

from .driver import GENERATORS
from .pair import Pair

POPULATIONS = ("small", "middle", "wide")


def live(seed: int, sides: Sequence[str] = ("c",), operations: int = 300) -> None:
    """A few histories of each kind; half of them are dropped in the middle, with all that is under way."""
    for generator_of in GENERATORS.values():
        for place, population in enumerate(POPULATIONS):
            generator = generator_of(seed, population)
            pair = Pair(generator.setup, sides)
            for _ in range(operations):
                pair.apply(generator.operation())
            if (seed + place) % 2:
                pair.finish()
            del pair
    gc.collect()


def main() -> None:
    for seed in range(30):
        live(seed)


if __name__ == "__main__":
    main()
