"""The metrics that are exported: their names, kinds and words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from bitswap.metrics.histogram import Histogram, Reading

Kind = Literal["histogram", "gauge", "counter"]

HELP = {
    "recv_all_blocks_bytes": "Sizes of all blocks received, wanted or not.",
    "recv_dup_blocks_bytes": "Sizes of blocks received that the node had already.",
    "sent_all_blocks_bytes": "Sizes of the messages of answers sent: blocks, HAVEs and DONT_HAVEs.",
    "send_times": "Seconds until the network took a message of answers, or failed to.",
    "wantlist_total": "CIDs that are waited for.",
    "want_blocks_total": "CIDs whose block some peer was asked for and has not sent yet.",
    "blocks_received": "Blocks received, wanted or not, since the start.",
    "haves_received": "HAVEs received for blocks that were waited for, since the start.",
    "wanthaves_broadcast": "Want-haves sent that only a peer which has the block answers, since the start.",
    "bcast_skips_total": "Peers that searches for blocks left out, since the start.",
    "pending_tasks": "Answers queued for peers.",
    "active_tasks": "Answers handed to the network and not yet acknowledged by it.",
    "pending_block_tasks": "Messages of peers that wait for their blocks to be looked up.",
    "active_block_tasks": "Blocks that are being looked up or read in the store.",
    "wants_denied": "Wants refused by the filter, since the start.",
    "answers_delayed": "Messages after which answers waited for a rate in bytes, since the start.",
    "requests_delayed": "Times that a peer's messages waited for a rate in wants, since the start.",
    "requests_in_flight": "Messages being sent, and streams of peers that are open.",
    "response_bytes": "Sizes of the bodies of messages received.",
    "wantlists_total": "Messages with wants or cancels that were sent or given up.",
    "wantlists_items_total": "Wants and cancels in these messages.",
    "wantlists_seconds": "Seconds that sending them took, all attempts included.",
}
"""For people who look at the raw output; `docs/metrics.md` says more."""


class Series(NamedTuple):
    """One metric at one moment."""

    name: str
    kind: Kind
    help: str
    value: Reading | int


def histogram(scope: str, name: str, of: Histogram) -> Series:
    return Series(f"{scope}_{name}", "histogram", HELP[name], of.read())


def counter(scope: str, name: str, value: int) -> Series:
    return Series(f"{scope}_{name}", "counter", HELP[name], value)


def gauges(scope: str, values: Mapping[str, int]) -> Iterator[Series]:
    for name, value in values.items():
        yield Series(f"{scope}_{name}", "gauge", HELP[name], value)
