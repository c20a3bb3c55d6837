"""Results as tables and as drawings, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bitswap.cli import main
from bitswap.simulation import Fetching, Group, describe, progress_svg, simulate
from bitswap.simulation.table import markdown_table, text_table
from bitswap.testnet import normal

from .scenes import scene

SVG = "{http://www.w3.org/2000/svg}"


def test_a_table_lines_up() -> None:
    lines = text_table(("name", "count"), [("a", "1"), ("longer", "1000")]).splitlines()
    assert lines == ["name    count", "a           1", "longer   1000"]
    assert markdown_table(("name", "count"), [("a", "1")]).splitlines()[1] == "| --- | ---: |"


def test_every_node_has_a_row() -> None:
    lines = describe(simulate(scene(nodes=(Group("seed", 2), Group("node", 4))))).splitlines()
    assert "80 blocks wanted, all of it came" in lines[0]
    assert [line.split()[0] for line in lines[2:]] == ["node-0", "node-1", "node-2", "node-3"]
    assert "20/20" in lines[2]


def test_of_many_nodes_there_is_a_summary() -> None:
    lines = describe(simulate(scene(nodes=(Group("seed", 2), Group("node", 40))))).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["least", "median", "most"]


def test_what_is_missing_is_said() -> None:
    result = simulate(scene(holdings=(), fetches=(Fetching("node", timeout=1.0),)))
    assert "20 blocks wanted, 0 of them came" in describe(result)


def test_the_drawing_is_one() -> None:
    drawn = scene(name="<&>", delay=normal(0.05, 0.03), fetches=(Fetching("node", "one-at-a-time"),))
    results = [simulate(drawn.with_seed(seed)) for seed in range(3)]
    root = ElementTree.fromstring(progress_svg(results))
    assert root.tag == f"{SVG}svg"
    lines = root.findall(f"{SVG}polyline")
    assert len(lines) == 3
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert points == sorted(points, key=lambda point: (point[0], -point[1]))
        assert all(0 <= x <= 760 and 0 <= y <= 440 for x, y in points)
        assert points[0][1] > points[-1][1]
    words = [text.text or "" for text in root.findall(f"{SVG}text")]
    assert any("<&>, seed 2" in text for text in words)
    assert {"seconds", "blocks", "0", "20"} <= set(words)


def test_a_drawing_of_nothing() -> None:
    assert ElementTree.fromstring(progress_svg([])).tag == f"{SVG}svg"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    table = {
        "blocks": {"count": 10, "size": 100},
        "nodes": [{"name": "seed"}, {"name": "node"}],
        "holdings": [{"nodes": "seed"}],
        "fetches": [{"nodes": "node", "timeout": 5}],
    }
    path.write_text(json.dumps(table), encoding="utf-8")
    return path


class TestCommand:
    def test_words(self, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["simulate", str(small), "--seed", "3"]) == 0
        assert "small, seed 3: 10 blocks wanted, all of it came in 0.020 s" in capsys.readouterr().out

    def test_json_and_a_plot(self, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
        plot = small.with_suffix(".svg")
        assert main(["simulate", str(small), "--json", "--plot", str(plot)]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        record = json.loads(line)
        assert record["complete"] is True
        assert record["nodes"][0]["messages_sent"] == 1
        assert ElementTree.parse(plot).getroot().tag == f"{SVG}svg"

    def test_what_does_not_come_is_a_failure(self, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
        small.write_text(small.read_text(encoding="utf-8").replace('"holdings"', '"faults": [], "holdings"'))
        table = json.loads(small.read_text(encoding="utf-8"))
        small.write_text(json.dumps({**table, "holdings": []}), encoding="utf-8")
        assert main(["simulate", str(small)]) == 1
        assert "10 blocks did not come" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "arguments",
        [[], ["--matrix", "x.json"], ["--matrix", "--only", "nothing like it"], ["x.json", "--seed", "1"]],
    )
    def test_mistakes(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["simulate", *arguments]) in (1, 2)
        assert "error: " in capsys.readouterr().err

    def test_matrix(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        page = tmp_path / "matrix.md"
        only = ["--only", "OnePeerPerBlock BigBatch", "--seeds", "2", "--markdown", str(page)]
        assert main(["simulate", "--matrix", *only]) == 0
        assert "10N OnePeerPerBlock BigBatch" in capsys.readouterr().out
        assert page.read_text(encoding="utf-8").count("| 10N OnePeerPerBlock BigBatch |") == 2
        assert main(["simulate", "--matrix", "--only", "3N AllToAll", "--json"]) == 0
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [record["scenario"] for record in records] == [
            "3N AllToAll OneAtATime",
            "3N AllToAll BigBatch",
        ]
        assert records[0]["lost"] == []
