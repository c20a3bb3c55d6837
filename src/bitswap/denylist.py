"""A file of blocks that nobody gets, and of peers who get nothing: a filter for the serving half."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from bitswap.cid import CID
from bitswap.errors import InvalidCid, UsageError

_PEER = re.compile("[1-9A-HJ-NP-Za-km-z]{20,128}")  # base58


class Denylist:
    """`ServerOptions(peer_block_request_filter=Denylist.load("denied"))`; what it refuses looks missing.

    A line is the CID of a block, bare or after /ipfs/, which stands for that multihash under every codec and
    version; or "peer" and a peer id in base58. Empty lines, and what follows #, mean nothing; a header that
    ends in a line of --- is skipped (IPIP-383, of which paths, globs and hashed entries are not known).
    """

    def __init__(self, cids: Iterable[CID] = (), peers: Iterable[str] = ()) -> None:
        self._hashes = frozenset(cid.multihash for cid in cids)
        self._peers = frozenset(peers)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Denylist:
        """Read a file. Raises UsageError when it cannot be read, and with the line for what is not known."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the denylist {path}: {error}") from error
        lines = [line.partition("#")[0].strip() for line in text.splitlines()]
        start = lines.index("---") + 1 if "---" in lines else 0
        cids, peers = [], []
        for number, line in enumerate(lines[start:], start + 1):
            words = line.split()
            if len(words) == 2 and words[0] == "peer" and _PEER.fullmatch(words[1]):
                peers.append(words[1])
            elif words:
                try:
                    cids.append(CID.decode(line.removeprefix("/ipfs/")))
                except InvalidCid as error:
                    raise UsageError(
                        f"{path}, line {number}: {line!r} is neither a CID nor a peer: {error}"
                    ) from error
        return cls(cids, peers)

    def __call__(self, peer: str, cid: CID) -> bool:
        """Whether `peer` may have the block."""
        return peer not in self._peers and cid.multihash not in self._hashes

    def __len__(self) -> int:
        """Blocks and peers on the list."""
        return len(self._hashes) + len(self._peers)
