# SPDX-License-Identifier: Apache-2.0
"""`make test` runs every file of tests, once."""

import os
from pathlib import Path

import hypothesis

from tools import run_tests

ROOT = Path(__file__).resolve().parents[2]


def files(places):
    """Return the files of tests at some places."""
    found = []
    for place in places:
        found += place.rglob("test_*.py") if place.is_dir() else [place]
    return found


def test_traced_untraced__together_with_ape__are_all_files_once():
    found = [*files(run_tests.traced()), *files(run_tests.untraced())]
    found += files([ROOT / "tests" / "functional"])
    assert sorted(found) == sorted((ROOT / "tests").rglob("test_*.py"))


def test_traced__every_pattern__names_something():
    assert all(list(ROOT.glob(pattern)) for pattern in run_tests.TRACED)


def test_adds_little__every_file__is_one_that_would_be_traced():
    found = {path for pattern in run_tests.TRACED for path in ROOT.glob(pattern)}
    assert found >= run_tests.ADDS_LITTLE


def test_add__failures_and_a_crash__are_named_with_their_errors(tmp_path):
    report = tmp_path / "traced.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.lib.test_a" name="test_x[1]" time="2">'
        '<failure message="AssertionError: assert 5 &gt;= 8&#10; +  where">text</failure>'
        '</testcase><testcase classname="tests.lib.test_b" name="test_y" time="1" />'
        "</testsuite></testsuites>"
    )
    totals = run_tests.Totals()
    totals.add(report, 1)
    assert totals.failures == ["tests/lib/test_a.py::test_x[1]: AssertionError: assert 5 >= 8"]
    assert (totals.passed, totals.seconds["tests/lib"]) == (1, 3)
    other = run_tests.Totals()
    other.add(tmp_path / "ape.xml", 4)
    totals.join(other)
    assert totals.failures[1:] == ["ape: ended with 4; see its lines above"]
    assert max(totals.slowest) == (2, "tests/lib/test_a.py::test_x[1]")
    idle = run_tests.Totals()
    idle.add(tmp_path / "worker.xml", 5)  # others had taken all files
    assert not idle.failures


def test_find_memory__no_room_or_none_to_run_programs__is_not_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(run_tests, "MEMORY", tmp_path / "nowhere")
    assert run_tests.find_memory() is None
    monkeypatch.setattr(run_tests, "MEMORY", tmp_path)
    monkeypatch.setattr(run_tests, "ROOM", 1 << 60)
    assert run_tests.find_memory() is None
    monkeypatch.setattr(run_tests, "ROOM", 1)
    can_run = not os.statvfs(tmp_path).f_flag & os.ST_NOEXEC and Path("/proc/meminfo").exists()
    assert run_tests.find_memory() == (tmp_path if can_run else None)


def test_profiles__of_campaigns__look_for_other_examples_each_time():
    assert hypothesis.settings.get_profile("default").derandomize
    assert not hypothesis.settings.get_profile("assure").derandomize
