from bitswap._core.decision_c import RequestQueue as RequestQueue
from bitswap.decision.lanes import Batch as Batch

def fail_after(count: int | None) -> None:
    """Let so many allocations of this module succeed and all after them fail; None = no more."""
