"""The Noise protocol's inner objects for the one suite that libp2p uses: X25519, ChaCha20-Poly1305, SHA-256.

Source: Noise protocol framework, revision 34, sections 5.1 (CipherState) and 5.2 (SymmetricState).
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bitswap.network.libp2p.security import SecurityError

PROTOCOL = b"Noise_XX_25519_ChaChaPoly_SHA256"
TAG = 16
"""Bytes that encryption adds."""
MAX_NONCE = 2**64 - 1
"""The last nonce is reserved (section 5.1)."""


class CipherState:
    """One direction's key and message counter."""

    __slots__ = ("_cipher", "nonce")

    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self.nonce = 0

    def encrypt(self, data: bytes | memoryview, associated: bytes | None = None) -> bytes:
        """Ciphertext and tag. Raises SecurityError when the nonces are used up."""
        return self._cipher.encrypt(self._next_nonce(), data, associated)

    def decrypt(self, data: bytes | memoryview, associated: bytes | None = None) -> bytes:
        """Plaintext. Raises SecurityError for forged data, or when the nonces are used up."""
        try:
            return self._cipher.decrypt(self._next_nonce(), data, associated)
        except InvalidTag:
            raise SecurityError("a message that was forged or damaged") from None

    def decrypt_into(self, data: memoryview, buffer: memoryview) -> int:
        """Write the plaintext of `data` to `buffer`, which has room for it; its size. Raises as `decrypt`."""
        size = len(data) - TAG
        if _INTO:
            try:
                self._cipher.decrypt_into(self._next_nonce(), data, None, buffer[:size])
            except InvalidTag:
                raise SecurityError("a message that was forged or damaged") from None
        else:
            buffer[:size] = self.decrypt(data)
        return size

    def _next_nonce(self) -> bytes:
        if self.nonce >= MAX_NONCE:
            raise SecurityError("the channel has used up its nonces")
        nonce = b"\0\0\0\0" + self.nonce.to_bytes(8, "little")
        self.nonce += 1
        return nonce


_INTO = hasattr(ChaCha20Poly1305, "decrypt_into")


class SymmetricState:
    """The running hash and chaining key of a handshake."""

    def __init__(self) -> None:
        # The name has exactly the length of a hash, so it is used as it is.
        self._hash = self._chaining_key = PROTOCOL
        self._cipher: CipherState | None = None

    def mix_hash(self, data: bytes) -> None:
        """Bind `data` to everything that follows."""
        self._hash = hashlib.sha256(self._hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        """Derive new keys from a shared secret."""
        self._chaining_key, key = _derive(self._chaining_key, secret)
        self._cipher = CipherState(key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """Encrypt as soon as there is a key; before that the text goes as it is."""
        data = self._cipher.encrypt(plaintext, self._hash) if self._cipher else plaintext
        self.mix_hash(data)
        return data

    def decrypt_and_hash(self, data: bytes) -> bytes:
        """The reverse of `encrypt_and_hash`; raises SecurityError."""
        plaintext = self._cipher.decrypt(data, self._hash) if self._cipher else data
        self.mix_hash(data)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        """The keys for what comes after the handshake: the initiator's for sending, then the responder's."""
        first, second = _derive(self._chaining_key, b"")
        return CipherState(first), CipherState(second)


def _derive(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """HKDF with two outputs (section 4.3)."""
    secret = hmac.digest(chaining_key, material, "sha256")
    first = hmac.digest(secret, b"\x01", "sha256")
    return first, hmac.digest(secret, first + b"\x02", "sha256")
