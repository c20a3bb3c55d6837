# The compiled classes have the signatures of those in Python, and some more for tests.
from bitswap.decision import core, request_queue
from bitswap.decision.core import Lookup as Lookup
from bitswap.decision.envelope import Envelope as Envelope

class _Checked:
    def memory(self) -> int:
        """Bytes held outside of Python objects."""

    def check(self) -> None:
        """AssertionError, with what is wrong, unless all records agree with each other."""

    def tie_of(self, name: str) -> int:
        """For tests: what breaks ties between peers."""
    def renumber_at(self, age: int) -> None:
        """Renumber wants and answers of a peer whose youngest has this age, which is 2**30 without."""

class DecisionCore(_Checked, core.DecisionCore): ...
class RequestQueue(_Checked, request_queue.RequestQueue): ...

def fail_after(count: int | None) -> None:
    """Let so many allocations of this module succeed and all after them fail; None = no more."""
