from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from bitswap.network.libp2p import noise_state, protobuf
from bitswap.network.libp2p.noise import MAX_MESSAGE, MAX_PLAINTEXT, NoiseChannel
from bitswap.network.libp2p.noise_handshake import MAX_MUXERS, SIGNED_PREFIX, NoiseHandshake
from bitswap.network.libp2p.noise_state import MAX_NONCE, TAG, CipherState, SymmetricState
from bitswap.network.libp2p.security import YAMUX_ID, HandshakeError, SecurityError
from tests.libp2p.channels import carry, established_pair, identity, new_pair, pump, read_all

# The vector of the cacophony collection for Noise_XX_25519_ChaChaPoly_SHA256.
PROLOGUE = "4a6f686e2047616c74"
KEYS = {
    "initiator": (
        "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
    ),
    "responder": (
        "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    ),
}
MESSAGES = [
    (
        "4c756477696720766f6e204d69736573",
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
    ),
    (
        "4d757272617920526f746862617264",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f14480884381cbad1f276e038c48378ffce2b65285e08d6b68"
        "aaa3629a5a8639392490e5b9bd5269c2f1e4f488ed8831161f19b7815528f8982ffe09be9b5c412f8a0db50f8814c7194e83f23d"
        "bd8d162c9326ad",
    ),
    (
        "462e20412e20486179656b",
        "c7195ffacac1307ff99046f219750fc47693e23c3cb08b89c2af808b444850a80ae475b9df0f169ae80a89be0865b57f58c9fea0"
        "d4ec82a286427402f113e4b6ae769a1d95941d49b25030",
    ),
]
TRANSPORT = [
    ("4361726c204d656e676572", "96763ed773f8e47bb3712f0e29b3060ffc956ffc146cee53d5e1df"),
    (
        "4a65616e2d426170746973746520536179",
        "3e40f15f6f3a46ae446b253bf8b1d9ffb6ed9b174d272328ff91a7e2e5c79c07f5",
    ),
    (
        "457567656e2042f6686d20766f6e2042617765726b",
        "eb3f3515110702e047a6c9da4478b6ead94873c11c0f2d710ddb3f09fce024b3a58502ae3f",
    ),
]


class Scripted(NoiseHandshake):
    """A handshake with given keys and payloads, and no identities."""

    def __init__(self, role: str) -> None:
        super().__init__(identity("alice"), initiator=role == "initiator", expected_peer=None)
        static, ephemeral = (X25519PrivateKey.from_private_bytes(bytes.fromhex(key)) for key in KEYS[role])
        self._static, self._ephemeral = static, ephemeral
        self._state = SymmetricState()
        self._state.mix_hash(bytes.fromhex(PROLOGUE))
        self.read: list[bytes] = []

    def _payload(self) -> bytes:
        return bytes.fromhex(MESSAGES[self._step][0])

    def _verify(self, payload: bytes) -> None:
        self.read.append(payload)


def test_known_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    initiator, responder = Scripted("initiator"), Scripted("responder")
    # libp2p sends no payload in the first message, the vector has one.
    first = initiator._ephemeral.public_key().public_bytes_raw() + bytes.fromhex(MESSAGES[0][0])
    assert first.hex() == MESSAGES[0][1]
    initiator._state.mix_hash(first[:32])
    initiator._state.mix_hash(first[32:])
    initiator._advance()
    responder.read_message(first)
    second = responder.write_message()
    assert second.hex() == MESSAGES[1][1]
    initiator.read_message(second)
    third = initiator.write_message()
    assert third.hex() == MESSAGES[2][1]
    responder.read_message(third)
    assert [text.hex() for text in initiator.read + responder.read] == [MESSAGES[1][0], MESSAGES[2][0]]
    assert initiator.complete
    assert responder.complete
    for number, (text, sealed) in enumerate(TRANSPORT):
        sender, receiver = (responder, initiator) if number % 2 == 0 else (initiator, responder)
        assert sender.send.encrypt(bytes.fromhex(text)).hex() == sealed
        assert receiver.receive.decrypt(bytes.fromhex(sealed)).hex() == text


def noise_pair() -> tuple[NoiseChannel, NoiseChannel]:
    first, second = new_pair("noise")
    assert isinstance(first, NoiseChannel)
    assert isinstance(second, NoiseChannel)
    return first, second


def handshake_with_payload(payload: bytes) -> tuple[NoiseChannel, NoiseChannel]:
    """Two channels of which the initiator sends `payload` in place of its own."""
    first, second = noise_pair()
    first._handshake._payload = lambda: payload  # type: ignore[method-assign]
    first.start()
    pump(first, second)
    return first, second


def payload_of(channel: NoiseChannel, **changes: bytes) -> bytes:
    """What `channel` would send, with changed fields; an empty one is left out."""
    who = identity("alice")
    static = channel._handshake._static.public_key().public_bytes_raw()
    values = {
        "key": who.public_key_proto,
        "signature": who.sign(SIGNED_PREFIX + static),
        "extensions": protobuf.bytes_field(2, YAMUX_ID.encode()),
    } | changes
    numbers = {"key": 1, "signature": 2, "extensions": 4}
    return b"".join(protobuf.bytes_field(numbers[name], value) for name, value in values.items() if value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": b""}, "a key that is not accepted"),
        ({"key": b"\x08\x01\x12\x03abc"}, "a key that is not accepted"),
        ({"key": identity("bob").public_key_proto}, "not signed by the identity"),
        ({"signature": b""}, "not signed by the identity"),
        ({"signature": identity("alice").sign(b"something else")}, "not signed by the identity"),
        ({"extensions": b"\xff"}, "payload cannot be read"),
    ],
)
def test_payloads_that_prove_nothing(changes: dict[str, bytes], words: str) -> None:
    first, second = noise_pair()
    payload = payload_of(first, **changes)
    first._handshake._payload = lambda: payload  # type: ignore[method-assign]
    first.start()
    with pytest.raises(HandshakeError, match=words):
        pump(first, second)
    assert not second.established
    assert second.remote_peer is None


