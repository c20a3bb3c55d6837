from collections.abc import Iterable

def receive_into(fd: int, buffer: memoryview) -> int:
    """As `socket.recv_into` of a socket that does not block."""

def send(fd: int, parts: Iterable[bytes | memoryview]) -> int:
    """As `socket.sendmsg`, of the first of `parts`, on a socket that does not block."""
