"""Somebody on the network who never answers."""

from __future__ import annotations

import threading

from bitswap.message import Message


class Mute:
    """A peer that never answers."""

    def __init__(self) -> None:
        self.heard = threading.Event()

    def peer_connected(self, peer: str) -> None: ...

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None: ...

    def message_received(self, peer: str, message: Message) -> None:
        self.heard.set()

    def receive_error(self, peer: str, error: BaseException) -> None: ...
