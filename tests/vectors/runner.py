"""Puts recorded answers of other implementations through ours and reports every difference.

A kind of records has a module of its name here with `check(record, implementation)`: it returns what differs.
Where a kind runs on more than one implementation the module says so in `implementations()`.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from tests.vectors.explained import reason

Record = dict[str, Any]

KINDS = ("wire", "encode", "cid", "unixfs", "engine")


class BadFile(Exception):
    """A file that cannot be read, or that does not hold records of the kind."""


class BadRecord(Exception):
    """A record that lacks something, or has it in another form."""


class Kind(Protocol):
    def check(self, record: Record, implementation: str) -> list[str]: ...


def load(kind: str) -> Kind:
    return importlib.import_module(f"tests.vectors.{kind}")


def implementations(module: Kind) -> Sequence[str]:
    named = getattr(module, "implementations", None)
    return tuple(named()) if named else ("py",)


def records(path: Path) -> Iterator[Record]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise BadFile(f"{path}:{number}: not a JSON object")
                yield record
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadFile(f"{path}: not JSON lines: {error}") from None


def run(kind: str, path: Path, out: TextIO) -> int:
    """Check one file, write a line per difference and the count; returns how many are not explained."""
    module = load(kind)
    names = implementations(module)
    count = differences = 0
    explained: Counter[str] = Counter()
    touched: Counter[str] = Counter()
    for record in records(path):
        count += 1
        title = _title(record) or f"record {count}"
        causes: set[str] = set()
        for name in names:
            try:
                found = module.check(record, name)
            except (BadRecord, KeyError) as error:
                raise BadFile(f"{path}: {title} is no {kind} record: {error!r}") from error
            except Exception as error:
                found = [f"raised {error!r}"]
            reasons = [reason(kind, record, what) for what in found]
            causes.update(why for why in reasons if why is not None)
            for what, why in zip(found, reasons, strict=True):
                if why is None:
                    differences += 1
                    print(f"{path.name}: {title}: {name}: {what}", file=out)
                else:
                    explained[why] += 1
                    print(f"{path.name}: {title}: {name}: {what} (explained: {why})", file=out)
        touched.update(causes)
    for why, number in explained.items():
        print(f"{path.name}: explained: {why}: {number} in {touched[why]} records", file=out)
    aside = f", {explained.total()} explained" if explained else ""
    over = f"{len(names)} implementation{'s' if len(names) > 1 else ''}"
    print(f"{path.name}: {count} records, {over}, {differences} differences{aside}", file=out)
    return differences


def _title(record: Record) -> str | None:
    script = record.get("script")
    return record.get("name") or (script.get("name") if isinstance(script, dict) else None)


def unhex(text: object) -> bytes:
    try:
        return bytes.fromhex(text)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise BadRecord(f"not hexadecimal: {error}") from None


def compare(what: str, expected: object, got: object) -> list[str]:
    """Nothing if equal, else one line that shows where."""
    if expected == got:
        return []
    if isinstance(expected, dict) and isinstance(got, dict):
        keys = dict.fromkeys([*expected, *got])
        return [line for key in keys for line in compare(f"{what}.{key}", expected.get(key), got.get(key))]
    return [f"{what}: expected {_short(expected)}, got {_short(got)}"]


def _short(value: object) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"
