from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from bitswap.network.libp2p import protobuf
from bitswap.network.libp2p.keys import (
    MAX_KEY_PROTO,
    MAX_RSA_BITS,
    KeyFormatError,
    KeyType,
    PublicKey,
    key_proto,
    read_key_proto,
)

# libp2p specification peer-ids/peer-ids.md, "Test vectors".
ECDSA_PRIVATE = bytes.fromhex(
    "08031279307702010104203E5B1FE9712E6C314942A750BD67485DE3C1EFE85B1BFB520AE8F9AE3DFA4A4CA00A06082A8648CE3D0301"
    "07A14403420004DE3D300FA36AE0E8F5D530899D83ABAB44ABF3161F162A4BC901D8E6ECDA020E8B6D5F8DA30525E71D6851510C098E"
    "5C47C646A597FB4DCEC034E9F77C409E62"
)
ECDSA_PUBLIC = bytes.fromhex(
    "0803125b3059301306072a8648ce3d020106082a8648ce3d03010703420004de3d300fa36ae0e8f5d530899d83abab44abf3161f162a"
    "4bc901d8e6ecda020e8b6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e62"
)
SECP256K1_PRIVATE = bytes.fromhex("0802122053DADF1D5A164D6B4ACDB15E24AA4C5B1D3461BDBD42ABEDB0A4404D56CED8FB")
SECP256K1_PUBLIC = bytes.fromhex("08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99")
RSA_PUBLIC = bytes.fromhex(
    "080012a60430820222300d06092a864886f70d01010105000382020f003082020a0282020100e1beab071d08200bde24eef00d049449"
    "b07770ff9910257b2d7d5dda242ce8f0e2f12e1af4b32d9efd2c090f66b0f29986dbb645dae9880089704a94e5066d594162ae6ee889"
    "2e6ec70701db0a6c445c04778eb3de1293aa1a23c3825b85c6620a2bc3f82f9b0c309bc0ab3aeb1873282bebd3da03c33e76c21e9beb"
    "172fd44c9e43be32e2c99827033cf8d0f0c606f4579326c930eb4e854395ad941256542c793902185153c474bed109d6ff5141ebf9cd"
    "256cf58893a37f83729f97e7cb435ec679d2e33901d27bb35aa0d7e20561da08885ef0abbf8e2fb48d6a5487047a9ecb1ad41fa7ed84"
    "f6e3e8ecd5d98b3982d2a901b4454991766da295ab78822add5612a2df83bcee814cf50973e80d7ef38111b1bd87da2ae92438a2c8cb"
    "cc70b31ee319939a3b9c761dbc13b5c086d6b64bf7ae7dacc14622375d92a8ff9af7eb962162bbddebf90acb32adb5e4e4029f1c9601"
    "9949ecfbfeffd7ac1e3fbcc6b6168c34be3d5a2e5999fcbb39bba7adbca78eab09b9bc39f7fa4b93411f4cc175e70c0a083e96bfaefb"
    "04a9580b4753c1738a6a760ae1afd851a1a4bdad231cf56e9284d832483df215a46c1c21bdf0c6cfe951c18f1ee4078c79c13d63edb6"
    "e14feaeffabc90ad317e4875fe648101b0864097e998f0ca3025ef9638cd2b0caecd3770ab54a1d9c6ca959b0f5dcbc90caeefc4135b"
    "aca6fd475224269bbe1b0203010001"
)
MESSAGE = b"a message to sign"


def spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def check_signature(key: PublicKey, signature: bytes) -> None:
    assert key.verify(signature, MESSAGE)
    assert not key.verify(signature, MESSAGE + b"!")
    assert not key.verify(signature[:-1] + bytes((signature[-1] ^ 1,)), MESSAGE)
    assert not key.verify(b"", MESSAGE)


