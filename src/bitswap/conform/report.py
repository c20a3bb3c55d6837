"""Findings as text for people, as JSON, and as a table of a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bitswap.conform.check import Check
from bitswap.conform.runner import Finding
from bitswap.conform.verdict import Verdict

_NAME_WIDTH = 26


def lines(finding: Finding, *, whole: bool = False) -> list[str]:
    """The verdict and what was seen; what was expected, and by which rule, unless it passed."""
    check = finding.check
    out = [f"{finding.verdict.value:8} {check.name:{_NAME_WIDTH}} {finding.result.seen}"]
    if whole or finding.verdict in (Verdict.FAIL, Verdict.DIFFERS):
        out += [f"{'':8} {'':{_NAME_WIDTH}} expected: {check.expected}"]
        out += [f"{'':8} {'':{_NAME_WIDTH}} rule: {check.rule}"]
    return out


def listed(check: Check) -> str:
    """A check that has not run."""
    return f"{check.name:{_NAME_WIDTH}} {check.expected} [{check.rule}]"


def described(check: Check) -> dict[str, Any]:
    """The same as JSON."""
    return {"check": check.name, "expected": check.expected, "rule": check.rule}


def record(finding: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return {
        **described(finding.check),
        "verdict": finding.verdict.value,
        "seen": finding.result.seen,
        "seconds": round(finding.seconds, 3),
    }


def totals(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings there are of each verdict."""
    counts = Counter(finding.verdict for finding in findings)
    return {verdict.value: counts[verdict] for verdict in Verdict}


def summary(findings: Sequence[Finding]) -> str:
    """One line."""
    words = ", ".join(f"{count} {name}" for name, count in totals(findings).items() if count)
    plural = "" if len(findings) == 1 else "s"
    return f"{len(findings)} check{plural}: {words or 'none'}"
