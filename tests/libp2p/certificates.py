"""Certificates of every kind, good and bad, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bitswap.network.libp2p.certificate import EXTENSION_OID, SIGNED_PREFIX, encode_signed_key
from tests.libp2p.channels import identity

LONG_AGO = datetime(1990, 1, 1, tzinfo=timezone.utc)
FAR_AWAY = datetime(2990, 1, 1, tzinfo=timezone.utc)
UNKNOWN_OID = x509.ObjectIdentifier("1.3.6.1.4.1.53594.9.9")

# libp2p specification tls/tls.md, "Test vectors": certificate, and the peer id that it proves.
VALID = {
    "Ed25519": (
        "308201ae30820156a0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f31"
        "0a300806035504051301313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355"
        "040a13096c69627032702e696f310a300806035504051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c90"
        "1d423c831ca85e27c73c263ba132721bb9d7a84c4f0380b2a6756fd601331c8870234dec878504c174144fa4b14b66a651691606d817"
        "3e55bd37e381569ea37c307a3078060a2b0601040183a25a0101046a3068042408011220a77f1d92fedb59dddaea5a1c4abd1ac2fbde"
        "7d7b879ed364501809923d7c11b90440d90d2769db992d5e6195dbb08e706b6651e024fda6cfb8846694a435519941cac215a8207792"
        "e42849cccc6cd8136c6e4bde92a58c5e08cfd4206eb5fe0bf909300a06082a8648ce3d0403020346003043021f50f6b6c52711a88177"
        "8718238f650c9fb48943ae6ee6d28427dc6071ae55e702203625f116a7a454db9c56986c82a25682f7248ea1cb764d322ea983ed36a3"
        "1b77",
        "12D3KooWM6CgA9iBFZmcYAHA6A2qvbAxqfkmrYiRQuz3XEsk4Ksv",
    ),
    "ECDSA": (
        "308201f63082019da0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f31"
        "0a300806035504051301313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355"
        "040a13096c69627032702e696f310a300806035504051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c90"
        "1d423c831ca85e27c73c263ba132721bb9d7a84c4f0380b2a6756fd601331c8870234dec878504c174144fa4b14b66a651691606d817"
        "3e55bd37e381569ea381c23081bf3081bc060a2b0601040183a25a01010481ad3081aa045f0803125b3059301306072a8648ce3d0201"
        "06082a8648ce3d03010703420004bf30511f909414ebdd3242178fd290f093a551cf75c973155de0bb5a96fedf6cb5d52da7563e794b"
        "512f66e60c7f55ba8a3acf3dd72a801980d205e8a1ad29f2044730450220064ea8124774caf8f50e57f436aa62350ce652418c019df5"
        "d98a3ac666c9386a022100aa59d704a931b5f72fb9222cb6cc51f954d04a4e2e5450f8805fe8918f71eaae300a06082a8648ce3d0403"
        "0203470030440220799395b0b6c1e940a7e4484705f610ab51ed376f19ff9d7c16757cfbf61b8d4302206205c03fbb0f95205c779be8"
        "6581d3e31c01871ad5d1f3435bcf375cb0e5088a",
        "QmfXbAwNjJLXfesgztEHe8HwgVDCMMpZ9Eax1HYq6hn9uE",
    ),
    "secp256k1": (
        "308201ba3082015fa0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f31"
        "0a300806035504051301313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355"
        "040a13096c69627032702e696f310a300806035504051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c90"
        "1d423c831ca85e27c73c263ba132721bb9d7a84c4f0380b2a6756fd601331c8870234dec878504c174144fa4b14b66a651691606d817"
        "3e55bd37e381569ea38184308181307f060a2b0601040183a25a01010471306f0425080212210206dc6968726765b820f050263ececf"
        "7f71e4955892776c0970542efd689d2382044630440220145e15a991961f0d08cd15425bb95ec93f6ffa03c5a385eedc34ecf464c7a8"
        "ab022026b3109b8a3f40ef833169777eb2aa337cfb6282f188de0666d1bcec2a4690dd300a06082a8648ce3d04030203490030460221"
        "00e1a217eeef9ec9204b3f774a08b70849646b6a1e6b8b27f93dc00ed58545d9fe022100b00dafa549d0f03547878338c7b15e750288"
        "8f6d45db387e5ae6b5d46899cef0",
        "16Uiu2HAkutTMoTzDw1tCvSRtu6YoixJwS46S1ZFxW8hSx9fWHiPs",
    ),
}
INVALID = (
    "308201f73082019da0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a30"
    "0806035504051301313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a1309"
    "6c69627032702e696f310a300806035504051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca8"
    "5e27c73c263ba132721bb9d7a84c4f0380b2a6756fd601331c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569e"
    "a381c23081bf3081bc060a2b0601040183a25a01010481ad3081aa045f0803125b3059301306072a8648ce3d020106082a8648ce3d030107"
    "03420004bf30511f909414ebdd3242178fd290f093a551cf75c973155de0bb5a96fedf6cb5d52da7563e794b512f66e60c7f55ba8a3acf3d"
    "d72a801980d205e8a1ad29f204473045022100bb6e03577b7cc7a3cd1558df0da2b117dfdcc0399bc2504ebe7de6f65cade72802206de96e"
    "2a5be9b6202adba24ee0362e490641ac45c240db71fe955f2c5cf8df6e300a06082a8648ce3d0403020348003045022100e847f267f43717"
    "358f850355bdcabbefb2cfbf8a3c043b203a14788a092fe8db022027c1d04a2d41fd6b57a7e8b3989e470325de4406e52e084e34a3fd56ee"
    "f0d0df"
)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)])


def spki(key: Any) -> bytes:
    data: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data


@dataclass(frozen=True)
class Recipe:
    """A certificate of "alice", good unless something is changed."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    signer: Any = None
    issuer: str = "subject"
    not_before: datetime = LONG_AGO
    not_after: datetime = FAR_AWAY
    host_key: bytes = identity("alice").public_key_proto
    signature: bytes | None = None
    extension: bytes | None = None
    critical: bool = False
    present: bool = True
    others: Sequence[tuple[x509.ExtensionType, bool]] = ()

    def change(self, **changes: Any) -> Recipe:
        return replace(self, **changes)

    def make(self) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name("subject"))
            .issuer_name(name(self.issuer))
            .public_key(self.key.public_key())
            .serial_number(7)
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_after)
        )
        if self.present:
            value = x509.UnrecognizedExtension(EXTENSION_OID, self.value())
            builder = builder.add_extension(value, critical=self.critical)
        for extension, critical in self.others:
            builder = builder.add_extension(extension, critical=critical)
        signer = self.signer or self.key
        plain = not isinstance(signer, ec.EllipticCurvePrivateKey) and not hasattr(signer, "key_size")
        return builder.sign(signer, None if plain else hashes.SHA256())

    def value(self) -> bytes:
        if self.extension is not None:
            return self.extension
        signature = self.signature
        if signature is None:
            signature = identity("alice").sign(SIGNED_PREFIX + spki(self.key.public_key()))
        return encode_signed_key(self.host_key, signature)


GOOD = Recipe()
YESTERDAY = datetime(2020, 1, 1, tzinfo=timezone.utc)
TOMORROW = FAR_AWAY - timedelta(days=1)
