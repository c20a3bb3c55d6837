"""Stores by their names, and where the default one is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bitswap.block import Block
from bitswap.blockstore import LMDBBlockstore, MemoryBlockstore, data_directory, default_path, open_store
from bitswap.errors import UsageError
from bitswap.options import StoreOptions


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of its own, so that no test touches a user's."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def test_in_memory() -> None:
    store = open_store("memory:")
    assert isinstance(store, MemoryBlockstore)


def test_at_a_path(tmp_path: Path) -> None:
    path = tmp_path / "with: colon" / "blocks"
    if sys.platform == "win32":
        path = tmp_path / "blocks"
    store = open_store(f"lmdb:{path}", StoreOptions(durability="none"))
    assert isinstance(store, LMDBBlockstore)
    store.put(Block.of(b"x"))
    store.close()
    assert (path / "data.mdb").exists()


def test_below_home(home: Path) -> None:
    open_store("lmdb:~/mine").close()
    assert (home / "mine" / "data.mdb").exists()


@pytest.mark.parametrize("url", [None, "lmdb:"])
def test_the_default_place(home: Path, url: str | None) -> None:
    assert default_path() == data_directory() / "blocks"
    assert home in default_path().parents
    open_store(url).close()
    assert (default_path() / "data.mdb").exists()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="other systems have other places")
def test_xdg(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_directory() == home / ".local" / "share" / "bitswap"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert data_directory() == tmp_path / "data" / "bitswap"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert data_directory() == home / ".local" / "share" / "bitswap"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("darwin", {}, "home/Library/Application Support/bitswap"),
        ("win32", {}, "home/AppData/Local/bitswap"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/bitswap"),
    ],
)
def test_places_of_other_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    assert data_directory() == tmp_path / expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "which kind"),
        ("blocks", "lmdb:blocks"),
        ("./blocks", "lmdb:./blocks"),
        ("memory:here", "no path"),
        ("redis://host", "'redis:'"),
        ("LMDB:x", "'LMDB:'"),
    ],
)
def test_what_is_no_store(url: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        open_store(url)
