"""The parts of a node in several processes, each alone."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from bitswap.errors import BitswapError, RemoteError, UsageError
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.options import WorkerOptions
from bitswap.processes import Setting, Supervisor
from bitswap.processes.channel import Channel
from bitswap.processes.exposition import merged
from bitswap.processes.signals import Stop
from bitswap.processes.sums import added, lasting

pytestmark = pytest.mark.timeout(120)

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows hands no connections to other processes")

LISTEN = ("/ip4/127.0.0.1/tcp/0",)


def test_numbers_are_added_and_lists_united() -> None:
    parts = [{"wants": 1, "peers": ["b"]}, {"wants": 2, "peers": ["a", "b"], "blocks_sent": 3}]
    assert added(parts) == {"wants": 3, "peers": ["a", "b"], "blocks_sent": 3}
    assert lasting(parts[1]) == {"blocks_sent": 3}


def test_series_of_a_family_stand_together_under_one_head() -> None:
    text = '# HELP a_bytes A.\n# TYPE a_bytes histogram\na_bytes_bucket{le="1"} 2.0\na_bytes_sum 7.0\n'
    other = "# HELP b B.\n# TYPE b gauge\nb 1.0\n"
    assert merged({0: text, 1: text + other}) == (
        "# HELP a_bytes A.\n# TYPE a_bytes histogram\n"
        'a_bytes_bucket{worker="0",le="1"} 2.0\na_bytes_sum{worker="0"} 7.0\n'
        'a_bytes_bucket{worker="1",le="1"} 2.0\na_bytes_sum{worker="1"} 7.0\n'
        '# HELP b B.\n# TYPE b gauge\nb{worker="1"} 1.0\n'
    )


def test_records_arrive_in_parts_and_several_at_once() -> None:
    here, there = socket.socketpair()
    channel = Channel(there, 100)
    with here:
        here.sendall(b'{"a": 1}\n{"b"')
        assert channel.receive() == [{"a": 1}]
        here.sendall(b": 2}\n")
        assert channel.receive() == [{"b": 2}]
        assert not channel.ended
    assert channel.receive() == []
    assert channel.ended
    assert isinstance(channel.send({}), bool)
    channel.close()
    assert not channel.send({})


@pytest.mark.parametrize("sent", [b"nonsense\n", b"x" * 101])
def test_what_is_no_record_is_an_error(sent: bytes) -> None:
    here, there = socket.socketpair()
    channel = Channel(there, 100)
    with here:
        here.sendall(sent)
        with pytest.raises(RemoteError):
            channel.receive()
    channel.close()


def test_a_setting_does_not_show_its_key() -> None:
    setting = Setting("secret", "lmdb:x", LISTEN)
    assert "secret" not in repr(setting)
    assert Setting.of(setting.record()) == setting


@pytest.mark.parametrize(
    "wrong", [{"max_workers": 0}, {"stop_timeout": 0}, {"restart_delay_max": 0.01}, {"max_restarts": -1}]
)
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        WorkerOptions(**wrong)  # type: ignore[arg-type]


@posix
@pytest.mark.parametrize(("count", "store"), [(0, "lmdb:x"), (257, "lmdb:x"), (2, "memory:")])
def test_what_a_supervisor_refuses(count: int, store: str) -> None:
    with pytest.raises(UsageError):
        Supervisor(LISTEN, count, store=store, identity=PeerIdentity.generate())


@posix
def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    identity = PeerIdentity.generate()
    with (
        Supervisor(LISTEN, 1, store=f"lmdb:{tmp_path / 'file'}", identity=identity) as supervisor,
        pytest.raises(BitswapError, match="cannot be opened"),
    ):
        supervisor.start()


@posix
def test_a_worker_is_given_up_after_so_many_failures(tmp_path: Path) -> None:
    options = WorkerOptions(max_restarts=1, restart_delay_min=0.01)
    identity = PeerIdentity.generate()
    stop = Stop()
    with Supervisor(LISTEN, 1, store=f"lmdb:{tmp_path}", identity=identity, options=options) as supervisor:
        (first,) = supervisor.start()
        os.kill(first, signal.SIGKILL)
        place = supervisor.places[0]
        while place.pid in (first, None):
            supervisor._turn()
        assert place.starts == 2
        assert place.pid is not None
        os.kill(place.pid, signal.SIGKILL)
        with pytest.raises(BitswapError, match="no worker is left"):
            supervisor.run(stop)
    stop.close()
