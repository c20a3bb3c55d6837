"""The blocks that servers under test have: small ones, larger ones, and enough to fill what is sent ahead."""

from __future__ import annotations

from bitswap.cli.blocks import make_block

HELD = [
    *(make_block("small", number, 100 + number) for number in range(3)),
    *(make_block("larger", number, 2000) for number in range(3)),
    *(make_block("large", number, 256 * 1024) for number in range(28)),
]
