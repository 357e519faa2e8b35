# SPDX-License-Identifier: Apache-2.0
"""What a requester knows, and whom they invite: files that people write by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from truthmark.bounty.answers import (
    Known,
    classes_by_item,
    draw_most,
    read_known,
    write_known,
)
from truthmark.bounty.document import LabelClass
from truthmark.bounty.flows.drafting import practice_names
from truthmark.bounty.team import Member, new_code, read_team
from truthmark.errors import BountyError, ConfigError

ADDRESS = "0x" + "11" * 20


def test_known__written_and_read__the_same(tmp_path: Path) -> None:
    answers = {"a/1, x.jpg": Known("cat", 'it "meows"', 2.5), "b": Known("dog")}
    write_known(tmp_path / "gold.csv", answers)
    assert read_known(tmp_path / "gold.csv") == answers


@pytest.mark.parametrize(
    "text",
    [
        "task,label\nx,cat\n",
        "\ufeffid,class,more\nx,cat,1\n",
        "prediction,path\ncat,x\n",
        "file_name,label\nx,cat\n",
    ],
)
def test_read_known__other_names_of_columns__read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text, "utf-8")
    assert read_known(tmp_path / "a.csv") == {"x": Known("cat")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"a,b\n1,2\n", "no column 'item'; name it so, or one of task, id"),
        (b"item,answer\nx,cat\nx,dog\n", "two answers"),
        (b"item,answer\nx\n", "line 2"),
        (b"item,answer\n\xff,cat\n", "UTF-8"),
        (b"", "no column"),
    ],
)
def test_read_known__file_that_will_not_do__refused(tmp_path: Path, text: bytes, says: str) -> None:
    (tmp_path / "a.csv").write_bytes(text)
    with pytest.raises(ConfigError, match=says):
        read_known(tmp_path / "a.csv")


def test_classes_by_item__names_of_both__numbers_and_unknown() -> None:
    found = classes_by_item(["a", "b", "c"], {"c": "dog", "a": "cat"}, ["cat", "dog"], what="gold")
    assert found.tolist() == [0, -1, 1]
    with pytest.raises(ConfigError, match="did you mean cat"):
        classes_by_item(["a"], {"a": "cta"}, ["cat", "dog"], what="gold")
    with pytest.raises(ConfigError, match="no item"):
        classes_by_item(["a"], {"x": "cat"}, ["cat", "dog"], what="gold")


def test_draw_most__one_class_rare__as_much_as_is_balanced() -> None:
    answers = np.array([0] * 95 + [1] * 5 + [-1] * 100)
    gold = draw_most(answers, classes=2)
    counts = np.bincount(gold.answers)
    assert counts[1] == 5 and 4 * counts[1] >= len(gold) > 12
    gold.require_sound(items=200, classes=2)


def test_draw_most__against_a_model__it_is_at_chance() -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 2, 400)
    model = np.where(rng.random(400) < 0.8, answers, 1 - answers)
    gold = draw_most(answers, classes=2, against=model)
    right = model[gold.items] == gold.answers
    for number in (0, 1):
        assert right[gold.answers == number].mean() <= 0.5


def test_draw_most__nothing_known_or_one_class__refused() -> None:
    with pytest.raises(BountyError, match="team"):
        draw_most(np.full(10, -1), classes=2)
    with pytest.raises(BountyError):
        draw_most(np.zeros(10, np.int64), classes=2)


def test_practice_names__known_answers__of_each_class_and_always_the_same() -> None:
    known = {f"{name}{n}": Known(name) for name in ("cat", "dog") for n in range(30)}
    classes = (LabelClass("cat"), LabelClass("dog"))
    names = practice_names(known, classes, None)
    assert len(names) == 6 and names == practice_names(known, classes, None)
    assert sum(name.startswith("cat") for name in names) == 3
    assert len(practice_names(known, classes, 30)) == 30
    assert practice_names({}, classes, None) == []


def test_read_team__names_and_addresses__each_once(tmp_path: Path) -> None:
    path = tmp_path / "team.txt"
    path.write_text(f"# people\nAnn Lee\n\n{ADDRESS}\nBob, 0x{'22' * 20}  # by e-mail\n", "utf-8")
    assert read_team(path) == [
        Member("Ann Lee"),
        Member(ADDRESS, ADDRESS),
        Member("Bob", "0x" + "22" * 20),
    ]


@pytest.mark.parametrize(
    "text", ["", "# nobody\n", "Ann\nAnn\n", f"A {ADDRESS}\nB {ADDRESS}\n", "x" * 101, "a\x07b\n"]
)
def test_read_team__nobody_or_twice__refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "team.txt"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_team(path)


def test_new_code__many__all_different_and_as_a_relay_takes_them() -> None:
    codes = {new_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(8 <= len(code) <= 64 and code.isascii() for code in codes)


def test_read_team__no_text__refused(tmp_path: Path) -> None:
    reads: list[Callable[[], object]] = [
        lambda: read_team(tmp_path / "none.txt"),
        lambda: read_known(tmp_path / "none.csv"),
    ]
    for read in reads:
        with pytest.raises(ConfigError):
            read()
