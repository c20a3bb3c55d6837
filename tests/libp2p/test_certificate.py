from __future__ import annotations

import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import assume, given
from hypothesis import strategies as st

from bitswap.network.libp2p.certificate import (
    EXTENSION_OID,
    SIGNED_PREFIX,
    CertificateError,
    decode_signed_key,
    encode_signed_key,
    make_certificate,
    verify_certificate,
)
from tests.libp2p.certificates import GOOD, INVALID, UNKNOWN_OID, VALID, Recipe, spki
from tests.libp2p.channels import identity


@pytest.mark.parametrize("kind", VALID)
def test_specification_vectors(kind: str) -> None:
    data, peer = VALID[kind]
    assert verify_certificate(x509.load_der_x509_certificate(bytes.fromhex(data))).peer_id == peer


def test_specification_vector_that_proves_nothing() -> None:
    with pytest.raises(CertificateError, match="not signed by the identity it names"):
        verify_certificate(x509.load_der_x509_certificate(bytes.fromhex(INVALID)))


def test_own_certificate() -> None:
    certificate, key = make_certificate(identity("alice"))
    assert verify_certificate(certificate).peer_id == identity("alice").peer_id
    assert spki(key.public_key()) == spki(certificate.public_key())
    assert isinstance(key.curve, ec.SECP256R1)
    extension = certificate.extensions.get_extension_for_oid(EXTENSION_OID)
    assert not extension.critical
    assert certificate.subject == certificate.issuer
    assert len(list(certificate.subject)) == 1
    assert certificate.not_valid_before_utc.year == 1975
    assert certificate.not_valid_after_utc.year == 4096


def test_certificates_of_one_identity_differ() -> None:
    first, second = (make_certificate(identity("alice"))[0] for _ in range(2))
    assert first.serial_number != second.serial_number
    assert spki(first.public_key()) != spki(second.public_key())


GOOD_KEYS = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", GOOD_KEYS)
def test_certificate_keys_of_other_types(kind: str) -> None:
    assert verify_certificate(Recipe(key=GOOD_KEYS[kind]()).make()).peer_id == identity("alice").peer_id


@pytest.mark.parametrize(
    "recipe",
    [
        GOOD,
        GOOD.change(critical=True),
        GOOD.change(others=[(x509.UnrecognizedExtension(UNKNOWN_OID, b"?"), False)]),
        GOOD.change(others=[(x509.BasicConstraints(ca=False, path_length=None), True)]),
        GOOD.change(others=[(x509.SubjectAlternativeName([x509.DNSName("a.io")]), True)]),
    ],
)
def test_accepted_variations(recipe: Recipe) -> None:
    assert verify_certificate(recipe.make()).peer_id == identity("alice").peer_id


OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
ALICE = identity("alice").public_key_proto
SIGNATURE = identity("alice").sign(SIGNED_PREFIX + spki(GOOD.key.public_key()))

BAD = {
    "no extension": (GOOD.change(present=False), "no libp2p extension"),
    "unknown critical extension": (
        GOOD.change(others=[(x509.UnrecognizedExtension(UNKNOWN_OID, b"?"), True)]),
        "critical extension that is not known: 1.3.6.1.4.1.53594.9.9",
    ),
    "signed by another key": (GOOD.change(signer=OTHER_KEY), "signature of itself is wrong"),
    "issued by another name": (GOOD.change(issuer="somebody"), "not signed by itself"),
    "signature for another key": (
        GOOD.change(signature=identity("alice").sign(SIGNED_PREFIX + spki(OTHER_KEY.public_key()))),
        "not signed by the identity",
    ),
    "signature without the prefix": (
        GOOD.change(signature=identity("alice").sign(spki(GOOD.key.public_key()))),
        "not signed by the identity",
    ),
    "signature of somebody else": (
        GOOD.change(signature=identity("bob").sign(SIGNED_PREFIX + spki(GOOD.key.public_key()))),
        "not signed by the identity",
    ),
    "key of somebody else": (
        GOOD.change(host_key=identity("bob").public_key_proto, signature=SIGNATURE),
        "not signed by the identity",
    ),
    "no signature": (GOOD.change(signature=b""), "not signed by the identity"),
    "no key": (GOOD.change(host_key=b""), "names a key that is not accepted"),
    "key of no known type": (GOOD.change(host_key=b"\x08\x09\x12\x01?"), "key type 9 is not known"),
    "empty extension": (GOOD.change(extension=b""), "malformed"),
    "extension of another type": (GOOD.change(extension=b"\x04\x02ab"), "malformed"),
    "cut extension": (GOOD.change(extension=encode_signed_key(ALICE, SIGNATURE)[:-1]), "malformed"),
    "bytes after the extension": (
        GOOD.change(extension=encode_signed_key(ALICE, SIGNATURE) + b"\x00"),
        "bytes too many",
    ),
    "only a key": (GOOD.change(extension=b"\x30\x26\x04\x24" + ALICE), "malformed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_refused_variations(kind: str) -> None:
    recipe, words = BAD[kind]
    with pytest.raises(CertificateError, match=words):
        verify_certificate(recipe.make())


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_extension_is_read_as_written(public_key: bytes, signature: bytes) -> None:
    assert decode_signed_key(encode_signed_key(public_key, signature)) == (public_key, signature)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_extension_or_an_error(data: bytes) -> None:
    try:
        public_key, signature = decode_signed_key(data)
    except CertificateError:
        return
    assert len(public_key) + len(signature) < len(data)


@given(st.sampled_from(sorted(VALID)), st.data())
def test_damaged_certificates_prove_nothing(kind: str, data: st.DataObject) -> None:
    original = x509.load_der_x509_certificate(bytes.fromhex(VALID[kind][0]))
    der = bytearray(bytes.fromhex(VALID[kind][0]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(der) - 1))
        der[at] ^= data.draw(st.integers(1, 255))
    assume(der != bytes.fromhex(VALID[kind][0]))
    with warnings.catch_warnings():
        # The library announces what it will refuse one day.
        warnings.simplefilter("ignore")
        try:
            certificate = x509.load_der_x509_certificate(bytes(der))
        except (ValueError, x509.InvalidVersion):
            return
        # How many bits of a signature's last byte count can be damaged without any change to what it proves.
        assume(_proof(certificate) != _proof(original))
        with pytest.raises(CertificateError):
            verify_certificate(certificate)


def _proof(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    return certificate.tbs_certificate_bytes, certificate.signature
