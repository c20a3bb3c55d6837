"""The table of docs/conform.md has every check as it is, with the verdicts that the other tests expect."""

from __future__ import annotations

from bitswap.conform.runner import chosen
from tests.conform.__main__ import BEGIN, END, PAGE, row
from tests.conform.boxo import EXPECTED


def test_the_page_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = text.partition(BEGIN)[2].partition(END)[0].splitlines(keepends=True)[2:]
    expected = [row(check, "pass", EXPECTED.get(check.name, ("pass",))[0]) for check in chosen()]
    assert rows == expected, "run python -m tests.conform"
