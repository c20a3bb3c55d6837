"""Bounds of the serving half."""

from __future__ import annotations

import pytest

from bitswap.errors import UsageError
from bitswap.options import ServerOptions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_workers", 0),
        ("target_message_size", 0),
        ("max_target_message_size", 1),
        ("max_outstanding_bytes", -1),
        ("max_outstanding_bytes_fast", 1),
        ("max_total_outstanding_bytes", 0),
        ("max_message_answers", 0),
        ("max_wantlist_entries", 0),
        ("min_wantlist_entries", 0),
        ("max_total_wantlist_entries", 0),
        ("max_cid_size", -1),
        ("want_have_replace_size", -1),
        ("starvation_timeout", 0),
        ("retry_delay", 0),
        ("max_retry_delay", 0.01),
        ("max_inbound_messages", 0),
        ("max_inbound_bytes", 0),
    ],
)
def test_a_bound_without_meaning_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        ServerOptions(**{name: value})  # type: ignore[arg-type]


def test_zero_means_no_limit_or_never_where_it_says_so() -> None:
    ServerOptions(max_outstanding_bytes=0, max_cid_size=0, want_have_replace_size=0)
