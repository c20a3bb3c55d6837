from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.errors import UsageError
from bitswap.network.libp2p.multistream import (
    HEADER,
    MAX_LINE,
    Initiator,
    Listener,
    NegotiationError,
    Negotiator,
    encode_line,
)


def exchange(initiator: Negotiator, listener: Negotiator, step: int = 1 << 20) -> None:
    """Carry bytes both ways, `step` at a time, until both are silent."""
    for _ in range(100):
        moved = 0
        for source, target in ((initiator, listener), (listener, initiator)):
            data = source.data_to_send()
            for at in range(0, len(data), step):
                target.receive(data[at : at + step])
            moved += len(data)
        if not moved:
            return
    raise AssertionError("the two sides never fall silent")


def test_lines_on_the_wire() -> None:
    initiator = Initiator(["/ipfs/bitswap/1.2.0", "/ipfs/bitswap/1.1.0"])
    assert initiator.data_to_send() == b"\x13/multistream/1.0.0\n\x14/ipfs/bitswap/1.2.0\n"
    assert initiator.data_to_send() == b""
    initiator.receive(b"\x13/multistream/1.0.0\n\x03na\n")
    assert initiator.data_to_send() == b"\x14/ipfs/bitswap/1.1.0\n"
    initiator.receive(b"\x14/ipfs/bitswap/1.1.0\nrest")
    assert initiator.selected == "/ipfs/bitswap/1.1.0"
    assert initiator.leftover == b"rest"


def test_listener_on_the_wire() -> None:
    listener = Listener(["/b"])
    assert listener.data_to_send() == b"\x13/multistream/1.0.0\n"
    listener.receive(b"\x13/multistream/1.0.0\n\x03/a\n")
    assert listener.data_to_send() == b"\x03na\n"
    assert listener.selected is None
    listener.receive(b"\x03/b\nrest")
    assert listener.data_to_send() == b"\x03/b\n"
    assert listener.selected == "/b"
    assert listener.leftover == b"rest"


@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(
    ("proposed", "known", "agreed"),
    [
        (["/a"], ["/a"], "/a"),
        (["/a", "/b"], ["/b", "/a"], "/a"),
        (["/x", "/y", "/b"], ["/a", "/b"], "/b"),
        (["/" + "l" * 1000], ["/" + "l" * 1000], "/" + "l" * 1000),
    ],
)
def test_agreement(proposed: Sequence[str], known: Sequence[str], agreed: str, step: int) -> None:
    initiator, listener = Initiator(proposed), Listener(known)
    exchange(initiator, listener, step)
    assert initiator.selected == listener.selected == agreed
    assert initiator.leftover == listener.leftover == b""


def test_nothing_in_common() -> None:
    initiator, listener = Initiator(["/a", "/b"]), Listener(["/c"])
    with pytest.raises(NegotiationError, match="none of /a, /b is supported by the peer"):
        exchange(initiator, listener)
    assert listener.selected is None


def test_payload_sent_ahead_arrives() -> None:
    initiator, listener = Initiator(["/a"]), Listener(["/a"])
    ahead = initiator.data_to_send() + b"payload"
    listener.receive(ahead)
    assert listener.leftover == b"payload"
    listener.receive(b" goes on")
    assert listener.leftover == b"payload goes on"
    initiator.receive(listener.data_to_send() + b"answer")
    assert initiator.selected == "/a"
    assert initiator.leftover == b"answer"


def test_header_and_answer_may_come_apart() -> None:
    listener = Listener(["/a"])
    header = listener.data_to_send()
    initiator = Initiator(["/a"])
    initiator.receive(header)
    assert initiator.selected is None
    listener.receive(initiator.data_to_send())
    initiator.receive(listener.data_to_send())
    assert initiator.selected == "/a"


def test_protocols_are_listed_on_request() -> None:
    listener = Listener(["/a", "/bb"])
    listener.data_to_send()
    listener.receive(encode_line(HEADER) + encode_line("ls") + encode_line("/bb"))
    assert listener.data_to_send() == b"\x0a\x03/a\n\x04/bb\n\n" + b"\x04/bb\n"
    assert listener.selected == "/bb"


def test_proposals_are_bounded() -> None:
    listener = Listener(["/a"], max_proposals=3)
    listener.receive(encode_line(HEADER) + encode_line("/x") * 3)
    with pytest.raises(NegotiationError, match="too many proposals"):
        listener.receive(encode_line("/a"))
    assert listener.selected is None


@pytest.mark.parametrize("size", [MAX_LINE - 2, MAX_LINE - 1])
def test_longest_line(size: int) -> None:
    name = "x" * size
    listener = Listener([name])
    listener.receive(encode_line(HEADER) + encode_line(name))
    assert listener.selected == name


def test_own_names_that_are_too_long() -> None:
    with pytest.raises(UsageError, match="at most 1023"):
        Initiator(["x" * MAX_LINE])
    with pytest.raises(UsageError, match="no protocol"):
        Initiator([])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00", "or of none"),
        (b"\x81\x08", "more than 1024 bytes"),
        (b"\xff\xff\xff", "more than 1024 bytes"),
        (b"\x03abc", "without its end"),
        (b"\x03\xff\xfe\n", "not text"),
        (b"\x04/tls", "without its end"),
        (encode_line("/multistream/2.0.0"), "speaks '/multistream/2.0.0' instead"),
        (b"GET / HTTP/1.1\r\n" + b" " * 100, "not multistream-select"),
        (encode_line("x" * 500), "speaks 'x{40}' instead"),
    ],
)
@pytest.mark.parametrize("machine", [Initiator, Listener])
def test_bytes_that_are_not_multistream(
    machine: type[Initiator] | type[Listener], data: bytes, words: str
) -> None:
    with pytest.raises(NegotiationError, match=words):
        machine(["/a"]).receive(data)


def test_answer_that_was_not_asked_for() -> None:
    with pytest.raises(NegotiationError, match="answered '/b' to the proposal /a"):
        Initiator(["/a"]).receive(encode_line(HEADER) + encode_line("/b"))


NAMES = st.lists(st.sampled_from(["/a", "/bb", "/ipfs/ping/1.0.0", "/tls/1.0.0", "/noise"]), unique=True)


@given(NAMES.filter(bool), NAMES, st.binary(), st.data())
def test_any_split_gives_the_same(
    proposed: list[str], known: list[str], payload: bytes, data: st.DataObject
) -> None:
    """However the bytes are cut, the listener gives the same answers, agreement and rest."""
    agreed = next((name for name in proposed if name in known), None)
    heard = proposed if agreed is None else proposed[: proposed.index(agreed) + 1]
    stream = b"".join(encode_line(line) for line in (HEADER, *heard))
    if agreed is not None:
        stream += payload
    listener = Listener(known)
    at, out = 0, b""
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        listener.receive(stream[at : at + size])
        out += listener.data_to_send()
        at += size
    answers = [HEADER] + [name if name == agreed else "na" for name in heard]
    assert out == b"".join(encode_line(line) for line in answers)
    assert listener.selected == agreed
    assert listener.leftover == (payload if agreed else b"")


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_agree_or_are_an_error(pieces: list[bytes]) -> None:
    for machine in (Initiator(["/a"]), Listener(["/a"])):
        machine.receive(encode_line(HEADER))
        try:
            for piece in pieces:
                machine.receive(piece)
        except NegotiationError:
            continue
        assert machine.selected in (None, "/a")
