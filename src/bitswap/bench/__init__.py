"""What this machine and this installation come to: a measurement of some twenty seconds, for operators.

`measure()` yields a `Row` for every figure as it is known. The figures say whether a machine is as fast as it
should be, and what of it is slow; comparisons between versions or with others need many alternating runs.
"""

from bitswap.bench.row import Row
from bitswap.bench.run import measure

__all__ = ["Row", "measure"]