def test_ecdsa_vector() -> None:
    private = serialization.load_der_private_key(read_key_proto(ECDSA_PRIVATE)[1], None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    key = PublicKey.from_proto(ECDSA_PUBLIC)
    assert key.type is KeyType.ECDSA
    assert key.to_proto() == ECDSA_PUBLIC
    assert key.data == spki(private.public_key())
    assert key.peer_id.startswith("Qm")
    check_signature(key, private.sign(MESSAGE, ec.ECDSA(hashes.SHA256())))


def test_secp256k1_vector() -> None:
    secret = int.from_bytes(read_key_proto(SECP256K1_PRIVATE)[1], "big")
    private = ec.derive_private_key(secret, ec.SECP256K1())
    key = PublicKey.from_proto(SECP256K1_PUBLIC)
    assert key.type is KeyType.SECP256K1
    assert key.to_proto() == SECP256K1_PUBLIC
    assert key.peer_id.startswith("16Uiu2")
    check_signature(key, private.sign(MESSAGE, ec.ECDSA(hashes.SHA256())))
    point = private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    assert key.data == point


def test_rsa_vector() -> None:
    key = PublicKey.from_proto(RSA_PUBLIC)
    assert key.type is KeyType.RSA
    assert key.to_proto() == RSA_PUBLIC
    assert key.peer_id.startswith("Qm")


def test_rsa_signatures() -> None:
    private = rsa.generate_private_key(65537, 2048)
    key = PublicKey(KeyType.RSA, spki(private.public_key()))
    check_signature(key, private.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256()))


def test_a_point_written_in_full_is_the_same_key() -> None:
    key = PublicKey.from_proto(SECP256K1_PUBLIC)
    full = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), key.data).public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    assert PublicKey(KeyType.SECP256K1, full).peer_id == key.peer_id


def test_unknown_fields_and_any_order_are_read() -> None:
    data = PublicKey.from_proto(SECP256K1_PUBLIC).data
    strange = protobuf.bytes_field(9, b"?") + protobuf.bytes_field(2, data) + protobuf.varint_field(1, 2)
    assert PublicKey.from_proto(strange).to_proto() == SECP256K1_PUBLIC


def rsa_of(bits: int) -> bytes:
    """A key with a modulus of that many bits; nobody has its factors."""
    return spki(rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key())


@pytest.mark.parametrize("bits", [1024, 2047, MAX_RSA_BITS + 8, 16384])
def test_rsa_sizes_that_are_refused(bits: int) -> None:
    with pytest.raises(KeyFormatError, match=f"{bits} bits|a public key of"):
        PublicKey.from_proto(key_proto(KeyType.RSA, rsa_of(bits)))


def test_largest_rsa_key() -> None:
    key = PublicKey.from_proto(key_proto(KeyType.RSA, rsa_of(MAX_RSA_BITS)))
    assert not key.verify(bytes(MAX_RSA_BITS // 8), MESSAGE)


def test_rsa_key_of_an_absurd_size_is_not_parsed() -> None:
    with pytest.raises(KeyFormatError, match=f"at most {MAX_KEY_PROTO}"):
        PublicKey.from_proto(key_proto(KeyType.RSA, bytes(MAX_KEY_PROTO)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "type or data is missing"),
        (protobuf.varint_field(1, 1), "type or data is missing"),
        (protobuf.bytes_field(2, bytes(32)), "type or data is missing"),
        (protobuf.varint_field(1, 4) + protobuf.bytes_field(2, b""), "key type 4 is not known"),
        (ECDSA_PUBLIC[:-1], "not a serialized key"),
        (key_proto(KeyType.ED25519, bytes(31)), "bad ED25519 public key"),
        (key_proto(KeyType.SECP256K1, b"\x02" + b"\xff" * 32), "bad SECP256K1 public key"),
        (key_proto(KeyType.SECP256K1, b""), "bad SECP256K1 public key"),
        (key_proto(KeyType.RSA, b"no DER"), "bad RSA public key"),
        (key_proto(KeyType.RSA, ECDSA_PUBLIC[4:]), "another type came"),
        (key_proto(KeyType.ECDSA, RSA_PUBLIC[5:]), "another type came"),
    ],
)
def test_bad_public_keys(data: bytes, words: str) -> None:
    with pytest.raises(KeyFormatError, match=words):
        PublicKey.from_proto(data)


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.BrainpoolP256R1()])
def test_ecdsa_on_other_curves_is_refused(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve).public_key()
    with pytest.raises(KeyFormatError, match="curve"):
        PublicKey(KeyType.ECDSA, spki(key))


@given(st.binary(max_size=100))
def test_any_bytes_are_a_key_or_an_error(data: bytes) -> None:
    try:
        key = PublicKey.from_proto(data)
    except KeyFormatError:
        return
    assert PublicKey.from_proto(key.to_proto()).peer_id == key.peer_id


@given(st.sampled_from(KeyType), st.binary(max_size=100))
def test_any_data_of_any_type_is_a_key_or_an_error(key_type: KeyType, data: bytes) -> None:
    try:
        key = PublicKey(key_type, data)
    except KeyFormatError:
        return
    assert not key.verify(b"no signature", MESSAGE)
