"""The reactor's selector says what the library's says."""

from __future__ import annotations

import selectors
import socket

import pytest

from bitswap._core import IMPLEMENTATION
from bitswap.network.libp2p.selector import new_selector

BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


@pytest.mark.parametrize("timeout", [0, 5])
def test_what_is_ready(timeout: float) -> None:
    first, second = socket.socketpair()
    with first, second, new_selector() as selector, selectors.DefaultSelector() as other:
        for look in (selector, other):
            look.register(first, BOTH, "first")
            look.register(second, selectors.EVENT_READ, "second")
        for step in (lambda: None, lambda: first.send(b"x"), lambda: second.send(b"y"), first.close):
            step()
            if first.fileno() < 0:
                break
            found = {key.data: events for key, events in selector.select(timeout)}
            assert found == {key.data: events for key, events in other.select(timeout)}
            assert found["first"] & selectors.EVENT_WRITE


def test_a_hang_up_is_ready_for_both() -> None:
    first, second = socket.socketpair()
    with first, new_selector() as selector:
        selector.register(first, BOTH)
        second.close()
        [(key, events)] = selector.select(0)
        assert key.fileobj is first
        assert events == BOTH


def test_nothing_is_ready() -> None:
    first, second = socket.socketpair()
    with first, second, new_selector() as selector:
        selector.register(first, selectors.EVENT_READ)
        assert selector.select(0) == []
        assert selector.select(0.001) == []
        assert selector.select(-1) == []


def test_more_sockets_than_one_look_finds() -> None:
    pairs = [socket.socketpair() for _ in range(300)]
    try:
        with new_selector() as selector:
            for number, (first, _) in enumerate(pairs):
                selector.register(first, selectors.EVENT_WRITE, number)
            seen: set[int] = set()
            while len(seen) < len(pairs):
                found = [key for key, _ in selector.select(0)]
                assert found
                for key in found:
                    seen.add(key.data)
                    selector.unregister(key.fileobj)
    finally:
        for pair in pairs:
            for sock in pair:
                sock.close()


def test_it_looks_first_where_it_can() -> None:
    with new_selector() as selector:
        first = IMPLEMENTATION == "compiled" and hasattr(selectors, "EpollSelector")
        assert (type(selector) is not selectors.DefaultSelector) == first
