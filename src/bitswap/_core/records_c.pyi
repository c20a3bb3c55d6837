from collections.abc import Sequence

class Library:
    """Addresses of OpenSSL's functions."""

    def __init__(
        self,
        ssl_read: int,
        ssl_write: int,
        ssl_get_error: int,
        bio_read: int,
        bio_write: int,
        bio_get_mem_data: int,
    ) -> None: ...

class Records:
    """The records of one established connection, whose pointers are given; keeps `owner`."""

    def __init__(self, library: Library, owner: object, ssl: int, incoming: int, outgoing: int) -> None:
        """Raises ValueError when one of the pointers is null."""

    def receive(self, data: bytes | memoryview) -> None:
        """Take ciphertext."""

    def read_into(self, buffer: memoryview) -> tuple[int, int]:
        """Decrypt: bytes written, and what `SSL_read` said if it failed (0 or less) after them."""

    def write(self, parts: Sequence[bytes | memoryview], into: list[bytes]) -> int:
        """Encrypt, and append the ciphertext to `into`; 0 or less is what `SSL_write` said when it failed."""
