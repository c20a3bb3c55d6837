"""The limit of open files: raised at the start, and survived when it is reached."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.libp2p.nodes import Node
from tests.libp2p.puppet import WAIT

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(os.name != "posix", reason="there is no such limit here"),
]

# A process of its own, because the limit is the process's.
_SCRIPT = """
import logging, resource, sys
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import NetworkOptions

class Receiver:
    def peer_connected(self, peer): print("connected", peer, flush=True)
    def peer_disconnected(self, peer, reason): pass
    def message_received(self, peer, message): pass
    def receive_error(self, peer, error): pass

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
raising = sys.argv[3] == "raise"
options = NetworkOptions(raise_descriptor_limit=raising, accept_pause=0.05, max_connections=200)
with_files = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], options=options)
with_files.start(Receiver())
print("limit", resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
print(with_files.addrs[0], flush=True)
sys.stdin.read()
with_files.close()
"""


def _start(soft: int, hard: int, how: str) -> subprocess.Popen[str]:
    source = Path(__file__).parents[2] / "src"
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(soft), str(hard), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )


def _read_until(process: subprocess.Popen[str], start: str) -> str:
    assert process.stdout is not None
    for text in process.stdout:
        if text.startswith(start):
            return text.strip()
    raise AssertionError(f"no line begins with {start!r}")


def test_without_descriptors_accepting_pauses_and_goes_on(make_node: Callable[..., Node]) -> None:
    process = _start(40, 40, "keep")
    try:
        address = _read_until(process, "/ip4")
        port = int(address.split("/")[4])
        crowd = [socket.create_connection(("127.0.0.1", port), timeout=WAIT) for _ in range(60)]
        told = _read_until(process, "ERROR")
        assert "limit of open files is 40" in told
        for sock in crowd:
            sock.close()
        network, _ = make_node()
        network.connect(address)
        assert _read_until(process, "connected").endswith(network.self_id)
    finally:
        process.communicate(timeout=WAIT)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("hard", "limit", "warned"), [(400, 400, False), (200, 200, True)], ids=["enough", "too-few"]
)
def test_the_soft_limit_is_raised_to_the_hard_one(hard: int, limit: int, warned: bool) -> None:
    process = _start(64, hard, "raise")
    out, _ = process.communicate(timeout=WAIT)
    assert f"limit {limit}" in out.splitlines()
    assert ("WARNING" in out) is warned
    assert process.returncode == 0
