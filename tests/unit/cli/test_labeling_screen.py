# SPDX-License-Identifier: Apache-2.0
"""Labels at a keyboard, on a pseudo-terminal: one key an answer, and what else keys do."""

import io
import os
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.utils.terminal import Terminal, terminal
from truthmark.bounty.answer_keys import keys_of
from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.document import LabelClass
from truthmark.bounty.items import Item, Media
from truthmark.cli import pictures
from truthmark.cli.labeling_screen import Screen, class_of, commands_of
from truthmark.errors import ConfigError

CLASSES = (LabelClass("cat"), LabelClass("dog", "d"), LabelClass("cow"))
UNDO, LEFT, RIGHT, ENTER = "\x7f", "\x1b[D", "\x1b[C", "\n"


@pytest.fixture(autouse=True)
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def text_item(number: int) -> Item:
    return Item.of_text(f"text {number}")


def play(
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    keys: str,
    *,
    items: tuple[int, ...] = (7, 3, 9),
    load: Callable[[int], Item] = text_item,
    classes: tuple[LabelClass, ...] = CLASSES,
    is_swapped: Callable[[int], bool] = lambda _: False,
    comment: Callable[[int, int], str] = lambda _item, _code: "",
    guidelines: str = "",
    is_judged: bool = False,
) -> tuple[bool, AnswerLog, Terminal]:
    with terminal(monkeypatch) as shown, AnswerLog(path) as log:
        shown.press(keys)
        screen = Screen(
            items,
            classes,
            log,
            load,
            title="Animals",
            guidelines=guidelines,
            status=lambda seconds: "about 9 TUSD an hour" if seconds is not None else "",
            is_swapped=is_swapped,
            comment=comment,
            is_judged=is_judged,
        )
        return screen.run(), log, shown


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.log"


