from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bitswap.errors import UsageError
from bitswap.network.libp2p.identity import KeyType, PeerIdentity, PublicKey
from bitswap.network.libp2p.keyfile import MAX_KEY_FILE, create_key_file
from bitswap.network.libp2p.keys import key_proto

# libp2p specification peer-ids/peer-ids.md, "Test vectors".
PRIVATE = bytes.fromhex(
    "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d"
    "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
)
PUBLIC = bytes.fromhex("080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")

posix = pytest.mark.skipif(os.name != "posix", reason="access rights are kept elsewhere here")


def test_specification_vector() -> None:
    identity = PeerIdentity.from_private_key_proto(PRIVATE)
    assert identity.public_key_proto == PUBLIC
    assert identity.private_key_proto == PRIVATE
    assert identity.peer_id == "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"


def test_signatures_verify_with_the_public_key() -> None:
    identity = PeerIdentity.generate()
    key = PublicKey.from_proto(identity.public_key_proto)
    signature = identity.sign(b"text")
    assert len(signature) == 64
    assert key.verify(signature, b"text")
    assert not key.verify(signature, b"another text")
    assert key.peer_id == identity.peer_id


def test_generated_identities_differ() -> None:
    assert PeerIdentity.generate().peer_id != PeerIdentity.generate().peer_id


def test_repr_keeps_the_secret() -> None:
    identity = PeerIdentity.from_private_key_proto(PRIVATE)
    assert repr(identity) == f"<PeerIdentity {identity.peer_id}>"


def test_old_format_with_the_public_key_twice() -> None:
    body = PRIVATE[4:]
    old = key_proto(KeyType.ED25519, body + body[32:])
    assert PeerIdentity.from_private_key_proto(old).private_key_proto == PRIVATE


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "type or data is missing"),
        (b"garbage", "not a serialized key"),
        (PRIVATE[:-1], "not a serialized key"),
        (key_proto(KeyType.RSA, PRIVATE[4:]), "this one is RSA"),
        (key_proto(KeyType.ED25519, PRIVATE[4:-1]), "has 64 bytes, not 63"),
        (key_proto(KeyType.ED25519, PRIVATE[4:] + bytes(32)), "has 64 bytes, not 96"),
        (key_proto(KeyType.ED25519, PRIVATE[4:36] + bytes(32)), "do not belong together"),
    ],
)
def test_bad_private_keys(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        PeerIdentity.from_private_key_proto(data)


def test_seed_of_the_wrong_size() -> None:
    with pytest.raises(UsageError, match="32 bytes, not 5"):
        PeerIdentity(b"short")


def test_file_is_made_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "identity.key"
    made = PeerIdentity.load_or_create(path)
    assert path.read_bytes() == made.private_key_proto
    assert [entry.name for entry in path.parent.iterdir()] == ["identity.key"]
    assert PeerIdentity.load_or_create(str(path)).peer_id == made.peer_id


@posix
def test_file_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    PeerIdentity.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_file_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "identity.key"
    PeerIdentity.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(UsageError, match=f"{mode:04o}.*chmod 600"):
        PeerIdentity.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def write_closed(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def test_damaged_file_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    write_closed(path, b"not a key")
    with pytest.raises(UsageError, match=r"identity\.key cannot be used: not a serialized key"):
        PeerIdentity.load_or_create(path)
    assert path.read_bytes() == b"not a key"


def test_large_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    write_closed(path, bytes(MAX_KEY_FILE + 1))
    with pytest.raises(UsageError, match="more than 16384 bytes"):
        PeerIdentity.load_or_create(path)


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the key file"):
        PeerIdentity.load_or_create(tmp_path)


def test_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="the key file"):
        PeerIdentity.load_or_create(tmp_path / "file" / "identity.key")


def test_the_first_of_two_makers_wins(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    assert create_key_file(path, PRIVATE)
    assert not create_key_file(path, b"later")
    assert path.read_bytes() == PRIVATE
    assert [entry.name for entry in tmp_path.iterdir()] == ["identity.key"]


def test_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "identity.key"
    assert create_key_file(path, PRIVATE)
    assert not create_key_file(path, b"later")
    assert path.read_bytes() == PRIVATE
    assert [entry.name for entry in tmp_path.iterdir()] == ["identity.key"]
