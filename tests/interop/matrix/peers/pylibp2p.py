"""py-libp2p and its `libp2p.bitswap`: the program in tests/interop/pylibp2p, in an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from tests.interop.matrix.peer import LARGEST, Direction, Known, Peer, Program, Verdict
from tests.interop.matrix.recipe import Recipe, run

SOURCE = Path(__file__).parents[2] / "pylibp2p"
FILES = (SOURCE / "node.py", SOURCE / "requirements.txt")
PYTHON = Path("Scripts", "python.exe") if os.name == "nt" else Path("bin", "python")


def make(folder: Path) -> None:
    for file in FILES:
        shutil.copy(file, folder)
    run([sys.executable, "-m", "venv", "environment"], folder)
    python = folder / "environment" / PYTHON
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "-r", "requirements.txt"], folder)


def program(folder: Path) -> Program:
    pinned = (folder / "requirements.txt").read_text(encoding="utf-8")
    version = re.search(r"^libp2p==(\S+)", pinned, re.MULTILINE)
    assert version is not None
    ours = ".".join(map(str, sys.version_info[:2]))
    words = (folder / "environment" / PYTHON, folder / "node.py")
    return Program(words, f"py-libp2p {version[1]}, Python {ours}")


PEER = Peer(
    "py-libp2p",
    Recipe(f"pylibp2p-{sys.version_info[0]}{sys.version_info[1]}", FILES, (), make, program),
    known=(
        Known(
            Verdict.PEER,
            "Its store takes no block above 512 KiB, so there is nothing to fetch.",
            direction=Direction.WE_FETCH,
            shapes=(LARGEST,),
            seen="BlockTooLargeError: Block size 1048576 exceeds maximum 524288",
        ),
        Known(
            Verdict.LIMITED,
            "Its session asks again, after a second at first, for what it has not read by then. What is on "
            "the way then comes twice.",
            direction=Direction.PEER_FETCHES,
            seen=r'"want_blocks_in": (?!(1000|3000|64|16)\b)',
            always=False,
        ),
    ),
    remarks=("Its interface for many blocks asks for 32 at a time.",),
)
