"""Watching every message of a node (boxo `tracer.Tracer`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bitswap.message import Message


class Tracer(Protocol):
    """Called from the node's threads: must return soon. What it raises is logged and nothing else happens."""

    def message_received(self, peer: str, message: Message) -> None:
        """A message was decoded, before either half sees it."""

    def message_sent(self, peer: str, message: Message) -> None:
        """A message is about to be handed to the network, whether or not it will arrive."""
