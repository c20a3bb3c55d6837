from collections.abc import Iterable

def receive_into(fd: int, buffer: memoryview) -> int:
    """As `socket.recv_into` of a socket that does not block."""

def send(fd: int, parts: Iterable[bytes | memoryview]) -> int:
    """As `socket.sendmsg`, of the first of `parts`, on a socket that does not block."""

def ready(fd: int, wait: int) -> list[tuple[int, int]]:
    """What `select.epoll.poll` says of this descriptor's epoll within `wait` milliseconds (-1: no limit).

    The interpreter lock is given up only to wait. OSError where there is no epoll.
    """
