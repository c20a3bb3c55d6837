"""Recorded answers of go-cid: which texts, bytes and prefixes are CIDs, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bitswap.cid import CID, Prefix
from bitswap.errors import InvalidCid

_BASES = ("base36", "base58btc")


def check(record: dict[str, Any], implementation: str) -> list[str]:
    """Differences between a record of kind string, bytes or prefix and what the library does with it.

    CIDs have one implementation, so `implementation` changes nothing.
    """
    kind = record["kind"]
    if kind == "string":
        found, differences = _verdict(record, "verdict", lambda: CID.decode(record["string"]))
        if "parse_verdict" in record:
            parsed, more = _verdict(record, "parse_verdict", lambda: CID(record["string"]))
            differences += more
            if parsed is not None and str(parsed) != record.get("parse_canonical"):
                differences.append(f"parsed: {parsed}, not {record.get('parse_canonical')}")
    elif kind == "bytes":
        found, differences = _verdict(record, "verdict", lambda: CID(bytes.fromhex(record["hex"])))
    elif kind == "prefix":
        prefix, differences = _verdict(record, "verdict", lambda: Prefix.parse(bytes.fromhex(record["hex"])))
        expected = record.get("prefix")
        if prefix is not None and expected is not None:
            named = ("version", "codec", "mh_code", "mh_length")
            differences += _unequal(zip(named, prefix, strict=True), expected)
        return differences
    else:
        return [f"unknown kind {kind!r}"]
    if found is not None and "cid" in record:
        differences += _unequal(_parts(found, record["cid"]), record["cid"])
    return differences


def _verdict(record: dict[str, Any], key: str, parse: Callable[[], Any]) -> tuple[Any, list[str]]:
    """What was parsed, and whether parsing went otherwise than recorded; the errors must say something."""
    try:
        found = parse()
    except InvalidCid as error:
        if record[key] == "ok":
            return None, [f"{key}: refused ({error})"]
        return None, [] if str(error) else ["the error says nothing"]
    return found, [] if record[key] == "ok" else [f"{key}: accepted as {found!r}"]


def _parts(cid: CID, wanted: dict[str, Any]) -> list[tuple[str, Any]]:
    parts = [
        ("version", cid.version),
        ("codec", cid.codec),
        ("mh_code", cid.hash_code),
        ("mh_length", len(cid.digest)),
        ("digest_hex", cid.digest.hex()),
        ("canonical", str(cid)),
        ("bytes_hex", cid.bytes.hex()),
        ("prefix_hex", cid.prefix.hex()),
    ]
    return parts + [(base, cid.encode(base)) for base in _BASES if base in wanted]


def _unequal(found: Any, expected: dict[str, Any]) -> list[str]:
    return [f"{name}: {value!r}, not {expected[name]!r}" for name, value in found if value != expected[name]]
