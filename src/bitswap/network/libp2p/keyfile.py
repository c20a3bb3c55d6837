"""Private key files: read with care for who else can read them, made in one step."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bitswap.errors import UsageError

MAX_KEY_FILE = 16 * 1024
"""Bytes of a key file; the largest RSA keys have less than 5 KiB."""


def read_key_file(path: Path) -> bytes:
    """The contents of `path`.

    Raises FileNotFoundError, or UsageError when others can read it or it is too large.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            # Windows keeps access rights elsewhere; its mode bits say nothing.
            if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise UsageError(
                    f"the key file {path} is open to others (mode {stat.S_IMODE(mode):04o}); "
                    f"close it with: chmod 600 {path}"
                )
            data = file.read(MAX_KEY_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read the key file {path}: {error.strerror or error}") from error
    if len(data) > MAX_KEY_FILE:
        raise UsageError(f"the key file {path} has more than {MAX_KEY_FILE} bytes; it is not a private key")
    return data


def create_key_file(path: Path, data: bytes) -> bool:
    """Write `data` to a new file `path` with mode 0600; False when the file exists by now. Raises UsageError.

    The name appears only when all bytes are on disk, so nobody ever reads half a key.
    """
    import tempfile  # with all compressors of the standard library, for a file that is made once

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            return _name(temporary, path)
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)
    except OSError as error:
        raise UsageError(f"cannot write the key file {path}: {error.strerror or error}") from error


def _name(temporary: str, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:
        # A file system without hard links: rename refuses an existing name only on Windows.
        if path.exists():
            return False
        os.rename(temporary, path)
    return True