@pytest.mark.parametrize("payload", [b"", b"\xff", b"garbage", bytes(100)])
def test_payloads_that_are_none(payload: bytes) -> None:
    with pytest.raises(HandshakeError, match="payload"):
        handshake_with_payload(payload)


@pytest.mark.parametrize(
    ("muxers", "agreed"),
    [
        ([], None),
        ([b"/mplex/6.7.0"], None),
        ([b"/mplex/6.7.0", b"/yamux/1.0.0"], YAMUX_ID),
        ([b"\xff\xfe"], None),
        ([b"/m"] * (MAX_MUXERS - 1) + [b"/yamux/1.0.0"], YAMUX_ID),
        ([b"/m"] * MAX_MUXERS + [b"/yamux/1.0.0"], None),
    ],
)
def test_early_muxer(muxers: list[bytes], agreed: str | None) -> None:
    first, second = noise_pair()
    extensions = b"".join(protobuf.bytes_field(2, muxer) for muxer in muxers)
    payload = payload_of(first, extensions=protobuf.bytes_field(1, b"a certificate hash") + extensions)
    first._handshake._payload = lambda: payload  # type: ignore[method-assign]
    first.start()
    pump(first, second)
    assert second.established
    assert second.early_muxer == agreed


def test_a_peer_without_extensions() -> None:
    first, second = noise_pair()
    payload = payload_of(first, extensions=b"")
    first._handshake._payload = lambda: payload  # type: ignore[method-assign]
    first.start()
    pump(first, second)
    assert second.established
    assert second.early_muxer is None


def test_key_without_a_secret() -> None:
    _, second = noise_pair()
    with pytest.raises(HandshakeError, match="gives no secret"):
        second.receive(b"\x00\x20" + bytes(32))


@pytest.mark.parametrize("size", [0, 1, 31])
def test_short_first_message(size: int) -> None:
    _, second = noise_pair()
    with pytest.raises(HandshakeError, match=f"message 1 has only {size} bytes"):
        second.receive(size.to_bytes(2, "big") + bytes(size))


def test_message_out_of_turn() -> None:
    first, _ = noise_pair()
    with pytest.raises(HandshakeError, match="out of turn"):
        first.receive(b"\x00\x20" + bytes(32))


