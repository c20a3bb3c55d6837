"""The machines of the fetching half do no I/O and know no time of their own."""

from __future__ import annotations

import ast
import importlib.util

import pytest

MACHINES = [
    "bitswap.deadlines",
    "bitswap.messagequeue.account",
    "bitswap.messagequeue.messagequeue",
    "bitswap.messagequeue.timeouts",
    "bitswap.notifications",
    "bitswap.peermanager.peermanager",
    "bitswap.presence",
    "bitswap.session.session",
    "bitswap.session.want",
    "bitswap.sessionmanager",
    "bitswap.sessionpeermanager",
    "bitswap.sessionrequestsplitter",
    "bitswap.wantmanager",
]
FORBIDDEN = {"threading", "time", "socket", "select", "selectors", "queue", "random", "asyncio", "logging"}


@pytest.mark.parametrize("module", MACHINES)
def test_imports(module: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    with open(spec.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            imported.add(node.module.split(".")[0])
    assert imported
    assert not imported & FORBIDDEN
