"""Records of calls on boxo's messages, with what it wrote for them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from bitswap import _core
from bitswap._core import Message
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.varint import decode as decode_varint
from bitswap.varint import encode as encode_varint
from tests.vectors.runner import Record, compare, unhex
from tests.vectors.wire import describe

LONGEST_ELEMENT = 4096
"""Bytes of an element up to which a record holds it whole."""
LONGEST_CANONICAL = 64 * 1024
"""The same for a canonical body."""


def implementations() -> Sequence[str]:
    return tuple(_core.implementations())


def check(record: Record, implementation: str) -> list[str]:
    module = _core.implementations()[implementation]
    message: Message | None = None
    found: list[str] = []
    for call in record["calls"]:
        if call["op"] == "New":
            message = module.Message(call["full"])
            continue
        assert message is not None
        returned = _apply(message, call)
        if "returns" in call:
            found += compare(f"{call['op']} of {call['cid']}", call["returns"], returned)
    assert message is not None
    found += compare("size", record["size"], message.size())
    found += compare("empty", record["empty"], message.empty())
    found += compare("full", record["full"], message.full)
    found += compare("haves", sorted(record["haves"]), sorted(map(str, message.haves())))
    found += compare("dontHaves", sorted(record["dontHaves"]), sorted(map(str, message.dont_haves())))
    found += compare("state", record["state"], describe(message))
    found += compare("read again", record["state"], describe(module.Message.from_body(message.to_body())))
    for version in (0, 1):
        got = _describe_body(message, version)
        # Absent instead of empty where the body is long.
        found += compare(f"v{version}", {"canonical_hex": "", **record[f"v{version}"]}, got)
    return found


def _apply(message: Message, call: dict[str, Any]) -> int | None:
    op = call["op"]
    cid = CID(call["cid"]) if "cid" in call else None
    if op == "SetPendingBytes":
        message.pending_bytes = call["n"]
    elif op == "Reset":
        message.reset(call["full"])
    elif cid is None:
        raise KeyError("cid")
    elif op == "AddEntry":
        return message.add_entry(cid, call["priority"], call["wantType"], call["sendDontHave"])
    elif op == "Cancel":
        return message.cancel(cid)
    elif op == "Remove":
        message.remove(cid)
    elif op == "AddBlock":
        data = b"z" * call["data_fill"] if "data_fill" in call else unhex(call.get("data_hex", ""))
        message.add_block(Block(cid, data))
    elif op == "AddHave":
        message.add_have(cid)
    elif op == "AddDontHave":
        message.add_dont_have(cid)
    elif op == "AddBlockPresence":
        message.add_presence(cid, call["type"])
    else:
        raise KeyError(op)
    return None


def _describe_body(message: Message, version: int) -> dict[str, Any]:
    body, frame = message.to_body(version), message.to_frame(version)
    if frame != encode_varint(len(body)) + body:
        return {"frame": "is not the length and the body"}
    fields = _fields(body)
    wantlist = _fields(fields[1][0])
    entries, full = wantlist.get(1, []), wantlist.get(2, [])
    pending = fields.get(5, [b""])[0]
    canonical = _repeated(1, [_repeated(1, sorted(entries)) + (b"\x10\x01" if full else b"")])
    canonical += b"".join(_repeated(number, sorted(fields.get(number, []))) for number in (2, 3, 4))
    canonical += b"\x28" + pending if pending else b""
    return {
        "full": bool(full),
        "entries": _elements(entries),
        "blocks": _elements(fields.get(2, [])),
        "payload": _elements(fields.get(3, [])),
        "presences": _elements(fields.get(4, [])),
        "pendingBytes": message.pending_bytes if pending else 0,
        "body_size": len(body),
        "frame_size": len(frame),
        "canonical_hex": canonical.hex() if len(canonical) <= LONGEST_CANONICAL else "",
        "canonical_sha256": hashlib.sha256(canonical).hexdigest(),
    }


def _fields(data: bytes) -> dict[int, list[bytes]]:
    """The fields of a message that has varints and bytes only; of varints the encoded form."""
    fields: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        number, wire_type = data[at] >> 3, data[at] & 7
        start = at + 1
        if wire_type == 2:
            length, start = decode_varint(data, start)
            at = start + length
        else:
            at = start
            while data[at] & 0x80:
                at += 1
            at += 1
        fields.setdefault(number, []).append(data[start:at])
    return fields


def _repeated(number: int, contents: list[bytes]) -> bytes:
    return b"".join(bytes([number << 3 | 2]) + encode_varint(len(content)) + content for content in contents)


def _elements(contents: list[bytes]) -> list[str]:
    return [
        content.hex()
        if len(content) <= LONGEST_ELEMENT
        else f"sha256:{hashlib.sha256(content).hexdigest()}:{len(content)}"
        for content in sorted(contents)
    ]
