"""Watching every message of a node (boxo `tracer.Tracer`)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from bitswap.message import Message

_log = logging.getLogger(__name__)


class Tracer(Protocol):
    """Called from the node's threads: must return soon. What it raises is logged and nothing else happens.

    It may be a `spans.SpanTracer` as well.
    """

    def message_received(self, peer: str, message: Message) -> None:
        """A message was decoded, before either half sees it; once a message, also where both halves run."""

    def message_sent(self, peer: str, message: Message) -> None:
        """A message is about to be handed to the network, whether or not it will arrive."""


class SentOnly:
    """What the halves of a combined node are given, because that node tells itself what it receives."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def message_received(self, peer: str, message: Message) -> None: ...

    def message_sent(self, peer: str, message: Message) -> None:
        self._tracer.message_sent(peer, message)

    def __getattr__(self, name: str) -> Any:
        """What a tracer may have besides, as `spans.SpanTracer` says."""
        return getattr(self._tracer, name)


def tell(watcher: str, call: Callable[..., None], *arguments: Any) -> None:
    """Call somebody who watches ("tracer", "metrics"); a failure of theirs is logged and harms nobody."""
    try:
        call(*arguments)
    except Exception:
        _log.exception("the %s failed", watcher)
