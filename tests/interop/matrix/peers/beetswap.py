"""beetswap over rust-libp2p: the program in tests/interop/beetswap."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.interop.matrix.peer import LARGE, LARGEST, Direction, Known, Peer, Program, Verdict
from tests.interop.matrix.recipe import CACHE, Recipe, run

SOURCE = Path(__file__).parents[2] / "beetswap"
FILES = (SOURCE / "Cargo.toml", SOURCE / "Cargo.lock", *sorted((SOURCE / "src").glob("*.rs")))
NAME = "beetswap-peer"
TARGET = CACHE / "beetswap-target"
"""Kept between builds: after a change only this program is compiled, and not the hundreds of crates below."""


def make(folder: Path) -> None:
    run(["cargo", "build", "--release", "--locked", "--target-dir", TARGET], SOURCE)
    shutil.copy2(TARGET / "release" / NAME, folder / NAME)


def program(folder: Path) -> Program:
    return Program((folder / NAME,), f"beetswap {version_of('beetswap')}, rust-libp2p {version_of('libp2p')}")


def version_of(crate: str) -> str:
    """What Cargo.lock says."""
    lines = (SOURCE / "Cargo.lock").read_text(encoding="utf-8").splitlines()
    return lines[lines.index(f'name = "{crate}"') + 1].split('"')[1]


PEER = Peer(
    "beetswap",
    Recipe("beetswap", FILES, ("cargo",), make, program),
    known=(
        Known(
            Verdict.LIMITED,
            "A beetswap server puts all that is wanted of it into one message, here of 16 MiB; a message may "
            "have 4 MiB. We do not read that one, and ask for less at a time from then on.",
            direction=Direction.WE_FETCH,
            shapes=(LARGE, LARGEST),
            seen=r"frame of 16\d{6} bytes exceeds the limit of 4194304",
        ),
    ),
)
