"""The identify message: what is told, what is merged, what is cut, what is refused."""

from __future__ import annotations

import random

import pytest

from bitswap import varint
from bitswap.network.libp2p.identify import IdentifyError, IdentifyReader, Identity
from bitswap.network.libp2p.protobuf import bytes_field, varint_field
from bitswap.network.libp2p.yamux_stream import YamuxStream
from bitswap.options import KIB, NetworkOptions
from tests.libp2p.muxers import exchange, pair

OPTIONS = NetworkOptions()
FULL = Identity(
    public_key=b"\x08\x01\x12\x20" + bytes(32),
    listen_addrs=(b"\x04\x7f\x00\x00\x01\x06\x0f\xa1", b"\x29" + bytes(16)),
    protocols=("/ipfs/bitswap/1.2.0", "/ipfs/id/1.0.0"),
    observed_addr=b"\x04\x01\x02\x03\x04\x06\x00\x50",
    protocol_version="ipfs/0.1.0",
    agent_version="agent/1",
)


def prefixed(body: bytes) -> bytes:
    return varint.encode(len(body)) + body


def test_what_is_encoded_is_read_back() -> None:
    assert Identity.decode(FULL.encode(), OPTIONS) == FULL
    assert Identity.decode(Identity().encode(), OPTIONS) == Identity()
    assert Identity.decode(b"", OPTIONS) == Identity()


def test_field_numbers_are_those_of_the_specification() -> None:
    assert Identity(protocols=("/a",), agent_version="b").encode() == prefixed(
        bytes_field(1, b"") + bytes_field(3, b"/a") + bytes_field(5, b"") + bytes_field(6, b"b")
    )


def test_several_messages_merge() -> None:
    first = prefixed(bytes_field(3, b"/a") + bytes_field(6, b"old"))
    second = prefixed(bytes_field(3, b"/b") + bytes_field(6, b"new") + bytes_field(8, b"signed record"))
    found = Identity.decode(first + second, OPTIONS)
    assert (found.protocols, found.agent_version) == (("/a", "/b"), "new")


def test_unknown_fields_and_types_are_skipped() -> None:
    body = varint_field(77, 5) + varint_field(3, 1) + bytes_field(99, b"x") + bytes_field(3, b"/a")
    assert Identity.decode(prefixed(body), OPTIONS).protocols == ("/a",)


def test_lists_and_texts_are_cut() -> None:
    options = NetworkOptions(max_peer_protocols=3, max_peer_addrs=2)
    many = Identity(
        protocols=tuple(f"/{number}" for number in range(100)),
        listen_addrs=tuple(bytes([number]) for number in range(100)),
        agent_version="a" * 10_000,
    )
    found = Identity.decode(many.encode(), options)
    assert (len(found.protocols), len(found.listen_addrs), len(found.agent_version)) == (3, 2, 256)


def test_text_that_is_no_text_is_kept_readable() -> None:
    assert Identity.decode(prefixed(bytes_field(6, b"\xff\xfe")), OPTIONS).agent_version == "\ufffd\ufffd"


@pytest.mark.parametrize("raw", [b"\x05abc", b"\x80", b"\x02\x0a\x05", b"\x01\x00", b"\xff" * 12])
def test_what_cannot_be_read_is_a_typed_error(raw: bytes) -> None:
    with pytest.raises(IdentifyError):
        Identity.decode(raw, OPTIONS)


def test_damaged_messages_are_read_or_refused() -> None:
    rng = random.Random(5)
    whole = FULL.encode()
    refused = 0
    for _ in range(3000):
        damaged = bytearray(whole[: rng.randint(0, len(whole))])
        for _ in range(rng.randint(0, 3)):
            if damaged:
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            Identity.decode(bytes(damaged), OPTIONS)
        except IdentifyError:
            refused += 1
    assert refused > 1000


def read(raw: bytes, *, end: bool = True) -> tuple[list[Identity], YamuxStream]:
    left, right = pair()
    stream, _ = left.open()
    exchange(left, right)
    found: list[Identity] = []
    other = right.accepted[0].stream
    assert other is not None
    other.handler = IdentifyReader(other, OPTIONS, found.append)
    stream.write(raw)
    if end:
        stream.end()
    exchange(left, right)
    return found, other


def test_the_answer_ends_with_the_stream() -> None:
    assert read(FULL.encode())[0] == [FULL]
    found, stream = read(FULL.encode(), end=False)
    assert (found, stream.closed) == ([], False)


def test_an_answer_without_end_is_cut_off() -> None:
    found, stream = read(bytes(65 * KIB), end=False)
    assert (found, stream.closed) == ([], True)
