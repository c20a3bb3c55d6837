"""Sends that are measured: the time from handing a message over to what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bitswap.tracer import tell

if TYPE_CHECKING:
    from bitswap.message import Message
    from bitswap.metrics.interface import Metrics, NetworkMetrics
    from bitswap.network.interface import SendDone


def answers_timed(metrics: Metrics, message: Message, now: Callable[[], float], done: SendDone) -> SendDone:
    """What to give a network for `done`, so that `metrics` learns of a message of answers first."""
    size, started = message.size(), now()

    def ended(error: BaseException | None) -> None:
        seconds = now() - started
        if error is None:
            tell("metrics", metrics.answers_sent, size, seconds)
        else:
            tell("metrics", metrics.answers_failed, seconds)
        done(error)

    return ended


def wants_timed(
    metrics: NetworkMetrics, message: Message, now: Callable[[], float], done: SendDone
) -> SendDone:
    """The same for a message with wants or cancels; `done` itself if there are none."""
    entries = message.entry_count
    if not entries:
        return done
    started = now()

    def ended(error: BaseException | None) -> None:
        tell("metrics", metrics.wants_sent, entries, now() - started)
        done(error)

    return ended
