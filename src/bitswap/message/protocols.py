"""The protocol versions of Bitswap and what each can carry."""

from __future__ import annotations

from typing import Final, Literal

from bitswap.errors import UsageError

BITSWAP_1_2_0: Final = "/ipfs/bitswap/1.2.0"
BITSWAP_1_1_0: Final = "/ipfs/bitswap/1.1.0"
BITSWAP_1_0_0: Final = "/ipfs/bitswap/1.0.0"
BITSWAP_NO_VERSION: Final = "/ipfs/bitswap"

PROTOCOLS: Final = (BITSWAP_1_2_0, BITSWAP_1_1_0, BITSWAP_1_0_0, BITSWAP_NO_VERSION)
"""In the order in which they are offered (boxo `bitswap/network/bsnet`)."""


def encoder_version(protocol_id: str) -> Literal[0, 1]:
    """Which encoding the protocol takes (`Message.to_frame`); UsageError if it is none of `PROTOCOLS`."""
    if protocol_id in (BITSWAP_1_2_0, BITSWAP_1_1_0):
        return 1
    if protocol_id in (BITSWAP_1_0_0, BITSWAP_NO_VERSION):
        return 0
    raise UsageError(f"{protocol_id!r} is not a Bitswap protocol")


def supports_have(protocol_id: str) -> bool:
    """Whether a peer of this protocol knows HAVE and DONT_HAVE: with every one but the three old ones."""
    return protocol_id not in (BITSWAP_1_1_0, BITSWAP_1_0_0, BITSWAP_NO_VERSION)
