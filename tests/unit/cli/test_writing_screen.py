# SPDX-License-Identifier: Apache-2.0
"""Texts at a keyboard, on a pseudo-terminal: a line an item, and what lines with a slash do."""

import os
from pathlib import Path

import pytest

from tests.utils.terminal import Terminal, terminal
from truthmark.bounty.answer_log import WRITTEN, AnswerLog
from truthmark.bounty.items import Item
from truthmark.cli.writing_screen import WritingScreen

LEAVE = "/leave\n"


def play(
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    typed: str,
    editor: str = "false",
    *,
    ends: bool = False,
) -> tuple[bool, AnswerLog, Terminal]:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setenv("VISUAL", editor)
    with terminal(monkeypatch) as shown, AnswerLog(path) as log:
        shown.type(typed)
        if ends:
            shown.type("\x04", once="flagged")
        screen = WritingScreen(
            (7, 3, 9), (), log, lambda n: Item.of_text(f"item {n}"), title="Lines", guidelines="Say"
        )
        return screen.run(), log, shown


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.log"


def test_screen__a_line_an_item__all_are_written(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    done, log, shown = play(monkeypatch, path, "a cat\n//bin/sh\n  ein Hügel \n\n")
    assert done and log.texts == {7: "a cat", 3: "/bin/sh", 9: "ein Hügel"}
    assert {*log.codes.values()} == {WRITTEN} and "all 3 are answered" in shown.shown


def test_screen__commands__skip_go_take_back_flag_and_leave(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    lines = ("a cat", "/s", "/u", "a dog", "/flag blurred", "/b", "", "/guide", "/n", "/x", "")
    done, log, shown = play(monkeypatch, path, "\n".join(lines) + "\n" + LEAVE)
    assert not done and log.texts == {7: "a cat", 3: "a dog"}
    assert log.notes == {9: "blurred"}
    shown_text = " ".join(shown.shown.split())
    for text in ("taken back", "flagged", "your text: a dog", "Say", "no such command"):
        assert text in shown_text, text


def test_screen__skip_and_end_of_input__kept_and_left(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    done, log, _ = play(monkeypatch, path, "/skip\n/flag blurred\n", ends=True)
    assert not done and log.codes == {7: 0} and not log.texts and log.notes


def test_screen__editor__several_lines(
    monkeypatch: pytest.MonkeyPatch, path: Path, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'one\\ntwo\\n' > \"$1\"\n")
    editor.chmod(0o755)
    done, log, shown = play(monkeypatch, path, "/edit\n" + "x" * 4_050 + "\n" + LEAVE, str(editor))
    assert not done and log.texts == {7: "one\ntwo"}
    assert "/edit" in shown.shown and "may cut" in " ".join(shown.shown.split())
