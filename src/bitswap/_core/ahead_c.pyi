AVAILABLE: bool
"""Whether OpenSSL hashes in pieces here; without it nothing is done ahead."""
LEAST: int
"""Bytes of the smallest block that is."""
MOST_EARLY: int
"""Bytes of blocks that are given memory before they come, in all; beyond that, as much as has come."""

class HashAhead:
    """Work for a second thread, offered by the one thread that feeds the frame readers which have it."""

    @property
    def early(self) -> int:
        """Bytes that were given memory before they came, of the bodies that are still there."""

    def run(self) -> None:
        """Work until `stop`; on a thread of its own, without the interpreter lock."""

    def stop(self) -> None:
        """End `run`, after what it is at; from then on nothing is done ahead."""

class Arrival:
    """A body whose large blocks lie elsewhere; `Message.from_body` takes it like bytes."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
