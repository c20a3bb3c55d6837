"""Names and links from a graph that must not be written as they are."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from bitswap.dag.errors import UnsafeName

_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"]
)
_FORBIDDEN = frozenset('<>:"|?*\\')


class DirectoryNames:
    """The names of one directory that is being written."""

    def __init__(self, *, portable: bool) -> None:
        self._portable = portable
        self._seen: set[str] = set()

    def add(self, path: str, name: str) -> None:
        """Take in the name of the entry `path`; raises UnsafeName.

        Names that are the same twice show when the entry is made; that is exact on every file system
        (`taken`).
        """
        if not self._portable:
            return
        check_portable(path, name)
        folded = unicodedata.normalize("NFC", name.casefold())
        if folded in self._seen:
            raise UnsafeName(f"{path}: another entry has this name but for upper and lower case")
        self._seen.add(folded)

    @staticmethod
    @contextmanager
    def taken(path: str) -> Iterator[None]:
        """Turn the refusal of a name that is there already into UnsafeName."""
        try:
            yield
        except FileExistsError:
            raise UnsafeName(f"{path}: another entry is the same file here") from None


def check_portable(path: str, name: str) -> None:
    """UnsafeName for what Windows does not have as a name, or takes for another."""
    if any(character in _FORBIDDEN or character < " " for character in name):
        raise UnsafeName(f"{path}: the name has a character that is not allowed")
    if name[-1:] in (".", " "):
        raise UnsafeName(f"{path}: the name ends in a dot or a space")
    if name.split(".")[0].rstrip(" ").casefold() in _RESERVED:
        raise UnsafeName(f"{path}: the name is one of a device")
    if any(0xDC80 <= ord(character) <= 0xDCFF for character in name):
        raise UnsafeName(f"{path}: the name is not UTF-8")


def check_link(path: str, target: bytes) -> None:
    """UnsafeName unless a symbolic link at `path` stays inside the exported tree, whatever other links are in
    it.

    It has to be relative; `..` may only lead it, as often as there are directories above it. (After a name,
    `..` could be applied to where another link leads.)
    """
    parts = target.replace(b"\\", b"/").split(b"/")
    if not target or not parts[0] or b":" in parts[0] or b"\0" in target:
        raise UnsafeName(f"{path}: a link to {target[:100]!r}, which is not inside")
    depth = path.count("/")
    named = False
    for part in parts:
        if part in (b"", b"."):
            continue
        if part != b"..":
            named = True
        elif named or not depth:
            raise UnsafeName(f"{path}: a link to {target[:100]!r}, which may lead outside")
        else:
            depth -= 1
