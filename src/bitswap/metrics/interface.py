"""What a node tells whoever measures it. Subclasses override what they want; the rest does nothing.

Events are told once a message, however many blocks it carries; what a node can be asked for at any time is
read by whoever wants to know (`watch…`), so it costs nothing meanwhile. Fields of the gauges have the names
under which they are exported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class ClientGauges(NamedTuple):
    """Numbers of a fetching half."""

    wantlist_total: int
    """CIDs that are waited for."""
    want_blocks_total: int
    """CIDs whose block some peer was asked for and has not sent yet."""
    blocks_received: int
    """Blocks received, wanted or not."""
    haves_received: int
    """HAVEs received for blocks that were waited for."""
    wanthaves_broadcast: int
    """Want-haves sent that only a peer which has the block answers, repetitions included."""
    bcast_skips_total: int
    """Peers that searches for blocks left out."""


class ServerGauges(NamedTuple):
    """Numbers of a serving half."""

    pending_tasks: int
    """Answers queued."""
    active_tasks: int
    """Answers handed to the network and not yet acknowledged by it."""
    pending_block_tasks: int
    """Messages of peers that wait for a worker, which looks up their blocks."""
    active_block_tasks: int
    """Blocks that are looked up or read in the store right now."""
    wants_denied: int
    """Wants that the filter refused."""
    answers_delayed: int
    """Messages of answers after which a peer, or everybody, had to wait for a rate in bytes."""
    requests_delayed: int
    """Times that messages of a peer had to wait for a rate in wants."""


class NetworkGauges(NamedTuple):
    """Numbers of a network."""

    requests_in_flight: int
    """Messages being sent, and streams of peers that are open."""


GROWING = frozenset(
    {
        *("blocks_received", "haves_received", "wanthaves_broadcast", "bcast_skips_total"),
        *("wants_denied", "answers_delayed", "requests_delayed"),
    }
)
"""Gauges that count from the start of a node (boxo exports these as gauges too)."""

Stop = Callable[[], None]
"""Ends a `watch`; a second call does nothing."""


class NetworkMetrics:
    """What a network tells, from its own thread."""

    def message_received(self, size: int) -> None:
        """A message came; `size` is that of its body in bytes."""

    def wants_sent(self, entries: int, seconds: float) -> None:
        """A message with wants or cancels was sent or given up, after `seconds` with all attempts."""

    def watch(self, read: Callable[[], NetworkGauges]) -> Stop:
        """Have these numbers read whenever somebody looks, from any thread."""
        return _nothing


class Metrics:
    """What both halves of a node tell, from threads of the node: must return soon. Raising harms nobody."""

    def blocks_received(self, sizes: Sequence[int]) -> None:
        """The blocks of one message, in bytes each; whether anybody wanted them does not matter."""

    def duplicates_received(self, sizes: Sequence[int]) -> None:
        """Those of them that the node had already."""

    def answers_sent(self, size: int, seconds: float) -> None:
        """The network took a message of answers, of `Message.size` bytes, `seconds` after it was given it."""

    def answers_failed(self, seconds: float) -> None:
        """It did not, and said so after `seconds`."""

    def watch_client(self, read: Callable[[], ClientGauges]) -> Stop:
        """Have these numbers read whenever somebody looks, from any thread."""
        return _nothing

    def watch_server(self, read: Callable[[], ServerGauges]) -> Stop:
        """Have these numbers read whenever somebody looks, from any thread."""
        return _nothing

    def network(self, scope: str) -> NetworkMetrics | None:
        """Where a network tells what it does; `scope` names the kind, as "exchange_bitswap"."""
        return None


@runtime_checkable
class ObservedNetwork(Protocol):
    """A network that has something to tell."""

    def observe(self, metrics: Metrics) -> None:
        """Tell `metrics` what happens; called once, before `start`."""


def _nothing() -> None: ...
