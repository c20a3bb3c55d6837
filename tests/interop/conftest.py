"""Fixtures of the tests against boxo; the Go peer is built once, before the clock of the first one starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.interop import gopeer
from tests.interop.matrix.peer import Absent, BuildFailed, Peer, Program

RUNS = int(os.environ.get("BITSWAP_INTEROP_RUNS", "1"))
BUILD = os.environ.get("BITSWAP_INTEROP_BUILD") == "1"
REQUIRED = os.environ.get("BITSWAP_REQUIRE_INTEROP") == "1"

BUILT: pytest.StashKey[Path | Exception] = pytest.StashKey()
MATRIX: pytest.StashKey[dict[str, Program | str]] = pytest.StashKey()
"""The programs of the peers of the matrix, by name, or why there is none."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `run` is repeated BITSWAP_INTEROP_RUNS times."""
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", range(RUNS))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build here: a first build downloads modules, which no test's time limit should have to allow for."""
    if session.config.option.collectonly:
        return
    of_matrix = {item.callspec.params["cell"].peer for item in session.items if _is_cell(item)}
    session.config.stash[MATRIX] = {peer.name: _program(peer) for peer in of_matrix}
    if not any("go_binary" in getattr(item, "fixturenames", ()) for item in session.items):
        return
    try:
        session.config.stash[BUILT] = gopeer.build()
    except (gopeer.GoAbsent, RuntimeError) as error:
        session.config.stash[BUILT] = error


def _is_cell(item: pytest.Item) -> bool:
    return "their_program" in getattr(item, "fixturenames", ())


def _program(peer: Peer) -> Program | str:
    try:
        found = peer.source.build() if BUILD else peer.source.find()
    except (Absent, BuildFailed) as error:
        return str(error)
    return found or f"{peer.name} is not built here: `make interop-matrix` does that"


@pytest.fixture(scope="session")
def matrix_programs(request: pytest.FixtureRequest) -> dict[str, Program | str]:
    return request.config.stash[MATRIX]


@pytest.fixture(scope="session")
def go_binary(request: pytest.FixtureRequest) -> Path:
    built = request.config.stash[BUILT]
    if isinstance(built, gopeer.GoAbsent):
        if REQUIRED:
            pytest.fail(str(built))
        pytest.skip(str(built))
    if isinstance(built, Exception):
        pytest.fail(str(built))
    return built


@pytest.fixture
def go_peer(go_binary: Path, tmp_path: Path) -> gopeer.GoPeer:
    """Runs the Go node in this test's folder."""
    return gopeer.GoPeer(go_binary, tmp_path)


@pytest.fixture(params=["tls", "noise"])
def security(request: pytest.FixtureRequest) -> str:
    """Each test that takes this runs over TLS and over Noise."""
    value: str = request.param
    return value
