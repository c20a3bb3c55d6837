"""What a codec makes of a stream of the corpus, in the words of the corpus."""

from __future__ import annotations

import hashlib
import re
from types import ModuleType
from typing import Any

from bitswap.conform.case import text
from bitswap.errors import WireError

_WORDS = (
    (r"frame length exceeds 63 bits", "length-overflow"),
    (r"frame length is not minimally", "length-padded"),
    (r"frame of \d+ bytes exceeds", "length-above-limit"),
    (r"stream ended inside a frame length", "cut-length"),
    (r"stream ended after \d+ of", "cut-body"),
    (r"bad protobuf", "protobuf"),
    (r"(wantlist entry|block presence) \d+: ", "cid"),
    (r"payload block \d+: hash function", "hash"),
    (r"payload block \d+: blake3 digests", "hash"),
    (r"payload block \d+: ", "prefix"),
)


def error_class(error: WireError) -> str:
    """Which class of the corpus the words of an error mean."""
    return next((name for words, name in _WORDS if re.match(words, str(error))), f"? {error}")


def decode(codec: ModuleType, stream: bytes, pieces: int = 0) -> tuple[list[dict[str, Any]], str | None]:
    """(messages, class of the error that ended it, or None), fed in pieces of so many bytes."""
    reader = codec.FrameReader()
    messages: list[dict[str, Any]] = []
    size = pieces or max(1, len(stream))
    try:
        for at in range(0, len(stream), size):
            for body in reader.feed(stream[at : at + size]):
                messages.append(content(codec.Message.from_body(body)))
            if reader.error is not None:
                raise reader.error
        reader.eof()
    except WireError as error:
        return messages, error_class(error)
    return messages, None


def content(message: Any) -> dict[str, Any]:
    """A message as the corpus has it, without what is empty."""
    record = {
        "full": message.full,
        "entries": [
            [text(entry.cid), entry.priority, int(entry.want_type), entry.cancel, entry.send_dont_have]
            for entry in message.wantlist()
        ],
        "blocks": [
            [text(block.cid), len(block.data), hashlib.sha256(block.data).hexdigest()]
            for block in message.blocks()
        ],
        "presences": [[text(cid), int(kind)] for cid, kind in message.presences()],
        "pendingBytes": message.pending_bytes,
    }
    return {name: value for name, value in record.items() if value}
