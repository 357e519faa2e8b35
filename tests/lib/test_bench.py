# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of bounties, at the size of a toy: that each measures what it says."""

import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench import bounties, photos, preview, relay, report, soak
from bench.report import Report
from tests.utils.anvil import require_anvil
from truthmark.bounty.payouts import Status


def test_photos__toy__make_items_beside_a_peer() -> None:
    found = Report("photos")
    photos.measure(found, 2, (1_700, 40), photos.measured)
    speed, seconds, memory, _, size = found.figures
    assert speed.name == "2 photos of 0 MP into items" and speed.ratio is not None
    assert seconds.value > 0 and memory.value > 20 and size.value > 1_000


def test_relay__toy__answers_beside_a_bare_app() -> None:
    found = Report("relay")
    with ThreadPoolExecutor(1) as pool:
        relay.measure(found, 3, pool)
    speeds = [figure for figure in found.figures if figure.unit == "requests/s"]
    assert [figure.name.split(",")[0] for figure in speeds] == ["join", "item", "roster"]
    assert all(figure.ratio is not None and figure.value > 0 for figure in found.figures)


def test_median_pair__one_turn_disturbed__takes_another() -> None:
    turns = [(1.0, 2.0), (9.0, 1.0), (3.0, 5.0)]
    assert report.median_pair(turns, float) == (3.0, 5.0)


def test_bounties__few_labels__verify_with_gold_and_score() -> None:
    result, _, codes = bounties.make(10_000)
    assert result.record.status is Status.SETTLED and len(codes) == len(result.runs)
    assert result.record.require_score().gold.answers.size == bounties.GOLD


def sample(**changed: float) -> dict[str, float]:
    """Return what a node says of itself."""
    usual = dict.fromkeys(("memory", "descriptors", "rounds", "round_seconds", "seconds"), 10.0)
    return usual | {"requests": 7, "failed": 0, "problems": 0, "running": 0} | changed


@pytest.mark.parametrize(
    ("late", "ends", "broken"),
    [
        ({}, {"SETTLED": 8}, []),
        ({"memory": 11.5}, {"SETTLED": 8}, ["memory"]),
        ({"descriptors": 43}, {"SETTLED": 8}, ["descriptors"]),
        ({"failed": 1}, {"SETTLED": 8}, ["answers"]),
        ({}, {"SETTLED": 7, "FLAT": 1}, ["that"]),
    ],
)
def test_add__something_grows_or_fails__does_not_hold(
    late: dict[str, float], ends: dict[str, int], broken: list[str]
) -> None:
    found = Report("soak")
    samples = [sample()] * 6 + [sample(**late)] * 2
    soak.add(found, samples, Counter(ends), 0, 60.0, 4, 2)
    names = [figure.name.split(": ")[1] for figure in found.figures if figure.holds is False]
    assert [name.split()[0] for name in names] == broken


@pytest.mark.chain
@pytest.mark.assure
def test_soak__one_bounty__is_led_to_its_end() -> None:
    require_anvil()
    found = Report("soak")
    soak.soak(found, 0, 1)
    values = {figure.name.split(": ")[1]: figure for figure in found.figures}
    assert values["brought to their end in 1 turns"].value == 1
    assert values["that ended SETTLED"].holds and values["answers from 500 on"].holds
    assert values["requests answered"].value > 50


def test_speed_page__as_recorded__is_docs_speed() -> None:
    assert (report.ROOT / "docs" / "speed.md").read_text("utf-8") == report.speed_page()


def test_main__takes_hours__is_named_and_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench import __main__ as every

    ran: list[str] = []

    def run(command: list[str], *, check: bool) -> "subprocess.CompletedProcess[str]":
        ran.append(command[-1])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert every.main() == 0
    assert ran == [f"bench.{name}" for name in report.SPEED if name not in report.LONG]
    assert "python -m bench.soak" in capsys.readouterr().out


def test_preview__toy__finds_as_often_as_the_formula_says(tmp_path: Path) -> None:
    found = Report("preview")
    preview.measure_noise(found, tmp_path, seeds=300, rows=40_000, shares=[0.3])
    preview.measure_look(found, tmp_path, megabytes=8)
    assert [figure.unit for figure in found.figures] == ["% found", "% found", "s", "s"]
    assert all(figure.holds for figure in found.figures[:2])
