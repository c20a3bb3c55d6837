"""Routers that a test plays."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from bitswap.cid import CID
from bitswap.routing import Provider

SECONDS = 20.0
"""How long a test waits for what is to happen before it fails."""


class Scripted:
    """Names these providers, then raises `error` if there is one. `asked` are the blocks it was asked for."""

    def __init__(self, *providers: Provider, error: Exception | None = None) -> None:
        self.providers = providers
        self.error = error
        self.asked: list[CID] = []

    def find_providers(self, cid: CID, limit: int) -> Iterator[Provider]:
        self.asked.append(cid)
        yield from self.providers
        if self.error is not None:
            raise self.error


class Stream:
    """Names some providers, then waits until it is closed."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._providers = iter(providers)
        self.waits = threading.Event()
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[Provider]:
        return self

    def __next__(self) -> Provider:
        for provider in self._providers:
            return provider
        self.waits.set()
        assert self.closed.wait(SECONDS)
        raise OSError("the connection was closed")

    def close(self) -> None:
        self.closed.set()


class Waiting:
    """Answers with a Stream."""

    def __init__(self, *providers: Provider) -> None:
        self.stream = Stream(providers)

    def find_providers(self, cid: CID, limit: int) -> Stream:
        return self.stream


class Stubborn:
    """Waits for `go`, and is deaf to everything else: a generator cannot be closed while it runs."""

    def __init__(self, *providers: Provider) -> None:
        self.go = threading.Event()
        self.waits = threading.Event()
        self._providers = providers

    def find_providers(self, cid: CID, limit: int) -> Iterator[Provider]:
        self.waits.set()
        assert self.go.wait(SECONDS)
        yield from self._providers


class Locating(Scripted):
    """Knows where peers are, too."""

    def __init__(self, *providers: Provider, places: dict[str, list[str]] | None = None) -> None:
        super().__init__(*providers)
        self.places = places or {}
        self.looked_up: list[str] = []

    def find_peer(self, peer: str) -> Iterator[str]:
        self.looked_up.append(peer)
        if peer not in self.places:
            raise LookupError(f"{peer} is not known here")
        yield from self.places[peer]
