"""Certificates that carry a libp2p identity (libp2p specification tls/tls.md, "Peer Authentication").

The certificate's own key is made for TLS alone; an extension holds the node's public key and its signature
over the certificate's key. Dates are not checked here, since that needs a clock: TLS does it.
"""

from __future__ import annotations

from datetime import datetime, timezone

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.network.libp2p.keys import MAX_RSA_BITS, KeyFormatError, PublicKey
from bitswap.network.libp2p.security import HandshakeError

EXTENSION_OID = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
SIGNED_PREFIX = b"libp2p-tls-handshake:"

# Fixed dates (those of the specification's examples) make a certificate valid whatever the clocks say.
_NOT_BEFORE = datetime(1975, 1, 1, tzinfo=timezone.utc)
_NOT_AFTER = datetime(4096, 1, 1, tzinfo=timezone.utc)

# Critical extensions that TLS itself knows and enforces.
_UNDERSTOOD = frozenset(
    (
        EXTENSION_OID,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    )
)


class CertificateError(HandshakeError):
    """A peer's certificate that does not prove who it is."""


def make_certificate(identity: PeerIdentity) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new certificate of `identity`, with the P-256 key that belongs to it."""
    key = ec.generate_private_key(ec.SECP256R1())
    signature = identity.sign(SIGNED_PREFIX + _spki(key.public_key()))
    serial = x509.random_serial_number()
    # X.509 wants a name for the issuer; a number says nothing about the node.
    name = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, str(serial >> 100))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(
            x509.UnrecognizedExtension(
                EXTENSION_OID, encode_signed_key(identity.public_key_proto, signature)
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def verify_certificate(certificate: x509.Certificate) -> PublicKey:
    """The identity that `certificate` proves. Raises CertificateError when it proves none."""
    extension = _extension(certificate)
    _check_self_signature(certificate)
    key_proto, signature = decode_signed_key(extension)
    try:
        key = PublicKey.from_proto(key_proto)
    except KeyFormatError as error:
        raise CertificateError(f"the certificate names a key that is not accepted: {error}") from None
    if not key.verify(signature, SIGNED_PREFIX + _spki(certificate.public_key())):
        raise CertificateError("the certificate is not signed by the identity it names")
    return key


def encode_signed_key(public_key: bytes, signature: bytes) -> bytes:
    """The extension's value: an ASN.1 DER sequence of two octet strings."""
    return _element(_SEQUENCE, _element(_OCTETS, public_key) + _element(_OCTETS, signature))


def decode_signed_key(data: bytes) -> tuple[bytes, bytes]:
    """Public key and signature of the extension's value. Raises CertificateError."""
    body, rest = _read_element(_SEQUENCE, data)
    public_key, tail = _read_element(_OCTETS, body)
    signature, tail = _read_element(_OCTETS, tail)
    if rest or tail:
        raise CertificateError("the certificate's libp2p extension has bytes too many")
    return public_key, signature


def _extension(certificate: x509.Certificate) -> bytes:
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CertificateError(f"the certificate's extensions cannot be read: {error}") from None
    value: bytes | None = None
    for extension in extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise CertificateError(
                f"the certificate has a critical extension that is not known: {extension.oid.dotted_string}"
            )
        if isinstance(extension.value, x509.UnrecognizedExtension) and extension.oid == EXTENSION_OID:
            value = extension.value.value
    if value is None:
        raise CertificateError("the certificate has no libp2p extension")
    return value


def _check_self_signature(certificate: x509.Certificate) -> None:
    try:
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size > MAX_RSA_BITS:
            raise CertificateError(f"the certificate has an RSA key of {key.key_size} bits")
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        raise CertificateError("the certificate's signature of itself is wrong") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"the certificate is not signed by itself: {error}") from None


def _spki(key: object) -> bytes:
    data: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data


_SEQUENCE = 0x30
_OCTETS = 0x04


def _element(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _read_element(tag: int, data: bytes) -> tuple[bytes, bytes]:
    """One DER element with `tag` at the start of `data`: its body, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        raise CertificateError("the certificate's libp2p extension is malformed")
    size, at = data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    if at > 4 or size > len(data) - at:
        raise CertificateError("the certificate's libp2p extension is malformed")
    return data[at : at + size], data[at + size :]
