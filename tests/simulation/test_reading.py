"""Scenario files, and what is wrong with them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bitswap.errors import UsageError
from bitswap.simulation import Holding, load_scenario, scenario_of, simulate

from .scenes import SCENARIOS

needs_toml = pytest.mark.skipif(importlib.util.find_spec("tomllib") is None, reason="no tomllib before 3.11")

TABLE: dict[str, Any] = {
    "name": "three",
    "seed": 4,
    "delay": {"uniform": [0.01, 0.02]},
    "rate": {"normal": [1e6, 1e5]},
    "jitter": 0.001,
    "paced": False,
    "blocks": {"count": 30, "size": 900, "root_size": 10},
    "nodes": [{"name": "seed", "count": 2, "server": {"task_workers": 4}}, {"name": "node"}],
    "links": [{"first": "node", "second": "seed", "delay": {"normal": [0.05, 0.01]}, "rate": 500_000}],
    "holdings": [{"nodes": "seed", "kind": "ranges", "ranges": [[0, 20], [10, 30]]}],
    "fetches": [{"nodes": "node", "pattern": "batches", "batch": 7}],
    "faults": [{"kind": "mute", "nodes": "seed", "count": 1, "at": 100}],
}

TOML = """
name = "three"
seed = 4
delay = { uniform = [0.01, 0.02] }
rate = { normal = [1e6, 1e5] }
jitter = 0.001
paced = false

[blocks]
count = 30
size = 900
root_size = 10

[[nodes]]
name = "seed"
count = 2
server = { task_workers = 4 }

[[nodes]]
name = "node"

[[links]]
first = "node"
second = "seed"
delay = { normal = [0.05, 0.01] }
rate = 500_000

[[holdings]]
nodes = "seed"
kind = "ranges"
ranges = [[0, 20], [10, 30]]

[[fetches]]
nodes = "node"
pattern = "batches"
batch = 7

[[faults]]
kind = "mute"
nodes = "seed"
count = 1
at = 100
"""


def test_all_parts() -> None:
    scenario = scenario_of(TABLE)
    assert (scenario.name, scenario.seed, scenario.paced) == ("three", 4, False)
    assert scenario.nodes[0].server.task_workers == 4
    assert scenario.holdings == (Holding("seed", "ranges", ranges=((0, 20), (10, 30))),)
    assert 0.01 <= scenario.delay(Random(1)) <= 0.02
    assert scenario.rate is not None
    assert scenario.rate(Random(1)) == pytest.approx(1e6, rel=0.5)
    assert scenario.links[0].rate is not None
    assert scenario.links[0].rate(Random(1)) == 500_000


@needs_toml
def test_toml_and_json_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps(TABLE), encoding="utf-8")
    results = [simulate(load_scenario(tmp_path / name)) for name in ("a.toml", "a.json")]
    assert results[0] == results[1]
    assert results[0].complete


def test_a_file_without_a_name_has_its_own(tmp_path: Path) -> None:
    path = tmp_path / "small-one.json"
    path.write_text(json.dumps({"nodes": [{"name": "a"}]}), encoding="utf-8")
    assert load_scenario(path).name == "small-one"


@pytest.mark.parametrize("path", sorted(SCENARIOS.iterdir()), ids=lambda path: path.name)
def test_the_scenarios_of_the_project_can_be_read(path: Path) -> None:
    if path.suffix == ".toml" and importlib.util.find_spec("tomllib") is None:
        pytest.skip("no tomllib before 3.11")
    assert load_scenario(path).fetches


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": []}, "needs nodes"),
        ({"nodes": {"name": "a"}}, "nodes is a list"),
        ({"nodes": [{"count": 2}]}, r"nodes\[0\].*'name'"),
        ({"nodes": [{"name": "a"}, {"name": "a"}]}, "one name"),
        ({"nodes": [{"name": "a", "count": 0}]}, "count must be at least 1"),
        ({"nodes": [{"name": "a", "protocol": "2.0"}]}, "no protocol '2.0'"),
        ({"nodes": [{"name": "a", "colour": "red"}]}, r"nodes\[0\]: there is no 'colour'"),
        ({"nodes": [{"name": "seed", "server": {"workers": 3}}]}, r"nodes\[0\].server"),
        ({"nodes": [{"name": "seed", "server": {"task_workers": 0}}]}, "task_workers"),
        ({"speed": 3}, "there is no 'speed'"),
        ({"seed": 1.5}, "the scenario.seed: 1.5 is no whole number"),
        ({"seconds": 0}, "seconds must be positive"),
        ({"paced": 1}, "neither true nor false"),
        ({"name": 3}, "3 is no text"),
        ({"delay": "fast"}, "neither a number nor a table"),
        ({"delay": {"normal": [1]}}, "list of 2 numbers"),
        ({"delay": {"zeta": [1]}}, "there is no delay 'zeta'"),
        ({"delay": {"internet": {"mode": 3}}}, "the scenario.delay"),
        ({"rate": -1}, "a rate must be positive"),
        ({"rate": {"uniform": [1, 2]}}, "there is no rate 'uniform'"),
        ({"blocks": {"count": "many"}}, "blocks.count"),
        ({"blocks": {"size": 0}}, "size must be at least 1"),
        ({"holdings": [{"nodes": "nobody"}]}, "there are no nodes 'nobody'; there are seed, node"),
        ({"holdings": [{"nodes": "seed", "kind": "some"}]}, "kind is one of"),
        ({"holdings": [{"nodes": "seed", "kind": "all", "ranges": [[0, 1]]}]}, "ranges belong to"),
        ({"holdings": [{"nodes": "seed", "first": 20, "last": 40}]}, "no blocks 20 to 40"),
        ({"fetches": [{"nodes": "node", "pattern": "backwards"}]}, "pattern is one of"),
        ({"fetches": [{"nodes": "node", "broadcast": False}]}, "named peers"),
        ({"fetches": [{"nodes": "node", "timeout": 0}]}, "timeout must be positive"),
        ({"fetches": [{"nodes": "node", "sessions": "many"}]}, "sessions is"),
        ({"faults": [{"kind": "flood"}]}, "kind is one of"),
        ({"faults": [{"kind": "cut", "latency": 3}]}, "latency and rate belong to"),
        ({"faults": [{"kind": "cut", "others": "nobody"}]}, "no nodes 'nobody'"),
        ({"links": [{"first": "node", "second": "seed", "degree": 0}]}, "degree must be"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        scenario_of({**TABLE, **change})


@pytest.mark.parametrize(
    ("text", "words"), [("{", "broken.json"), ("[1]", "not a table"), ('{"nodes": 3}', "nodes is a list")]
)
def test_broken_files(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        load_scenario(path)


@needs_toml
def test_broken_toml(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(UsageError, match=r"broken\.toml"):
        load_scenario(path)


def test_holdings_that_do_not_fit_are_told_when_it_begins() -> None:
    wrong = [{"nodes": "seed", "kind": "ranges", "ranges": [[0, 20]]}]
    with pytest.raises(UsageError, match="2 nodes need as many ranges"):
        simulate(scenario_of({**TABLE, "holdings": wrong}))
    wrong = [{"nodes": "seed", "kind": "random", "copies": 3}]
    with pytest.raises(UsageError, match="3 copies need as many nodes"):
        simulate(scenario_of({**TABLE, "holdings": wrong}))
