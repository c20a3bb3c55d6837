from collections.abc import Iterable

def receive_into(fd: int, buffer: memoryview) -> int:
    """As `socket.recv_into` of a socket that does not block."""

def send(fd: int, parts: Iterable[bytes | memoryview]) -> int:
    """As `socket.sendmsg`, of the first of `parts`, on a socket that does not block."""

def ready(fd: int) -> list[tuple[int, int]]:
    """What `select.epoll.poll(0)` of the epoll with this descriptor says; OSError where there is no epoll."""
