"""Sockets that do not block, by the calls that a link makes."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator

import pytest

from bitswap._core import IMPLEMENTATION
from bitswap.network.libp2p import sockets

Pair = tuple[socket.socket, socket.socket]
CALLS = {"chosen": (sockets.receive_into, sockets.send), "library": sockets.LIBRARY}


@pytest.fixture
def pair() -> Iterator[Pair]:
    first, second = socket.socketpair()
    with first, second:
        first.setblocking(False)
        second.setblocking(False)
        yield first, second


def send_without_end(sock: socket.socket, send: sockets.Send) -> None:
    while True:
        send(sock, [bytes(65536)])


calls = pytest.mark.parametrize(("receive_into", "send"), CALLS.values(), ids=CALLS)


@calls
def test_pieces_arrive_as_one_run(pair: Pair, receive_into: sockets.ReceiveInto, send: sockets.Send) -> None:
    first, second = pair
    pieces = deque(memoryview(bytes((65 + number,)) * number) for number in range(20))
    whole = b"".join(pieces)
    sent = 0
    while pieces:
        count = send(first, pieces)
        sent += count
        while pieces and count >= len(pieces[0]):
            count -= len(pieces.popleft())
        if count:
            pieces[0] = pieces[0][count:]
    buffer = memoryview(bytearray(len(whole) + 1))
    assert sent == receive_into(second, buffer) == len(whole)
    assert bytes(buffer[:-1]) == whole


@calls
def test_nothing_blocks(pair: Pair, receive_into: sockets.ReceiveInto, send: sockets.Send) -> None:
    first, second = pair
    buffer = memoryview(bytearray(10))
    with pytest.raises(BlockingIOError):
        receive_into(second, buffer)
    with pytest.raises(BlockingIOError):
        send_without_end(first, send)


@calls
def test_the_end_is_no_bytes_and_writing_fails(
    pair: Pair, receive_into: sockets.ReceiveInto, send: sockets.Send
) -> None:
    first, second = pair
    first.close()
    assert receive_into(second, memoryview(bytearray(10))) == 0
    with pytest.raises(ConnectionError):
        send_without_end(second, send)
    second.close()
    for call in (lambda: receive_into(second, memoryview(bytearray(10))), lambda: send(second, [b"text"])):
        with pytest.raises(OSError, match="file descriptor"):
            call()


def test_buffers_that_cannot_be_used_are_refused(pair: Pair) -> None:
    with pytest.raises((BufferError, TypeError)):
        sockets.receive_into(pair[0], memoryview(b"constant"))
    with pytest.raises(TypeError):
        sockets.send(pair[0], ["text"])  # type: ignore[list-item]


def test_the_compiled_calls_are_taken() -> None:
    compiled = IMPLEMENTATION == "compiled" and hasattr(socket, "MSG_DONTWAIT")
    assert ((sockets.receive_into, sockets.send) != sockets.LIBRARY) == compiled


CHURN = """
import resource, socket
from bitswap.network.libp2p import sockets

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        ciphertext = [bytes(131_248) for _ in range(8)]
        del ciphertext
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first, second = socket.socketpair()
first.setblocking(False)
assert sockets.send(first, [bytes(1 << 17)]) > 1 << 16
faults()
print(faults())
"""


@pytest.mark.skipif(IMPLEMENTATION != "compiled", reason="the library's calls leave the heap alone")
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="it may bring another heap")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other heaps are not trimmed like this")
@pytest.mark.timeout(60)
def test_who_sends_much_keeps_the_memory_that_he_needs_again_and_again() -> None:
    """Thousands of page faults otherwise."""
    ended = subprocess.run([sys.executable, "-c", CHURN], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 200
