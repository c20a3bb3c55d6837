"""What the code promises about its own shape: machines do no I/O, imports go one way, files stay readable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "bitswap"

FORBIDDEN = {
    *("asyncio", "concurrent", "multiprocessing", "os", "queue", "random", "secrets", "select", "selectors"),
    *("signal", "socket", "ssl", "subprocess", "sys", "threading", "time"),
}

MACHINES = (
    "_core/*.py",
    "decision/*.py",
    "messagequeue/*.py",
    "peermanager/*.py",
    "providerquerymanager/*.py",
    "session/*.py",
    "deadlines.py",
    "tokenbucket.py",
    "moments.py",
    "notifications.py",
    "presence.py",
    "sessionmanager.py",
    "sessionpeermanager.py",
    "sessionrequestsplitter.py",
    "wantmanager.py",
    "car/*.py",
    "dag/walk.py",
    "dag/window.py",
    "network/libp2p/connection.py",
    "network/libp2p/multistream.py",
    "network/libp2p/negotiation.py",
    "network/libp2p/noise*.py",
    "network/libp2p/tls*.py",
    "network/libp2p/yamux*.py",
    "network/libp2p/arrivals.py",
    "network/libp2p/message_reader.py",
)

ALLOWED = {
    "_core/__init__.py": {"os"},  # BITSWAP_PURE is an environment variable
}

LAYERS = (
    ("errors", "clock", "options", "tokenbucket", "varint", "multibase", "multihash", "cid", "block"),
    ("_core",),
    ("message", "wantlist", "moments"),
    ("blockstore", "network", "routing", "deadlines", "metrics", "presence", "stat", "tracer", "workers"),
    ("decision", "messagequeue", "peermanager", "notifications", "providerquerymanager"),
    ("session", "sessionpeermanager", "sessionrequestsplitter"),
    ("sessionmanager",),
    ("wantmanager",),
    (
        "client",
        "providerdriver",
        "server",
        "getter",
        "oneblock",
        "storedgetter",
        "testnet",
        "dag",
        "car",
        "serving",
    ),
    ("bitswap", "bench", "conform", "simulation"),
    ("aio", "simulation", "testinstance"),
    ("cli", "processes"),
)
"""Rooms from the ground up: none imports what stands above it."""

ROOMS = {room: floor for floor, rooms in enumerate(LAYERS) for room in rooms}


def run_time_imports(path: Path) -> Iterator[str]:
    """Modules that a file imports when it runs, anywhere in it; not those for type checkers only."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting.extend(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "bitswap")
        else:
            waiting.extend(ast.iter_child_nodes(node))


def machine_files() -> list[Path]:
    return sorted({path for pattern in MACHINES for path in SOURCE.glob(pattern) if "_pb2" not in path.name})


@pytest.mark.parametrize("pattern", MACHINES)
def test_every_machine_is_there(pattern: str) -> None:
    assert list(SOURCE.glob(pattern))


@pytest.mark.parametrize("path", machine_files(), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_machine_does_no_io(path: Path) -> None:
    used = {name.split(".")[0] for name in run_time_imports(path)} & FORBIDDEN
    assert used <= ALLOWED.get(path.relative_to(SOURCE).as_posix(), set())


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix()
)
def test_imports_go_one_way(path: Path) -> None:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    floor = ROOMS.get(parts[0])
    if floor is None:
        return
    for name in run_time_imports(path):
        words = name.split(".")
        if words[0] == "bitswap" and len(words) > 1:
            assert ROOMS.get(words[1], 0) <= floor, f"{'/'.join(parts)} imports {name}"


@pytest.mark.parametrize(
    "path",
    sorted(path for end in ("py", "pyx", "pxd") for path in SOURCE.rglob(f"*.{end}")),
    ids=lambda path: path.relative_to(SOURCE).as_posix(),
)
def test_a_file_is_at_most_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
