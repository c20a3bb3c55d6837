"""The node's own key pair: made once, kept in a file on request, named by its peer id."""

from __future__ import annotations

from os import PathLike


class PeerIdentity:
    """An Ed25519 key pair. Immutable; safe to share among connections and threads."""

    peer_id: str
    public_key_proto: bytes

    @classmethod
    def generate(cls) -> PeerIdentity:
        """A new key pair that is not kept anywhere."""
        raise NotImplementedError

    @classmethod
    def load_or_create(cls, path: str | PathLike[str]) -> PeerIdentity:
        """Read the key file, or make one (mode 0600, atomically). UsageError when it cannot be used."""
        raise NotImplementedError

    def sign(self, data: bytes) -> bytes:
        """A 64 byte signature over `data`."""
        raise NotImplementedError
