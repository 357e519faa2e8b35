# SPDX-License-Identifier: Apache-2.0
"""`truthmark attack`: anyone's strategies on recorded crowds, and what is refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.utils.cli import Person
from truthmark.labels.scoring import ABSENT
from truthmark.testing.crowds.draws import deal
from truthmark.testing.crowds.pays import MOST, pays
from truthmark.testing.crowds.sets import Crowd, find_set, load
from truthmark.testing.crowds.strategies import GIVEN, load_strategy

CONSTANT = """
def answer(account, classes):
    return account % classes
"""

EVERYTHING = """
SHARE, COMMITS = 0.5, 0.5

def answer(item, round, account, classes, shares, items, rounds, rng, memory):
    assert 0 <= item < items and 0 <= round < rounds and abs(sum(shares) - 1) < 1e-9
    memory["asked"] = memory.get("asked", 0) + 1
    return classes if memory["asked"] == 1 else int(rng.integers(classes))
"""


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return load(find_set("sp_amt"))


@pytest.fixture
def attack(tmp_path: Path):
    person = Person(tmp_path / "home")

    def run(source: str, *words: str):
        (tmp_path / "mine.py").write_text(source)
        return person("attack", tmp_path / "mine.py", *words)

    return run


def test_attack__knows_nothing__earns_at_most_the_limit_and_says_so(attack) -> None:
    shown = attack(CONSTANT, "--set", "sp_amt", "--draws", "2").ok()
    assert "On able crowds it earns at most" in shown.out and "sp_amt" in shown.out
    found = json.loads(attack(CONSTANT, "--set", "sp_amt", "--draws", "2", "--json").ok().out)
    assert [row["labels_per_item"] for row in found["crowds"]] == [2, 3, 5]
    assert all(row["able"] and row["of_honest_pay"] <= MOST for row in found["crowds"])
    assert all(row["honest"] > 0.7 and row["half"] == 0 for row in found["crowds"])


def test_attack__strategy_of_the_page__works(attack) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "crowds.md").read_text("utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    found = json.loads(attack(source, "--set", "sp_amt", "--draws", "1", "--json").ok().out)
    assert all(row["of_honest_pay"] <= MOST for row in found["crowds"])


def test_attack__all_sets_there_are__are_tried_where_none_is_named(attack) -> None:
    found = json.loads(attack(CONSTANT, "--draws", "1", "--json").ok().out)
    assert {row["crowd"] for row in found["crowds"]} >= {"sp_amt", "cf_amt"}


def test_attack__crowds_of_which_nothing_is_promised__are_named_so(attack) -> None:
    shown = attack(CONSTANT, "--set", "cf_amt", "--draws", "1").ok()
    assert "No able crowd is among these" in shown.out


def test_attack__ring_of_nine_tenths__is_told_where_it_earns_more(attack) -> None:
    ring = "SHARE = 0.9\ndef answer(item, classes):\n    return item % classes\n"
    found = json.loads(attack(ring, "--set", "sp_amt", "--draws", "2", "--json").ok().out)
    assert any(row["half"] > 0 or row["of_honest_pay"] > MOST for row in found["crowds"])


@pytest.mark.parametrize(
    "source,why",
    [
        ("def answer(:\n", "cannot be run: SyntaxError"),
        ("raise ValueError('no')\n", "cannot be run: ValueError: no"),
        ("exit(7)\n", "cannot be run: SystemExit"),
        ("reply = 1\n", "defines no function answer"),
        ("def answer(item, truth):\n    return 0\n", "wants 'truth'; it is given item, round"),
        ("def answer(item, /):\n    return 0\n", "wants 'item'"),
        ("SHARE = 0.95\n" + CONSTANT, "SHARE of .* is a number above 0 and up to 0.9"),
        ("COMMITS = 0\n" + CONSTANT, "COMMITS of .* is a number above 0 and up to 1"),
        ("def answer():\n    return None\n", "returned NoneType; return a class, 0 to 1, or 2"),
        ("def answer():\n    return True\n", "returned bool"),
        ("def answer():\n    return 3\n", "returned 3; this crowd has the classes 0 to 1"),
        ("def answer():\n    return 1 // 0\n", r"failed: ZeroDivisionError.*\(line 2\)"),
    ],
)
def test_attack__what_is_no_strategy__is_refused_in_one_line(attack, source: str, why: str) -> None:
    refused = attack(source, "--set", "sp_amt", "--draws", "1").refused(3)
    assert re.search(why, refused.err.splitlines()[-1])


def test_attack__no_such_set__says_which_there_are(attack) -> None:
    refused = attack(CONSTANT, "--set", "nope").refused(3, "there is no set 'nope'")
    assert "sp_amt" in refused.err


def test_strategy__all_that_it_is_given__changes_its_own_cells_alone(
    tmp_path: Path, crowd: Crowd
) -> None:
    (tmp_path / "mine.py").write_text(EVERYTHING)
    tried = load_strategy(tmp_path / "mine.py")
    assert tried.wanted == GIVEN and (tried.share, tried.commits) == (0.5, 0.5)
    draw = deal(crowd, 3, np.random.default_rng(1))
    before = draw.copy()
    tried(draw, np.random.default_rng(2))
    is_attacker = np.append(draw.is_attacker, False)[draw.workers]
    assert (draw.labels[~is_attacker] == before.labels[~is_attacker]).all()
    theirs = draw.labels[is_attacker & (before.labels != ABSENT)]
    assert 0.45 < (theirs == ABSENT).mean() < 0.55
    assert (theirs == crowd.n_classes).sum() == draw.is_attacker[np.unique(before.workers)].sum()
    again = before.copy()
    tried(again, np.random.default_rng(2))
    assert (again.labels == draw.labels).all()


def test_pays__function_with_any_arguments__is_given_all(tmp_path: Path, crowd: Crowd) -> None:
    (tmp_path / "mine.py").write_text("def answer(**given):\n    return len(given) % 2\n")
    tried = load_strategy(tmp_path / "mine.py")
    assert tried.wanted == GIVEN
    assert pays(crowd, 5, tried, 1).ratio < MOST