def test_frames_on_the_wire() -> None:
    first, second = established_pair("noise")
    first.write([bytes(MAX_PLAINTEXT), b"more"])
    stream = b"".join(first.data_to_send())
    assert int.from_bytes(stream[:2], "big") == MAX_MESSAGE
    assert stream[2 + MAX_MESSAGE : 4 + MAX_MESSAGE] == (4 + TAG).to_bytes(2, "big")
    assert len(stream) == 2 + MAX_MESSAGE + 2 + 4 + TAG
    second.receive(stream)
    assert read_all(second) == bytes(MAX_PLAINTEXT) + b"more"


def test_empty_message_is_passed_over() -> None:
    first, second = established_pair("noise")
    assert isinstance(first, NoiseChannel)
    first._queue(first._handshake.send.encrypt(b""))
    first.write([b"text"])
    carry(first, second)
    assert read_all(second) == b"text"


@pytest.mark.parametrize("size", [0, 1, TAG - 1])
def test_message_shorter_than_its_tag(size: int) -> None:
    _, second = established_pair("noise")
    second.receive(size.to_bytes(2, "big") + bytes(size))
    with pytest.raises(SecurityError, match="forged or damaged"):
        read_all(second)


@settings(deadline=None, max_examples=30)
@given(st.data(), st.integers(0, 3 * MAX_PLAINTEXT))
def test_large_messages_through_any_buffer(data: st.DataObject, size: int) -> None:
    first, second = established_pair("noise")
    text = bytes(range(251)) * (size // 251 + 1)
    first.write([text[:size]])
    carry(first, second)
    buffer = memoryview(bytearray(MAX_PLAINTEXT * 2))
    out = bytearray()
    while True:
        part = buffer[: data.draw(st.integers(1000, len(buffer)))]
        count = second.read_into(part)
        if not count:
            break
        out += part[:count]
    assert out == text[:size]


def test_end_between_messages() -> None:
    first, second = established_pair("noise")
    first.write([b"last words"])
    carry(first, second)
    second.receive_eof()
    assert not second.eof
    assert read_all(second, 4) == b"last words"
    assert second.eof
    second.receive_eof()


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_end_inside_a_message(cut: int) -> None:
    first, second = established_pair("noise")
    first.write([b"whole"])
    carry(first, second)
    first.write([b"cut"])
    second.receive(b"".join(first.data_to_send())[:cut])
    second.receive_eof()
    buffer = memoryview(bytearray(5))
    assert second.read_into(buffer) == 5
    with pytest.raises(SecurityError, match="ended inside a message"):
        second.read_into(buffer)
    assert not second.eof


def test_nonces_are_not_used_twice() -> None:
    first, second = established_pair("noise")
    assert isinstance(first, NoiseChannel)
    assert isinstance(second, NoiseChannel)
    first._handshake.send.nonce = second._handshake.receive.nonce = MAX_NONCE - 1
    first.write([b"the last one"])
    carry(first, second)
    assert read_all(second) == b"the last one"
    with pytest.raises(SecurityError, match="used up its nonces"):
        first.write([b"one too many"])
    second.receive(b"\x00\x14" + bytes(20))
    with pytest.raises(SecurityError, match="used up its nonces"):
        read_all(second)


@pytest.mark.parametrize("into", [True, False])
def test_decryption_into_a_buffer(into: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older versions of the library cannot decrypt in place; the result is the same."""
    if into and not hasattr(noise_state.ChaCha20Poly1305, "decrypt_into"):
        pytest.skip("this version of cryptography cannot")
    monkeypatch.setattr(noise_state, "_INTO", into)
    key = bytes(range(32))
    sealed = CipherState(key).encrypt(b"in place")
    buffer = memoryview(bytearray(20))
    assert CipherState(key).decrypt_into(memoryview(sealed), buffer) == 8
    assert buffer[:8] == b"in place"
    damaged: Any = memoryview(sealed[:-1] + b"?")
    with pytest.raises(SecurityError, match="forged or damaged"):
        CipherState(key).decrypt_into(damaged, buffer)
