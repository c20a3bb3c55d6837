"""What a node loads: nothing that it does not run; modules and their libraries are most of its memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bitswap import _core

_PROGRAM = """
import sys
from bitswap import Bitswap, Client, Server
from bitswap.blockstore import MemoryBlockstore
from bitswap.network.libp2p import Libp2pNetwork

with Bitswap(Libp2pNetwork(security=[sys.argv[1]]), MemoryBlockstore()):
    print(*sys.modules)
"""
_NEEDLESS = {
    "argparse",
    "asyncio",
    "bitswap.aio",
    "bitswap.car",
    "bitswap.cli",
    "bitswap.dag",
    "ctypes",
    "google",
    "http",
    "lmdb",
    "lzma",
    "ssl",
    "tempfile",
    "unittest",
}
_OF_TLS = {"OpenSSL", "cryptography.x509", "bitswap.network.libp2p.tls"}


def _loaded(security: str) -> set[str]:
    command = [sys.executable, "-c", _PROGRAM, security]
    environment = {**os.environ, "BITSWAP_PURE": ""}
    return set(subprocess.check_output(command, text=True, timeout=60, env=environment).split())


@pytest.mark.timeout(70)
@pytest.mark.skipif("c" not in _core.names(), reason="the pure core takes its messages from a library")
@pytest.mark.skipif(sys.platform == "win32", reason="ctypes finds OpenSSL there")
def test_what_a_node_does_not_run() -> None:
    loaded = _loaded("tls")
    assert not _NEEDLESS & loaded
    assert "bitswap.network.libp2p.noise" not in loaded
    assert loaded >= _OF_TLS


@pytest.mark.timeout(70)
def test_what_only_tls_needs() -> None:
    loaded = _loaded("noise")
    assert not _OF_TLS & loaded
    assert "bitswap.network.libp2p.noise" in loaded
