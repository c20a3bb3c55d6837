"""The records of an established TLS connection: bytes in, plaintext out, and the other way round.

Three ways to the same functions of OpenSSL. The public one is pyOpenSSL's, which allocates and copies for
each record of 16 KiB. The direct one calls below pyOpenSSL's public names on the caller's memory, and reads
1.6 times as fast. The compiled one calls them by their addresses and keeps the interpreter lock meanwhile.
The best that is there is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Protocol

from OpenSSL import SSL

from bitswap._core import IMPLEMENTATION

RECORD = 16 * 1024
"""Plaintext bytes of the largest TLS record (RFC 8446, 5.1)."""

_WRITE_CHUNK = 128 * 1024  # OpenSSL's buffer keeps the size of the largest run it ever held
_RECORD_OVERHEAD = 22  # bytes that a record adds: header 5, content type 1, tag 16

Outcome = tuple[int, "SSL.Error | None"]
Part = bytes | memoryview


class Records(Protocol):
    """What a channel asks for once its handshake is through."""

    def receive(self, data: Part) -> None:
        """Take ciphertext; `data` may be reused after the call."""

    def read_into(self, buffer: memoryview) -> Outcome:
        """Fill `buffer` with plaintext as far as there is any: bytes written, and the error that came after.

        ZeroReturnError is the peer's close_notify. No error means: full, or nothing more for now.
        """

    def write(self, parts: Sequence[Part], into: list[bytes]) -> None:
        """Encrypt `parts` as one run of bytes and append the ciphertext to `into`. Raises SSL.Error."""


RecordsMaker = Callable[[SSL.Connection], Records]


class PublicRecords:
    """By nothing but pyOpenSSL's public names."""

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection

    def receive(self, data: Part) -> None:
        """See `Records.receive`."""
        self._connection.bio_write(data)

    def read_into(self, buffer: memoryview) -> Outcome:
        """See `Records.read_into`."""
        total, size = 0, len(buffer)
        try:
            while total < size:
                total += self._connection.recv_into(buffer[total : total + RECORD])
        except SSL.WantReadError:
            return total, None
        except SSL.Error as error:
            return total, error
        return total, None

    def write(self, parts: Sequence[Part], into: list[bytes]) -> None:
        """See `Records.write`."""
        for piece in whole_records(parts):
            view = memoryview(piece)
            while view:
                sent = self._connection.send(view[:_WRITE_CHUNK])
                collect(self._connection, into, sent + (sent // RECORD + 2) * _RECORD_OVERHEAD)
                view = view[sent:]


class DirectRecords(PublicRecords):
    """Reads by the functions below pyOpenSSL's public names."""

    def read_into(self, buffer: memoryview) -> Outcome:
        """See `Records.read_into`."""
        connection: Any = self._connection
        lib, ffi = _lib, _ffi
        ssl, ssl_read = connection._ssl, lib.SSL_read
        total, size = 0, len(buffer)
        with ffi.from_buffer(buffer, require_writable=True) as memory:
            while total < size:
                count = ssl_read(ssl, memory + total, size - total)
                if count > 0:
                    total += count
                elif lib.SSL_get_error(ssl, count) == lib.SSL_ERROR_WANT_READ:
                    break
                else:
                    return total, _error_of(connection, count)
        return total, None


class CompiledRecords:
    """By the addresses of OpenSSL's functions, in compiled code that keeps the interpreter lock."""

    def __init__(self, connection: SSL.Connection) -> None:
        below: Any = connection
        self._connection = connection
        self._records = _compiled.Records(
            _library, connection, *map(_address, (below._ssl, below._into_ssl, below._from_ssl))
        )
        self.receive: Callable[[Part], None] = self._records.receive

    def read_into(self, buffer: memoryview) -> Outcome:
        """See `Records.read_into`."""
        count, said = self._records.read_into(buffer)
        return count, None if said > 0 else _error_of(self._connection, said)

    def write(self, parts: Sequence[Part], into: list[bytes]) -> None:
        """See `Records.write`."""
        said = self._records.write(parts, into)
        if said <= 0:
            raise _error_of(self._connection, said)


def _error_of(connection: Any, said: int) -> SSL.Error:
    """What went wrong when a function returned `said`; empties OpenSSL's queue of errors."""
    try:
        connection._raise_ssl_error(connection._ssl, said)
    except SSL.Error as error:
        return error
    return SSL.Error([("", "", "no reason was given")])


def _address(pointer: object) -> int:
    return int(_ffi.cast("uintptr_t", pointer))


_lib: Any = getattr(SSL, "_lib", None)
_ffi: Any = getattr(SSL, "_ffi", None)
_compiled: Any = None
_library: Any = None

_SIGNATURES = {
    "SSL_read": "int(*)(SSL *, void *, int)",
    "SSL_write": "int(*)(SSL *, void *, int)",
    "SSL_get_error": "int(*)(SSL *, int)",
    "BIO_read": "int(*)(BIO *, void *, int)",
    "BIO_write": "int(*)(BIO *, void *, int)",
    "BIO_get_mem_data": "long(*)(BIO *, char * *)",
}
"""What the compiled way calls, in the order in which it is told their addresses."""


def _load_compiled() -> bool:
    """Whether everything is there that the compiled way needs, and looks as expected."""
    global _compiled, _library
    if IMPLEMENTATION != "compiled":
        return False
    try:
        found = import_module("cryptography.hazmat.bindings._rust")._openssl
        pointers = [found.ffi.addressof(found.lib, name) for name in _SIGNATURES]
        signatures = [found.ffi.typeof(pointer).cname for pointer in pointers]
        if found.ffi is not _ffi or signatures != list(_SIGNATURES.values()):
            return False
        _compiled = import_module("bitswap._core.records_c")
        _library = _compiled.Library(*map(_address, pointers))
    except (ImportError, AttributeError, TypeError, ValueError):
        return False
    return all(hasattr(SSL.Connection(SSL.Context(SSL.TLS_METHOD)), name) for name in _BELOW)


def _is_direct() -> bool:
    names = ("SSL_read", "SSL_get_error", "SSL_ERROR_WANT_READ")
    return _ffi is not None and all(hasattr(_lib, name) for name in names)


_BELOW = ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error")


def ways() -> dict[str, RecordsMaker]:
    """Every way that works here by name, the best one first."""
    found: dict[str, RecordsMaker] = {}
    if hasattr(SSL.Connection, "_raise_ssl_error"):
        if _load_compiled():
            found["compiled"] = CompiledRecords
        if _is_direct():
            found["direct"] = DirectRecords
    found["public"] = PublicRecords
    return found


def collect(connection: SSL.Connection, into: list[bytes], size: int = RECORD) -> None:
    """Take what OpenSSL wants to send; `size` is what is expected, more is found too."""
    while True:
        try:
            data = connection.bio_read(size)
        except SSL.WantReadError:
            return
        into.append(data)
        if len(data) < size:
            return


def whole_records(parts: Sequence[Part]) -> Iterator[Part]:
    """Cut `parts` so that small neighbours share a record; large ones are passed on without a copy."""
    waiting: list[Part] = []
    size = 0
    for part in parts:
        rest = memoryview(part)
        if size + len(rest) > RECORD:
            if waiting:
                waiting.append(rest[: RECORD - size])
                yield b"".join(waiting)
                rest = rest[RECORD - size :]
                waiting, size = [], 0
            if part is parts[-1]:
                yield rest
                continue
            whole = len(rest) - len(rest) % RECORD
            if whole:
                yield rest[:whole]
                rest = rest[whole:]
        if rest:
            waiting.append(rest)
            size += len(rest)
    if waiting:
        yield waiting[0] if len(waiting) == 1 else b"".join(waiting)


best: RecordsMaker = next(iter(ways().values()))
"""The way that channels take."""
