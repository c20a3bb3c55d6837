"""Recorded scripts of inputs to boxo's server, and all that it answered.

What the engine in Python does is compared with the record, what another implementation does with that.
A script without a feature in which we differ on purpose must give the same result. In the others a difference
is explained only if undoing decisions of ours makes the whole result the recorded one: each difference is put
down to the decision whose undoing removes it. Whatever that leaves over counts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any

from bitswap.decision.engine import Engine
from bitswap.decision.implementations import implementations as decision_implementations
from bitswap.errors import UsageError
from bitswap.options import ServerOptions
from tests.vectors.engine_compare import differences
from tests.vectors.engine_replay import SALT, Make, Replay, SizeOf
from tests.vectors.engine_undone import Decision, UndoneCore
from tests.vectors.explained import Explained
from tests.vectors.runner import Record

FEATURES: dict[str, tuple[Decision, ...]] = {
    "full-list": (Decision.EMPTY_FULL_CLEARS, Decision.FULL_REPLACES),
    "zero-length": (Decision.EMPTY_IS_NOT_MISSING,),
    "wantlist-limit": (
        Decision.NO_ZERO_LIMIT,
        Decision.CANCELS_FIRST,
        Decision.OVERFLOW_BY_PRIORITY,
        Decision.MERGED_THEN_CUT,
    ),
    "send-errors": (Decision.FAILED_IS_OWED,),
    "zero-target": (Decision.NO_ZERO_LIMIT,),
}
"""What a script touches -> the decisions that can make its result another."""

_REFUSED = "options"


def _running(implementation: str) -> Make:
    def make(options: ServerOptions, size_of: SizeOf, envelopes: int) -> Engine:
        return Engine("me", options, SALT, envelopes_per_peer=envelopes, implementation=implementation)

    return make


_IMPLEMENTATIONS: dict[str, Make] = {name: _running(name) for name in decision_implementations()}


def implementations() -> Sequence[str]:
    return tuple(_IMPLEMENTATIONS)


def check(record: Record, implementation: str) -> list[str]:
    """What differs from the record; for another implementation than "py", what differs from that one."""
    if implementation != "py":
        expected, got = (_result(record, _IMPLEMENTATIONS[name]) for name in ("py", implementation))
        found = differences(expected, got, ordered=True)
        return [f"{where}, beside the engine in Python: {what}" for where, what in found.items()]
    found = _replayed(record, _IMPLEMENTATIONS["py"])
    if not found:
        return []
    why = _attributed(record, found)
    lines = [(f"{where}: {what}", why.get(where)) for where, what in found.items()]
    return [Explained(line, cause.value) if cause is not None else line for line, cause in lines]


def _attributed(record: Record, found: dict[str, str]) -> dict[str, Decision]:
    """The decision that each difference comes from; nothing unless undoing them gives the recorded result.

    Of several decisions it takes as few as possible, and undoes one after the other: a difference belongs to
    the one after which it is gone for good.
    """
    possible = {decision for feature in record["features"] for decision in FEATURES.get(feature, ())}
    usual = [decision for decision in Decision if decision in possible]
    # With nothing undone the model must do what the implementation does, or it proves nothing about it.
    if not usual or _replayed_without(record, ()) != found:
        return {}
    for count in range(1, len(usual) + 1):
        for decisions in combinations(usual, count):
            if not _replayed_without(record, decisions):
                why = dict.fromkeys(found, decisions[-1])
                for position in range(count - 1, 0, -1):
                    left = _replayed_without(record, decisions[:position])
                    why.update((where, decisions[position - 1]) for where in found if where not in left)
                return why
    return {}


def _replayed_without(record: Record, undone: Collection[Decision]) -> dict[str, str]:
    """The differences that are left without these decisions."""
    options = record["script"]["options"]
    zero = Decision.NO_ZERO_LIMIT in undone
    deaf = zero and not options["max_wantlist"]
    mute = zero and not options["target_message_size"]

    def make(options: ServerOptions, size_of: SizeOf, envelopes: int) -> Engine:
        engine = Engine("me", options, SALT, implementation="py")
        core: Any = UndoneCore(options, size_of, envelopes, undone, deaf=deaf, mute=mute)
        engine._core = core
        return engine

    return _replayed(record, make, least=1 if zero else 0)


def _replayed(record: Record, make: Make, least: int = 0) -> dict[str, str]:
    """What differs from the record."""
    result = _result(record, make, least)
    if _REFUSED in result:
        return {_REFUSED: f"refused ({result[_REFUSED]})"}
    return differences(record["result"], result, ordered=record["script"]["options"]["task_workers"] == 1)


def _result(record: Record, make: Make, least: int = 0) -> dict[str, Any]:
    try:
        return Replay(record["script"], make, least).run()
    except UsageError as error:
        return {_REFUSED: str(error)}
