"""The page of benchmarks, its pictures and the README's figures are made of the recorded results, and nothing is typed in."""

import json
import subprocess
import sys
import xml.etree.ElementTree as xml

import pytest
from conftest import ROOT

HERE = ROOT / "benches" / "peers"
sys.path.insert(0, str(HERE))

import report  # noqa: E402
from scenarios import PEERS  # noqa: E402


@pytest.fixture
def results():
    if not report.RESULTS.exists():
        pytest.skip("nothing is recorded yet")
    return json.loads(report.RESULTS.read_text())


def test_nothing_is_said_without_results():
    if not report.RESULTS.exists():
        for page in (report.BENCHMARKS, report.README):
            assert f"{report.BEGIN}\n{report.END}" in page.read_text()


@pytest.mark.usefixtures("results")
def test_all_that_is_said_agrees_with_the_results():
    assert report.check() == []


def test_a_figure_that_is_typed_in_is_found(results):
    """Each file that is made of the results changes with them."""
    for line in results["found"]:
        for figure in ("deliveries_per_second", "p99", "bytes_per_connection"):
            if line["peer"] == "stoa" and line.get(figure):
                line[figure] *= 2
    changed = {path.name for path, text in report.files(results) if path.read_text() != text}
    assert changed == {"results.json", "benchmarks.md", "README.md", "deliveries.svg", "latency.svg"}


def test_every_server_was_measured_in_every_round(results):
    assert set(results["peers"]) == {peer.key for peer in PEERS}
    for scenario in results["scenarios"]:
        for peer in PEERS:
            rounds = [one["round"] for one in results["found"] if (one["scenario"], one["peer"]) == (scenario, peer.key)]
            assert rounds in ([], list(range(1, results["rounds"] + 1))), (scenario, peer.key)


def test_stoa_lost_nothing(results):
    for line in results["found"]:
        if line["peer"].startswith("stoa"):
            assert "failed" not in line, line
            assert not any(line.get(figure) for figure in ("lost", "doubled", "out_of_order", "disconnected")), line


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("name", ["deliveries.svg", "latency.svg"])
def test_pictures_are_readable_in_light_and_dark(name):
    text = (report.IMAGES / name).read_text()
    xml.fromstring(text)
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.key)
def test_each_server_has_a_script_that_says_how_it_is_called(peer):
    script = HERE / f"{peer.script or peer.key}.sh"
    called = subprocess.run([script], stderr=subprocess.PIPE, text=True)
    assert called.returncode == 2
    assert called.stderr.startswith("usage: ")
