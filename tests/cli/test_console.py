"""What people read: sizes, rates, the bar."""

from __future__ import annotations

import io

import pytest

from bitswap.cli.console import Progress, rate_text, size_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (64 << 20, "64.0 MiB"),
        (3 << 30, "3.00 GiB"),
    ],
)
def test_sizes_are_in_the_unit_that_fits(count: int, text: str) -> None:
    assert size_text(count) == text


def test_a_rate_counts_millions_of_bytes() -> None:
    assert rate_text(150_000_000, 0.5) == "300.0 MB/s"


def test_the_bar_tells_share_rate_time_left_peers_and_duplicates() -> None:
    terminal = Terminal()
    with Progress("fetching", 1000, stream=terminal) as progress:
        progress.update(250, peers=2, duplicates=3)
        drawn = terminal.getvalue()
    assert "25%" in drawn
    assert "250 B of 1000 B" in drawn
    assert "MB/s" in drawn
    assert "s left" in drawn
    assert "2 peers" in drawn
    assert "3 duplicates" in drawn
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_nothing_is_drawn_where_nobody_watches() -> None:
    pipe = io.StringIO()
    with Progress("fetching", 1000, stream=pipe) as progress:
        progress.update(500)
    assert pipe.getvalue() == ""


def test_quiet_draws_nothing() -> None:
    terminal = Terminal()
    with Progress("fetching", 1000, quiet=True, stream=terminal) as progress:
        progress.update(500)
    assert terminal.getvalue() == ""


def test_an_unknown_total_shows_what_is_done() -> None:
    terminal = Terminal()
    with Progress("adding", stream=terminal) as progress:
        progress.update(2048)
    assert "2.0 KiB" in terminal.getvalue()
    assert "%" not in terminal.getvalue()
