"""Scenario files: TOML, or JSON with the same keys (for Python 3.10, which reads no TOML by itself).

Keys at the top are those of `Scenario`, tables and lists of tables those of its parts; see
docs/simulation.md. A delay is a number of seconds, or one of {uniform = [a, b]},
{normal = [mean, deviation]}, {internet = {…}}; a rate is a number of bytes a second, or {normal = […]}.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from bitswap.errors import UsageError
from bitswap.options import ClientOptions, ServerOptions
from bitswap.simulation.scenario import Blocks, Fault, Fetching, Group, Holding, Links, Scenario
from bitswap.testnet.delays import Delay, fixed, internet, normal, uniform
from bitswap.testnet.rates import Rate, fixed_rate, normal_rate

_Part = TypeVar("_Part")


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario from a file ending in .toml or .json.

    UsageError for what is no scenario, with the place in the file; OSError if it cannot be read.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    try:
        table = json.loads(text) if path.suffix == ".json" else _toml().loads(text)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(table, dict):
        raise UsageError(f"{path}: not a table of keys and values")
    try:
        return scenario_of({"name": path.stem, **table})
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _toml() -> Any:
    for module in ("tomllib", "tomli"):
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError:
            continue
    raise UsageError("Python 3.10 reads no TOML: write the scenario as JSON, or install tomli")


def scenario_of(table: Mapping[str, Any]) -> Scenario:
    """The scenario that the keys of a file make."""
    plain = _plain(Scenario, table, "the scenario", leave=(*_LISTS, "blocks"))
    for name, kind in _LISTS.items():
        if name in table:
            parts = table[name]
            if not isinstance(parts, list):
                raise UsageError(f"{name} is a list of tables")
            plain[name] = tuple(_part(kind, part, f"{name}[{place}]") for place, part in enumerate(parts))
    if "nodes" not in plain:
        raise UsageError("the scenario has no nodes")
    if "blocks" in table:
        plain["blocks"] = _part(Blocks, table["blocks"], "blocks")
    return Scenario(**plain)


def _part(kind: Callable[..., _Part], table: object, where: str) -> _Part:
    if not isinstance(table, dict):
        raise UsageError(f"{where} is a table")
    try:
        return kind(**_plain(kind, table, where))
    except TypeError as error:
        raise UsageError(f"{where}: {str(error).partition(') ')[2] or error}") from None


def _plain(kind: Any, table: Mapping[str, Any], where: str, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values of the fields of `kind`, checked and converted one by one."""
    kinds = {field.name: str(field.type) for field in fields(kind)}
    found: dict[str, Any] = {}
    for name, value in table.items():
        if name not in kinds:
            raise UsageError(f"{where}: there is no {name!r}; there are {', '.join(kinds)}")
        if name not in leave:
            try:
                found[name] = _READ[kinds[name]](value)
            except (TypeError, ValueError) as error:
                raise UsageError(f"{where}.{name}: {error}") from None
    return found


# -- values


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{value!r} is no text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{value!r} is neither true nor false")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{value!r} is no whole number")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{value!r} is no number")
    return float(value)


def _numbers(value: object, count: int) -> list[float]:
    if not isinstance(value, list) or len(value) != count:
        raise UsageError(f"{value!r} is no list of {count} numbers")
    return [_number(number) for number in value]


def _ranges(value: object) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list):
        raise UsageError(f"{value!r} is no list of ranges")
    return tuple((_whole(first), _whole(last)) for first, last in value)


def _one_key(value: object, keys: str) -> tuple[str, Any]:
    if not isinstance(value, dict) or len(value) != 1:
        raise UsageError(f"{value!r} is neither a number nor a table with one key of {keys}")
    return next(iter(value.items()))


def _delay(value: object) -> Delay:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return fixed(_number(value))
    kind, given = _one_key(value, "uniform, normal, internet")
    if kind == "uniform":
        return uniform(*_numbers(given, 2))
    if kind == "normal":
        return normal(*_numbers(given, 2))
    if kind != "internet" or not isinstance(given, dict):
        raise UsageError(f"there is no delay {kind!r}; there are uniform, normal, internet")
    return internet(**{name: _number(number) for name, number in given.items()})


def _rate(value: object) -> Rate:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value <= 0:
            raise UsageError("a rate must be positive")
        return fixed_rate(_number(value))
    kind, given = _one_key(value, "normal")
    if kind != "normal":
        raise UsageError(f"there is no rate {kind!r}; there is normal")
    return normal_rate(*_numbers(given, 2))


def _options(kind: Callable[..., _Part]) -> Callable[[object], _Part]:
    def read(value: object) -> _Part:
        if not isinstance(value, dict):
            raise UsageError(f"{value!r} is no table of options")
        return kind(**value)

    return read


_LISTS: dict[str, Callable[..., Any]] = {
    "nodes": Group,
    "links": Links,
    "holdings": Holding,
    "fetches": Fetching,
    "faults": Fault,
}

_READ: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "str | None": _text,
    "bool": _flag,
    "int": _whole,
    "int | None": _whole,
    "float": _number,
    "float | None": _number,
    "Delay": _delay,
    "Delay | None": _delay,
    "Rate | None": _rate,
    "tuple[tuple[int, int], ...]": _ranges,
    "ClientOptions": _options(ClientOptions),
    "ServerOptions": _options(ServerOptions),
}
"""How a field is read, by its annotation."""
