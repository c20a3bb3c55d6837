"""Identity CIDs hold their own block: every store answers them from the CID."""

from __future__ import annotations

from bitswap import varint


def inline(multihash: bytes) -> bytes | None:
    """The block inside an identity multihash; None for any other hash."""
    # The varint of the code is minimal, so that only identity begins with a zero.
    if multihash[0]:
        return None
    return multihash[varint.decode(multihash, 1)[1] :]
