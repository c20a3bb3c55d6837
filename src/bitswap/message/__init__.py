"""Bitswap messages, their frames and the versions of the protocol."""

from __future__ import annotations

from bitswap._core import FrameReader, Message
from bitswap._core.interface import Entry, FrameTooLarge, MessageTooLarge, PresenceType, WantType
from bitswap.message.protocols import PROTOCOLS, encoder_version, supports_have
from bitswap.options import MAX_FRAME

__all__ = [
    "MAX_FRAME",
    "PROTOCOLS",
    "Entry",
    "FrameReader",
    "FrameTooLarge",
    "Message",
    "MessageTooLarge",
    "PresenceType",
    "WantType",
    "encoder_version",
    "supports_have",
]
