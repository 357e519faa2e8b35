# SPDX-License-Identifier: Apache-2.0
"""Labeling one's own gold at a keyboard, and what is learned from it; without a chain."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.utils.cli import Person
from tests.utils.terminal import terminal
from truthmark.bounty.answers import Known, read_known, write_known
from truthmark.bounty.document import LabelClass
from truthmark.bounty.flows.knowing import (
    answers_of,
    ask_items,
    check_known,
    items_to_ask,
    open_shelf,
    usable_against,
)
from truthmark.bounty.sources.opening import open_items_of
from truthmark.cli import bounty_gold
from truthmark.config.profile import ChainProfile, TokenInfo
from truthmark.errors import ConfigError

WORDS = ["cat", "dog"]
NAMES = [str(number) for number in range(40)]
CLASSES = (LabelClass("cat"), LabelClass("dog"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    path.write_text("text\n" + "".join(f"text {name}\n" for name in NAMES))
    return path


@pytest.fixture
def person(tmp_path: Path) -> Person:
    home = tmp_path / "home"
    home.mkdir()
    token = TokenInfo("TUSD", "0x" + "11" * 20, 6)
    ChainProfile("devnet", 31337, rpc=("http://127.0.0.1:9",), tokens=(token,)).save(
        home / "profiles"
    )
    return Person(home)


def test_items_to_ask__proposals__as_many_of_each_and_always_the_same(
    table: Path, tmp_path: Path
) -> None:
    shelf = open_shelf(tmp_path, open_items_of(table), tmp_path / "gold.csv")
    proposals = {name: "cat" if int(name) < 30 else "dog" for name in NAMES}
    asked = items_to_ask(shelf, 10, proposals=proposals)
    assert asked == items_to_ask(shelf, 10, proposals=proposals)
    assert sum(proposals[shelf.names[item]] == "dog" for item in asked) == 5
    more = items_to_ask(shelf, 20, proposals=proposals)
    assert more[:10] == asked
    known = {shelf.names[asked[0]]: Known("cat")}
    assert asked[0] not in items_to_ask(shelf, 40, known=known)
    assert sorted(items_to_ask(shelf, 99)) == list(range(40))


def test_open_shelf__the_same_source_and_file__the_answers_are_found_again(
    table: Path, tmp_path: Path
) -> None:
    shelf = open_shelf(tmp_path, open_items_of(table), tmp_path / "gold.csv")
    with shelf.open_log(WORDS) as log:
        log.answer(3, 1, 2.0)
        log.answer(4, 2)  # a skip
    shelf.close()
    again = open_shelf(tmp_path, open_items_of(table), tmp_path / "gold.csv")
    with again.open_log(WORDS) as log:
        assert answers_of(again, log, WORDS) == {"3": Known("dog", seconds=2.0)}
    other = open_shelf(tmp_path, open_items_of(table), tmp_path / "other.csv")
    with other.open_log(WORDS) as log:
        assert not log.codes
    # A number in the log would be another class, and the skip one, if classes were others.
    for others in (["dog", "cat"], ["cat", "dog", "cow"]):
        with again.open_log(others) as log:
            assert not log.codes
    assert again.items.item(7).text == "text 7"
    again.remove()
    assert not again.folder.exists()


def test_usable_against__model_that_is_mostly_right__few() -> None:
    rng = np.random.default_rng(0)
    answers = {str(n): Known(("cat", "dog")[n % 2]) for n in range(200)}
    model = {
        name: known.answer if rng.random() < 0.9 else ("dog", "cat")[int(name) % 2]
        for name, known in answers.items()
    }
    useful = usable_against(answers, model, ["cat", "dog"])
    assert 10 <= useful <= 60
    assert usable_against({"1": Known("cat")}, model, ["cat", "dog"]) == 0


@pytest.mark.parametrize("row", ["999,cat", "1,cow"])
def test_check_known__no_item_or_no_class__refused(tmp_path: Path, row: str) -> None:
    path = tmp_path / "known.csv"
    path.write_text(f"item,answer\n{row}\n")
    with pytest.raises(ConfigError):
        check_known(path, NAMES, ["cat", "dog"])


def test_gold__at_a_keyboard__stopped_and_gone_on_with(
    table: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = table.with_name("texts.csv.gold.csv")

    def press(keys: str, count: int) -> dict[str, Known]:
        with terminal(monkeypatch) as shown:
            shown.press(keys)
            shelf = open_shelf(person.home, open_items_of(table), place)
            show = partial(bounty_gold._screen, shelf, CLASSES, None, "", "")
            answers = ask_items(shelf, WORDS, count, place, show)
            shelf.close()
        return answers

    first = press("12q", 4)
    assert [known.answer for known in first.values()] == ["cat", "dog"]
    assert read_known(place).keys() == first.keys()
    second = press("s2\r", 4)
    assert len(second) == 3 and list(second)[:2] == list(first)


def test_gold__known_answers_from_a_file__checked_and_written(table: Path, person: Person) -> None:
    given = table.with_name("known.csv")
    write_known(given, {name: Known(("cat", "dog")[int(name) % 2]) for name in NAMES[:12]})
    command = ("bounty", "gold", table, "--classes", "cat,dog", "--from", given, "--count", 12)
    shown = person(*command, "--json").ok().json
    assert shown["classes"] == {"cat": 6, "dog": 6}
    assert read_known(Path(shown["file"])).keys() == {*NAMES[:12]}
    model = table.with_name("model.csv")
    guesses = {name: ("cat", "dog")[int(name) // 2 % 2] for name in NAMES}  # a coin
    model.write_text("item,prediction\n" + "".join(f"{n},{g}\n" for n, g in guesses.items()))
    shown = person(*command[:-1], 0, "--against", model, "--json").ok().json
    assert shown["usable_against_model"] == 12
    person(*command[:5], "--json").refused_json(3, "terminal")
    person("bounty", "gold", table, "--classes", "cat").refused(3, "two or more")


def test_pilot__answers_with_seconds__labels_an_item_and_a_price(
    table: Path, person: Person
) -> None:
    mine, others = table.with_name("mine.csv"), table.with_name("others.csv")
    write_known(mine, {n: Known(("cat", "dog")[int(n) % 2], seconds=6.0) for n in NAMES})
    write_known(others, {n: Known(("cat", "dog")[int(n) % 2 ^ (int(n) % 8 == 0)]) for n in NAMES})
    command = ("bounty", "pilot", "--answers", mine, "--hourly", "12 TUSD")
    shown = person(*command, "--json").ok().json
    assert shown["price"] == "0.02 TUSD" and shown["seconds_per_item"] == 6
    measured = person(*command, "--others", others, "--json").ok().json
    assert measured["accuracy"] == pytest.approx(0.933, abs=0.01)
    text = person(*command).ok()
    assert '--price "0.02 TUSD"' in text.out and "--accuracy" in text.err
    person("bounty", "pilot", "--hourly", "12 TUSD").refused(3, "--answers")


def test_estimate__no_account_no_chain__what_it_costs_and_pays(table: Path, person: Person) -> None:
    command = ("bounty", "estimate", "--items", 2000, "--price", "0.05 TUSD")
    shown = person(*command, "--seconds-per-item", 4, "--json").ok()
    assert "taking 1 gwei" in shown.err
    assert shown.json["labels"] == 10_000 and shown.json["for_labelers"] == "500000000"
    assert shown.json["guesser"] < 0.15 and shown.json["honest"]["0.95"] > 0.9
    text = person(*command).ok()
    for words in ("500 TUSD if everybody is paid in full", "who guesses", "100 items"):
        assert words in text.out
    small = person("bounty", "estimate", table, "--price", "0.05 TUSD", "--gas-price", 0).ok()
    assert "40 items × 5" in small.out
    text = person(*command, "--team", _team(table.parent)).ok()
    assert "2000 items × 2" in text.out and "who guesses" not in text.out
    person("bounty", "estimate", "--price", "0.05 TUSD").refused(3, "--items")
    person(*command, "--gold-count", 5).refused(9, "too few")
    assert "15 min to join, 2 h to label; 1 d 8 h until all is paid, at most" in text.out
    three = [person(*command, "--classes", n, "--json").ok().json for n in ("3", "cat,dog,owl=o")]
    assert three[0] == three[1] != shown.json
    person(*command, "--classes", "255").refused(3, "2 to 254 answers, not 255")


def test_estimate__rows_that_cannot_be_used__are_told(tmp_path: Path, person: Person) -> None:
    table = tmp_path / "Äußerungen.csv"
    table.write_bytes("\ufeffNr,Der Text\r\n7,gut\r\n8,\r\n9,gut\r\n".encode())
    command = ("bounty", "estimate", table, "--price", "0.05 TUSD", "--column", "Der Text")
    shown = person(*command, "--team", _team(tmp_path)).ok()
    assert "1 item to label" in shown.err and "cannot be used: 1 (has an empty cell)" in shown.err
    assert "the same as another: 2 (as 0)" in shown.err
    table.write_text("Nr;Der Text\n7;gut\n")
    said = person(*command).refused(4, "save it with commas between the columns").err
    assert "--raw" not in said


def _team(folder: Path) -> Path:
    path = folder / "team.txt"
    path.write_text("Ann\nBob\n")
    return path


def test_shelf_source__read_again__gives_what_was_read_of_a_source_that_is_gone(
    table: Path, tmp_path: Path
) -> None:
    source = open_items_of(table)
    shelf = open_shelf(tmp_path, source, tmp_path / "gold.csv")
    before = [(found.name, found.item) for found in source]
    table.unlink()
    again = shelf.source()
    assert (again.kind, again.fingerprint, again.total) == (source.kind, source.fingerprint, 40)
    assert [(found.name, found.item) for found in again] == before
