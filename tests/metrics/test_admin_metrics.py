"""GET /metrics of `bitswap serve --admin`."""

from __future__ import annotations

import http.client
import json
import os
import sys
from pathlib import Path

import pytest

from bitswap.cli.admin import answering
from bitswap.cli.arguments import endpoint
from bitswap.cli.scrape import make_scrape
from tests.cli.commands import bitswap, serving
from tests.metrics.scraping import TYPES, Scraped

pytestmark = pytest.mark.timeout(120)


def get(where: str, path: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    connection = http.client.HTTPConnection(*endpoint(where), timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read().decode()
    finally:
        connection.close()


def test_a_serving_node_is_scraped(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(300_000))
    with serving(file, "--store", "memory:", "--admin", "127.0.0.1:0") as (ready, _):
        status, kind, before = get(ready["admin"], "/metrics")
        root, address = ready["roots"][str(file)], ready["addrs"][0]
        bitswap("get", root, "--peer", address, "--store", "memory:", "-o", tmp_path / "copy")
        # Answers that the peer has taken may be accounted for a moment later.
        while (after := Scraped(get(ready["admin"], "/metrics")[2]))["sent_all_blocks_bytes_sum"] < 300_000:
            pass
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert Scraped(before).types.items() >= TYPES.items()
    assert Scraped(before)["send_times_count"] == 0
    assert after["send_times_count"] == after["sent_all_blocks_bytes_count"] >= 2
    assert after["exchange_bitswap_response_bytes_count"] >= 2
    if sys.platform == "linux":
        assert after.types["process_resident_memory_bytes"] == "gauge"


def test_without_prometheus_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    scrape = make_scrape()
    assert scrape.metrics is None
    with answering(None, ("127.0.0.1", 0), scrape) as where:  # type: ignore[arg-type]
        status, kind, body = get(where, "/metrics")
    assert (status, kind) == (404, "application/json")
    assert "pip install 'bitswap[metrics]'" in json.loads(body)["error"]


def test_what_else_there_is() -> None:
    with answering(None, ("127.0.0.1", 0)) as where:  # type: ignore[arg-type]
        status, _, body = get(where, "/nothing")
    assert status == 404
    assert "/stat" in json.loads(body)["error"]
    assert "/metrics" in json.loads(body)["error"]
