"""Seeded random histories over both implementations, and over the model.

BITSWAP_DIFFERENTIAL=1000000 runs that many operations instead of a few thousand, BITSWAP_SEED chooses them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from bitswap.decision.implementations import implementations

from .catalogue import CIDS
from .driver import Failure, run, run_one
from .engine_operations import POPULATIONS, EngineGenerator
from .engine_side import EngineSetup
from .pair import Difference, Pair, read, write
from .reduce import reduced
from .world import Operation

OPERATIONS = int(os.environ.get("BITSWAP_DIFFERENTIAL", "12000"))
SEED = int(os.environ.get("BITSWAP_SEED", "1"))
SIDES = tuple(implementations())

pytestmark = pytest.mark.timeout(7200)


def no_difference(kind: str, operations: int, sides: Sequence[str], watched: bool = False) -> None:
    try:
        run(kind, SEED, operations, sides, watched=watched)
    except Failure as failure:
        pytest.fail(f"{failure}\n{failure.report(sides)}", pytrace=False)


@pytest.mark.parametrize("kind", ["engine", "queue"])
def test_both_do_the_same(kind: str) -> None:
    no_difference(kind, OPERATIONS, SIDES if len(SIDES) > 1 else ("py", "py"))


@pytest.mark.parametrize("side", SIDES)
def test_each_follows_the_rules(side: str) -> None:
    no_difference("engine", OPERATIONS // 4, (side,), watched=True)


# The machine itself


def test_the_same_seed_draws_the_same_history() -> None:
    one, other = (EngineGenerator(5, "middle") for _ in range(2))
    assert [one.operation() for _ in range(300)] == [other.operation() for _ in range(300)]


def test_a_written_history_is_read_again() -> None:
    generator = EngineGenerator(6, "small")
    operations = [generator.operation() for _ in range(200)]
    assert read(write(generator.setup, operations)) == (generator.setup, operations)


def test_a_history_is_cut_down_to_what_matters() -> None:
    operations: list[Operation] = [("clock", float(n)) for n in range(100)]
    operations[37] = ("notify", tuple((n, n) for n in range(20)))

    def fails(some: Sequence[Operation]) -> bool:
        wanted = any(operation[0] == "notify" and (13, 13) in operation[1] for operation in some)
        return wanted and ("clock", 5.0) in some

    left = reduced(operations, fails)
    assert len(left) == 2
    assert left[0] == ("clock", 5.0)
    assert len(left[1][1]) < 20


def test_a_difference_is_found_and_told() -> None:
    pair = Pair(EngineSetup({}, layer="core"), ("py", "py"))
    pair.apply(("message", 0, "receive", False, ((3, 1, 0, False, False),)))
    pair.sides[1].core.notify_new_blocks({CIDS[3]: 100}, 1000.0)
    with pytest.raises(
        Difference, match=r"after \('next',\)\npy: None.*\npy: \['A', \[#3\], 0, 0, 0, False\]"
    ):
        pair.apply(("next",))


def test_the_model_notices_what_both_sides_forget() -> None:
    pair = Pair(EngineSetup({}, stored=10), ("py",), watched=True)
    pair.apply(("message", 0, "receive", False, ((3, 1, 0, False, False),)))
    pair.sides[0].core.peer_disconnected("A")
    with pytest.raises(Difference, match="the rules say"):
        pair.apply(("next",))


def test_populations_are_of_every_size() -> None:
    for population in POPULATIONS:
        assert run_one("engine", population, 3, 20, ("py",)) == 20
