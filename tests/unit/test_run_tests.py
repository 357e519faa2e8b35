# SPDX-License-Identifier: Apache-2.0
"""`make test` runs every file of tests, once."""

from pathlib import Path

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


def test_untraced__every_pattern__names_something():
    assert all(list(ROOT.glob(pattern)) for pattern in run_tests.UNTRACED)