def test_screen__one_key_an_item__all_are_answered(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    done, log, shown = play(monkeypatch, path, "1d2" + ENTER)
    assert done and log.codes == {7: 0, 3: 1, 9: 2}
    for text in ("text 7", "text 3", "text 9", "1 cat · d dog · 2 cow", "all 3 are answered"):
        assert text in shown.shown
    assert "s skip · f flag" in " ".join(shown.shown.split())
    _, _, shown = play(monkeypatch, path, "\x7f1" + ENTER, is_judged=True)
    assert "skip (counts as wrong)" in " ".join(shown.shown.split())


def test_screen__undo_and_skip_and_arrows__change_answers(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    done, log, _ = play(monkeypatch, path, f"1{UNDO}2s{LEFT}1" + "1" + ENTER)
    # cat, taken back: cow; skip; then back to the second item: cat; then the third: cat.
    assert done and log.codes == {7: 2, 3: 0, 9: 0}


def test_screen__leaving__keeps_answers_and_goes_on_there(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    done, log, _ = play(monkeypatch, path, "1q")
    assert not done and log.codes == {7: 0}
    done, log, shown = play(monkeypatch, path, "dq")
    assert not done and log.codes == {7: 0, 3: 1} and "text 7" not in shown.shown
    done, log, _ = play(monkeypatch, path, f"2{UNDO}1{ENTER}")
    assert done and log.codes == {7: 0, 3: 1, 9: 0}


def test_screen__not_confirmed__is_not_done(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    done, log, _ = play(monkeypatch, path, "111xq")
    assert not done and len(log.codes) == 3


def test_screen__flag_and_guidelines_and_wrong_key__answer_nothing(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    keys = f"fcut off{ENTER}g?9" + "1" + f"f{ENTER}q"
    done, log, shown = play(monkeypatch, path, keys, guidelines="Look at the\x1b[2J ears.")
    assert not done and log.codes == {7: 0}
    assert log.notes == {7: "cut off", 3: ""}
    assert "ears" in shown.shown and "\x1b[2J ears" not in shown.shown
    assert "no such key" in shown.shown and "1 flagged" in shown.shown


def test_screen__text_of_a_stranger__cannot_act_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    hostile = "first\x1b]0;owned\x07\r\nsecond \u202e line\n" + "word " * 3000

    def load(_: int) -> Item:
        return Item.of_text(hostile)

    _, _, shown = play(monkeypatch, path, " q", load=load)
    assert "\x1b]" not in shown.shown and "\x07" not in shown.shown and "\u202e" not in shown.shown
    assert "more lines" in shown.shown and shown.shown.count("word word") > 100


def test_screen__pair_that_is_swapped__is_stored_unswapped(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    pair = Item.of_pair(Item.of_text("left one"), Item.of_text("right one"))
    classes = (LabelClass("the first"), LabelClass("the second"), LabelClass("a tie"))
    done, log, shown = play(
        monkeypatch,
        path,
        "1123" + ENTER,
        items=(1, 2, 3, 4),
        load=lambda _: pair,
        classes=classes,
        is_swapped=lambda item: item in (1, 3, 4),
    )
    assert done and log.codes == {1: 1, 2: 0, 3: 0, 4: 2}
    first, second = shown.shown.split("item 2,")[:2]
    assert first.index("right one") < first.index("left one")
    assert second.index("left one") < second.index("right one")


def test_screen__more_than_ten_classes__are_found_by_name(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    classes = (*(LabelClass(f"kind {n}") for n in range(1, 13)), LabelClass("horse"))
    keys = f"9/ho{ENTER}/kind 1{ENTER}q"
    done, log, shown = play(monkeypatch, path, keys, classes=classes)
    assert log.codes == {7: 8, 3: 12, 9: 0} and not done
    assert "find one of 3 more" in " ".join(shown.shown.split())
    _, log, shown = play(
        monkeypatch, path.with_name("2"), f"/kind{ENTER}/cat{ENTER}q", classes=classes
    )
    assert not log.codes and "several: kind 1" in shown.shown
    assert "no class has such a name" in shown.shown


def test_screen__practice__says_what_was_right(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    _, _, shown = play(
        monkeypatch, path, "1q", comment=lambda _, code: f" · no, not {code}: it has horns"
    )
    assert "last: cat · no, not 0: it has horns" in " ".join(shown.shown.split())


def test_screen__no_terminal__says_what_to_do(path: Path) -> None:
    with AnswerLog(path) as log, pytest.raises(ConfigError, match="--answers FILE"):
        Screen((1,), CLASSES, log, text_item).run()


def test_screen__ctrl_c__leaves_the_terminal_as_it_was(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    def load(number: int) -> Item:
        raise KeyboardInterrupt

    with terminal(monkeypatch), AnswerLog(path) as log:
        before = termios.tcgetattr(sys.stdin.fileno())
        with pytest.raises(KeyboardInterrupt):
            Screen((1,), CLASSES, log, load).run()
        assert termios.tcgetattr(sys.stdin.fileno()) == before


def test_keys__own_keys_first__digits_for_the_rest_and_commands_beside() -> None:
    assert keys_of((LabelClass("cat", "2"), LabelClass("dog"), LabelClass("cow"))) == {
        "2": 0,
        "1": 1,
        "3": 2,
    }
    commands = commands_of({"s": 0, "q": 1, "f": 2, "F": 3})
    assert commands["S"] == "skip" and commands["Q"] == "leave" and commands["\x06"] == "flag"


def test_keys__names_of_one_letter__are_their_own_keys() -> None:
    digits = tuple(LabelClass(digit) for digit in "0123456789")
    assert keys_of(digits) == {digit: int(digit) for digit in "0123456789"}
    stars = tuple(LabelClass(name) for name in ("5", "4", "none", "1"))
    assert keys_of(stars) == {"5": 0, "4": 1, "1": 3, "2": 2}
    taken = (LabelClass("yes", "n"), LabelClass("n"))
    assert keys_of(taken) == {"n": 0, "1": 1}
    many = tuple(LabelClass(f"class {number}") for number in range(11))
    assert keys_of(many)["0"] == 9 and 10 not in keys_of(many).values()


def test_class_of__capital_or_not__is_the_same_class_unless_a_command() -> None:
    keys = keys_of((LabelClass("A"), LabelClass("S"), LabelClass("s"), LabelClass("Q")))
    commands = commands_of(keys)
    assert [class_of(key, keys, commands) for key in "aAsSQ"] == [0, 0, 2, 1, 3]
    assert class_of("q", keys, commands) is None and commands["q"] == "leave"


def test_run__classes_are_digits__the_key_is_the_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    classes = tuple(LabelClass(digit) for digit in "0123456789")
    done, log, shown = play(monkeypatch, tmp_path / "log", "309" + ENTER, classes=classes)
    assert done and [log.codes[item] for item in (7, 3, 9)] == [3, 0, 9]
    assert "0 · 1 · 2 · 3" in shown.shown


# ---------------------------------------------------------------------------- pictures


def picture() -> Item:
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    image.new("RGB", (13, 9), (200, 10, 10)).save(buffer, "JPEG")
    return Item(Media.JPEG, buffer.getvalue())


@pytest.mark.parametrize(
    ("environment", "protocol", "begins", "ends"),
    [
        ({"TERM": "xterm-kitty"}, "kitty", "\x1b_Ga=T,f=100,m=", "\x1b\\"),
        ({"TERM": "xterm", "TERM_PROGRAM": "WezTerm"}, "iterm", "\x1b]1337;File=inline=1", "\x07"),
        ({"TERM": "foot"}, "sixel", '\x1bPq"1;1;13;9', "\x1b\\"),
        ({"TERM": "xterm-kitty", "TMUX": "1"}, None, "", ""),
        ({"TERM": "xterm"}, None, "", ""),
    ],
)
def test_viewer__terminal_that_draws__gets_the_picture_else_a_window_opens(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    protocol: str | None,
    begins: str,
    ends: str,
) -> None:
    assert pictures.protocol(environment) == protocol
    launched: list[str] = []

    def launch(path: str) -> int:
        assert Path(path).read_bytes().startswith(b"\xff\xd8")
        launched.append(path)
        return 0

    monkeypatch.setattr("click.launch", launch)
    monkeypatch.setenv("DISPLAY", ":0")
    with terminal(monkeypatch) as shown:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        viewer = pictures.Viewer()
        said = viewer.show(picture(), "item7")
        assert bool(launched) == (protocol is None) and bool(said) == (protocol is None)
        damaged = viewer.show(Item(Media.JPEG, b"\xff\xd8 no picture"), "item8")
        assert "skip it" in damaged and not any("item8" in path for path in launched)
        viewer.close()
        assert not any(Path(path).exists() for path in launched)
    assert begins in shown.shown and ends in shown.shown


def test_viewer__no_window_can_open__picture_is_drawn_of_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def launch(_: str) -> int:
        raise AssertionError("nothing can open here")

    monkeypatch.setattr("click.launch", launch)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    with terminal(monkeypatch) as shown:
        monkeypatch.setenv("TERM", "xterm")
        viewer = pictures.Viewer()
        assert "coarsely" in viewer.show(picture(), "item7")
        assert "look at" in viewer.show(Item(Media.WAV, b"RIFF"), "item8")
        viewer.close()
    assert "▀" in shown.shown


def test_blocks__odd_rows_and_narrow_terminal__fit() -> None:
    image = pytest.importorskip("PIL.Image")
    lines = pictures.blocks(image.new("RGB", (200, 30), (1, 2, 3)), 60, 10).split("\n")
    assert {line.count("▀") for line in lines} == {60} and len(lines) == 5
    assert "\x1b[38;2;1;2;3m" in lines[0] and "\x1b[48" not in lines[-1]


def test_sixel__two_colours__are_bands_of_six_rows() -> None:
    image = pytest.importorskip("PIL.Image")
    made = image.new("RGB", (2, 7), (0, 0, 0))
    made.putpixel((1, 0), (255, 255, 255))
    drawn = pictures.sixel(made)
    assert drawn.startswith('\x1bPq"1;1;2;7') and drawn.endswith("-\x1b\\")
    assert drawn.count("-") == 2 and "2;100;100;100" in drawn and "2;0;0;0" in drawn
