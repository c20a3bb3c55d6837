"""The benchmark of two nodes runs: every kind of transfer, every pair, and its tables and drawing."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.nodes.__main__ import main
from benchmarks.nodes.aims import BOTH_OURS, Aim, aim
from benchmarks.nodes.chart import Line, log_chart
from benchmarks.nodes.runs import name, pairs, run
from benchmarks.nodes.scenarios import SCENARIOS, Busy, Scenario
from benchmarks.nodes.sides import Sample, Setting, Side
from benchmarks.nodes.table import lines

BY_KEY = {scenario.key: scenario for scenario in SCENARIOS}
PAIRS = ["boxo <- boxo", "ours <- ours", "ours <- boxo", "boxo <- ours"]


@pytest.mark.interop
@pytest.mark.timeout(120)
def test_every_kind_of_transfer_between_all_pairs(
    go_binary: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["file", "latency"]
    words = ["--quick", "--rounds", "1", "--json", str(tmp_path / "out.json"), "--scenario", *chosen]
    assert main(words) == 0
    record = json.loads((tmp_path / "out.json").read_text())["tls"]
    assert list(record) == [key for key in BY_KEY if key in chosen]
    for found in record.values():
        assert list(found) == PAIRS
        for (sample,) in found.values():
            assert sample["seconds"] > 0
            assert min(sample["client_bytes"], sample["server_bytes"]) > 0
    assert "failed" not in capsys.readouterr().out


@pytest.mark.interop
@pytest.mark.timeout(60)
def test_a_pair_that_fails_is_left_out(
    go_binary: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A client that may not wait at all has nothing by then.
    setting = Setting(go_binary, tmp_path, "tls", 0.0)
    scenario = Scenario("small", 10, 100, 10)
    samples = run(setting, scenario, 2, pure=False)
    assert not any(samples.values())
    assert [line.count("failed") for line in lines([(scenario, samples)])] == [0, 0, 1, 1, 1, 1]
    assert "ours <- boxo" in capsys.readouterr().err


def test_which_pairs_run_beside_a_busy_thread() -> None:
    assert [name(pair) for pair in pairs(BY_KEY["256kib"], pure=False)] == PAIRS
    assert [name(pair) for pair in pairs(BY_KEY["256kib-busy-client"], pure=True)] == [
        *PAIRS[:3],
        "pure <- pure",
    ]
    assert name(pairs(BY_KEY["latency-busy-server"], pure=False)[-1]) == "boxo <- ours"


def test_aims() -> None:
    scenario = BY_KEY["10000"]
    both = aim(scenario, BOTH_OURS)
    assert both is not None
    assert str(both) == "4x or 100,000 blocks/s"
    assert both.verdict(ratio=4.5, scenario=scenario, seconds=0.099) == "reached"
    assert both.verdict(ratio=4.5, scenario=scenario, seconds=0.11) == "reached"
    assert both.verdict(ratio=3.99, scenario=scenario, seconds=0.09) == "reached"
    assert both.verdict(ratio=3.99, scenario=scenario, seconds=0.11) == "not reached"
    assert both.verdict(ratio=None, scenario=scenario, seconds=0.09) == ""
    assert Aim(1).verdict(ratio=0.98, scenario=scenario, seconds=1) == "reached"
    assert Aim(1).verdict(ratio=0.96, scenario=scenario, seconds=1) == "not reached"
    assert Aim(milliseconds=0.5).verdict(ratio=None, scenario=scenario, seconds=0.0006) == "not reached"
    assert aim(scenario, (Side.BOXO, Side.BOXO)) is None
    busy = aim(BY_KEY["256kib-busy-server"], BOTH_OURS)
    assert busy == Aim(megabytes=100)


def test_a_line_has_medians_and_the_ratio_to_boxo() -> None:
    def samples(*seconds: float) -> list[Sample]:
        return [Sample(one, 0.5, 0.25, 50 << 20, 40 << 20) for one in seconds]

    scenario = Scenario("1mib-busy-client", 100, 1_000_000, 1, busy=Busy.CLIENT)
    reference, ours = (Side.BOXO, Side.BOXO), BOTH_OURS
    table = lines([(scenario, {reference: samples(2, 1, 4), ours: samples(1, 0.5, 0.8)})])
    cells = [cell.strip() for cell in table[-1].split("|")]
    assert cells[3:10] == ["125 MB/s", "100 to 200", "2.50x", "-", "0.25", "50", "40"]
    assert cells[10:12] == ["100 MB/s", "reached"]


def test_a_drawing_has_a_line_for_each_pair() -> None:
    drawn = [Line("a <- b", [(1024, 3.0), (4096, 90.0)]), Line("b <- a", [(1024, 4.0)]), Line("none", [])]
    root = ElementTree.fromstring(log_chart(drawn, [(1024, "1 KiB"), (4096, "4 KiB")], "speed & size"))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["speed & size", "1 KiB", "4 KiB", "2", "5", "10", "20", "50", "100", "a <- b", "b <- a"]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 2
