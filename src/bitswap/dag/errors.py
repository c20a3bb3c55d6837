"""What can be wrong with a graph. Blocks hash to their CID: the fault is their author's, not the peer's."""

from __future__ import annotations

from bitswap.errors import BitswapError, NotFound, UsageError


class DagError(BitswapError, ValueError):
    """A graph that cannot be read or written as UnixFS."""


class MalformedNode(DagError):
    """A block that is not dag-pb or not UnixFS, or whose parts contradict each other."""


class WrongType(DagError):
    """A node of another kind than its place asks for: a directory inside a file, an unknown codec."""


class SizeMismatch(DagError):
    """A part of a file that is not as long as its parent says."""


class DagTooLarge(DagError):
    """A graph beyond a bound of DagOptions: too deep, too many links or entries."""


class UnsafeName(DagError):
    """An entry that must not be written to this disk: `..`, a slash, two names that are one file, a link that
    leaves.
    """


class PathNotFound(NotFound):
    """A path that the graph does not have; `missing` holds the path."""


class TargetExists(UsageError, FileExistsError):
    """The place to write to is taken by something that is not replaced."""
