AVAILABLE: bool
"""Whether OpenSSL hashes in pieces here; without it nothing is done ahead."""
LEAST: int
"""Bytes of the smallest block that is."""

class HashAhead:
    """Work for a second thread, offered by the one thread that feeds the frame readers which have it."""

    def run(self) -> None:
        """Work until `stop`; on a thread of its own, without the interpreter lock."""

    def stop(self) -> None:
        """End `run`, after what it is at; from then on nothing is done ahead."""

class Arrival:
    """A body whose large blocks were worked on while it came; `Message.from_body` takes it like bytes."""

    @property
    def body(self) -> bytes: ...
    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
