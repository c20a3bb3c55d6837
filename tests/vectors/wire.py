"""Records of bodies and streams as boxo's `message.FromNet` read them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from bitswap import _core
from bitswap._core import Message
from bitswap.errors import WireError
from bitswap.varint import encode as encode_varint
from tests.vectors.runner import Record, compare, unhex

ONE_BY_ONE = 16
"""Bytes at the start of a stream that are fed singly, so that a bad length shows how far it was read."""


def implementations() -> Sequence[str]:
    return tuple(_core.implementations())


def check(record: Record, implementation: str) -> list[str]:
    module = _core.implementations()[implementation]
    stream = _bytes(record)
    if not record.get("framed"):
        stream = encode_varint(len(stream)) + stream
    body, consumed, error = _first_body(module.FrameReader, stream)
    found = compare("consumed", record["consumed"], consumed)
    message = None
    if body is not None:
        found += _split_otherwise(module.FrameReader, stream, body)
        try:
            message = module.Message.from_body(body)
        except WireError as failure:
            error = failure
    if record["verdict"] == "ok":
        if message is None:
            return [*found, f"verdict: expected ok, got error: {error}"]
        return found + compare("parsed", record["parsed"], describe(message)) + _again(module, message)
    if message is not None:
        found.append(f"verdict: expected error ({record.get('go_error')}), got ok: {message!r}")
    return found


def describe(message: Message) -> dict[str, Any]:
    """The message as records have it: lists sorted by the text of the CID."""
    entries = [
        {
            "cid": str(entry.cid),
            "priority": entry.priority,
            "cancel": entry.cancel,
            "wantType": entry.want_type,
            "sendDontHave": entry.send_dont_have,
        }
        for entry in message.wantlist()
    ]
    blocks = [
        {
            "cid": str(block.cid),
            "size": len(block.data),
            "sha256": hashlib.sha256(block.data).hexdigest(),
        }
        for block in message.blocks()
    ]
    presences = [{"cid": str(cid), "type": kind} for cid, kind in message.presences()]
    return {
        "full": message.full,
        "entries": sorted(entries, key=lambda item: str(item["cid"])),
        "blocks": sorted(blocks, key=lambda item: str(item["cid"])),
        "presences": sorted(presences, key=lambda item: str(item["cid"])),
        "pendingBytes": message.pending_bytes,
        "bodySize": message.body_size,
        "msgSize": message.size(),
        "empty": message.empty(),
    }


def _bytes(record: Record) -> bytes:
    if "parts" in record:
        return b"".join(unhex(part) * times for part, times in record["parts"])
    return unhex(record.get("hex", ""))


def _first_body(reader_type: Any, stream: bytes) -> tuple[bytes | None, int, WireError | None]:
    """The first body of a stream, the bytes taken for it, and the error there was instead."""
    reader = reader_type()
    fed = 0
    try:
        while fed < len(stream):
            size = 1 if fed < ONE_BY_ONE else len(stream) - fed
            bodies = reader.feed(stream[fed : fed + size])
            fed += size
            if bodies:
                return bodies[0], len(encode_varint(len(bodies[0]))) + len(bodies[0]), None
        reader.eof()
    except WireError as error:
        # The byte that was refused has been read.
        return None, min(fed + 1, len(stream)), error
    return None, fed, None


def _split_otherwise(reader_type: Any, stream: bytes, body: bytes) -> list[str]:
    """The first body must not depend on how the stream was split."""
    try:
        bodies = reader_type().feed(stream)
    except WireError as error:
        return [f"whole stream at once: {error}"]
    return [] if bodies[0] == body else ["whole stream at once: another body"]


def _again(module: Any, message: Message) -> list[str]:
    """What was read is the same when it is written and read again."""
    copy = module.Message.from_body(message.to_body())
    expected, got = describe(message), describe(copy)
    del expected["bodySize"], got["bodySize"]
    return compare("written and read again", expected, got)
