"""The lock that many share or one has."""

from __future__ import annotations

import threading

import pytest

from bitswap.blockstore.sharedlock import SharedLock


@pytest.mark.timeout(30)
def test_many_share_it_at_once() -> None:
    lock, inside = SharedLock(), threading.Barrier(4)

    def share() -> None:
        with lock.shared():
            # Passes only when all four are inside.
            inside.wait()

    threads = [threading.Thread(target=share) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken


@pytest.mark.timeout(60)
def test_nobody_is_inside_with_the_one_who_has_it() -> None:
    lock = SharedLock()
    inside: list[str] = []
    wrong: list[list[str]] = []

    def share() -> None:
        for _ in range(300):
            with lock.shared():
                inside.append("shared")
                if "alone" in inside:
                    wrong.append(list(inside))
                inside.remove("shared")

    def have() -> None:
        for _ in range(100):
            with lock.alone():
                inside.append("alone")
                if inside != ["alone"]:
                    wrong.append(list(inside))
                inside.remove("alone")

    threads = [threading.Thread(target=work) for work in (share, share, share, have, have)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.timeout(30)
def test_it_is_given_back_after_an_error() -> None:
    lock = SharedLock()
    with pytest.raises(KeyError), lock.shared():
        raise KeyError
    with pytest.raises(KeyError), lock.alone():
        raise KeyError
    with lock.alone():
        pass
    with lock.shared():
        pass


@pytest.mark.timeout(30)
def test_who_waits_to_have_it_comes_before_who_wants_to_share() -> None:
    """Otherwise readers that follow each other would keep a writer out for ever."""
    lock = SharedLock()
    order: list[str] = []
    one_shares, may_leave = threading.Event(), threading.Event()

    def first() -> None:
        with lock.shared():
            one_shares.set()
            may_leave.wait()

    def have() -> None:
        with lock.alone():
            order.append("alone")

    def late() -> None:
        with lock.shared():
            order.append("shared")

    threads = [threading.Thread(target=first)]
    threads[0].start()
    one_shares.wait()
    threads.append(threading.Thread(target=have))
    threads[1].start()
    waiting = False
    while not waiting:
        with lock._condition:
            waiting = lock._waiting == 1
    threads.append(threading.Thread(target=late))
    threads[2].start()
    may_leave.set()
    for thread in threads:
        thread.join()
    assert order == ["alone", "shared"]
