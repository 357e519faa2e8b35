# SPDX-License-Identifier: Apache-2.0
"""Labels at a keyboard: an item, one key, the next item. Every answer is on disk at once."""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import click

from truthmark.bounty.answer_keys import keys_of
from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.document import LabelClass
from truthmark.bounty.items import Item, Media
from truthmark.bounty.pairs import unswapped
from truthmark.cli import layout
from truthmark.cli.keyboard import BACKSPACE, ENTER, LEFT, RIGHT, Keyboard
from truthmark.cli.pictures import Viewer
from truthmark.text import clean

_COMMANDS: Final = {
    "skip": "sS\t",
    "flag": "fF\x06",
    "guidelines": "gG?",
    "more": " mM",
    "find": "/",
    "leave": "qQ\x04",
}
"""What each command's key may be, the first that is no class's."""
_NAMES: Final = {"\t": "Tab", "\x06": "Ctrl-F", "\x04": "Ctrl-D", " ": "Space"}
_LONGEST: Final = 100_000
"""Letters of a text that are shown."""
_OTHER_LINES: Final = 10
_LEAST_LINES: Final = 8


def class_of(key: str, keys: Mapping[str, int], commands: Mapping[str, str]) -> int | None:
    """Return which class a key stands for, if any: in capitals or not, where that is no command."""
    return keys.get(key, None if key in commands else keys.get(key.swapcase()))


def commands_of(keys: dict[str, int]) -> dict[str, str]:
    """Return which key stands for which command, beside those of classes."""
    return {
        next(key for key in candidates if key not in keys): name
        for name, candidates in _COMMANDS.items()
        if any(key not in keys for key in candidates)
    }


@dataclass
class Screen:
    """Shows items one after the other and takes an answer for each.

    Attributes:
        items: Their numbers, in the order in which they are shown.
        classes: The answers.
        log: Where answers go, and come from.
        load: Returns an item by its number.
        title: What is labeled.
        guidelines: Shown on demand.
        status: Returns a line about what was done and earned, given the mean seconds an item.
        is_swapped: Whether the two of a pair are shown the other way round.
        comment: Returns what is said of an answer after it was given, as in practice.
        is_judged: Whether answers are held against known ones.
    """

    items: Sequence[int]
    classes: Sequence[LabelClass]
    log: AnswerLog
    load: Callable[[int], Item]
    title: str = ""
    guidelines: str = ""
    status: Callable[[float | None], str] = lambda _: ""
    is_swapped: Callable[[int], bool] = lambda _: False
    comment: Callable[[int, int], str] = lambda _item, _code: ""
    is_judged: bool = False
    _viewer: Viewer = field(default_factory=Viewer)

    def run(self) -> bool:
        """Take answers until all items have one and that is confirmed, or the person leaves.

        Returns:
            Whether all are answered and confirmed.

        Raises:
            ConfigError: There is no terminal.
        """
        self._keys, self._say = keys_of(self.classes), ""
        self._commands = commands_of(self._keys)
        try:
            with Keyboard() as self._keyboard:
                return self._run()
        finally:
            self._viewer.close()

    def _run(self) -> bool:
        at = self._first_open(0)
        while True:
            if at is None:
                at = self._confirm()
                if at is None:
                    return True
                if at < 0:
                    return False
            moved = self._ask(at)
            if moved is None:
                return False
            at = moved if moved >= 0 else self._first_open(at)

    def _first_open(self, start: int) -> int | None:
        """Return the place of the next item without an answer, from one on and round; or None."""
        count = len(self.items)
        around = [*range(start, count), *range(start)]
        return next((at for at in around if self.items[at] not in self.log.codes), None)

    def _ask(self, at: int) -> int | None:
        """Show the item at a place until something is done about it.

        Returns:
            The place to go to; -1 for the next open one; None to leave.
        """
        item, begun = self.items[at], time.monotonic()
        is_swapped = self.is_swapped(item)
        self._show(at, is_swapped)
        while True:
            key = self._keyboard.key()
            command = self._commands.get(key)
            chosen = class_of(key, self._keys, self._commands)
            if chosen is not None:
                return self._answer(item, chosen, begun, is_swapped)
            if key in BACKSPACE:
                undone = self.log.undo()
                if undone is None:
                    self._tell("there is nothing to take back")
                    continue
                self._say = "taken back"
                return self._place_of(undone, at)
            if key in LEFT or key in RIGHT:
                return (at + (1 if key in RIGHT else -1)) % len(self.items)
            match command:
                case "skip":
                    return self._answer(item, len(self.classes), begun, False)
                case "leave":
                    return None
                case "flag":
                    self._flag(item)
                case "guidelines":
                    self._tell(*self._wrapped(self.guidelines or "there are no guidelines"))
                case "more":
                    self._show(at, is_swapped, whole=True)
                case "find":
                    found = self._find()
                    if found is not None:
                        return self._answer(item, found, begun, is_swapped)
                case _:
                    self._tell("no such key; " + self._legend())

    def _answer(self, item: int, code: int, begun: float, is_swapped: bool) -> int:
        stored = unswapped(code) if is_swapped else code
        self.log.answer(item, stored, time.monotonic() - begun)
        said = self.classes[code].name if code < len(self.classes) else "skipped"
        self._say = f"last: {clean(said, 60)}{self.comment(item, stored)}"
        return -1

    def _flag(self, item: int) -> None:
        note = self._keyboard.line("what is wrong with this item? (nothing takes a flag back) ")
        self.log.flag(item, note)
        self._tell("flagged; now answer or skip it" if note else "no flag")

    def _find(self) -> int | None:
        """Ask for the beginning of a class's name."""
        typed = self._keyboard.line("class: ").lower()
        names = [entry.name.lower() for entry in self.classes]
        if typed in names:
            return names.index(typed)
        found = [number for number, name in enumerate(names) if typed and name.startswith(typed)]
        found = found or [number for number, name in enumerate(names) if typed and typed in name]
        if len(found) == 1:
            return found[0]
        some = ", ".join(clean(self.classes[number].name, 40) for number in found[:8])
        self._tell(f"several: {some}" if found else "no class has such a name")
        return None

    def _confirm(self) -> int | None:
        """Ask whether this is all; None for yes, -1 to leave, else where to go on."""
        self._tell(
            f"all {len(self.items)} are answered. Enter: done, and nothing can be changed after"
            " that. Backspace: take the last back. q: leave it for later."
        )
        while True:
            key = self._keyboard.key()
            if key in ENTER:
                return None
            if key in BACKSPACE:
                undone = self.log.undo()
                if undone is not None:
                    return self._place_of(undone, 0)
            if key in "qQ\x04":
                return -1

    def _place_of(self, item: int, otherwise: int) -> int:
        return list(self.items).index(item) if item in self.items else otherwise

    # ----------------------------------------------------------------- drawing

    def _show(self, at: int, is_swapped: bool, *, whole: bool = False) -> None:
        item = self.items[at]
        if "TERM" in os.environ and os.environ["TERM"] != "dumb":
            click.echo("\x1b[2J\x1b[H", nl=False, err=True)
        self._tell(f"{clean(self.title, 100)} · {self._progress(at)}", self._say)
        self._say = ""
        shown = self.load(item)
        halves = [shown]
        if shown.media is Media.PAIR:
            halves = list(shown.pair)[:: -1 if is_swapped else 1]
        for number, half in enumerate(halves):
            if len(halves) > 1:
                self._tell(f"-- {number + 1} --")
            self._draw(half, f"item{item}-{number + 1}", whole=whole)
        given = self._given(item, is_swapped)
        if given is not None:
            self._tell(given)
        self._tell("", self._legend())

    def _given(self, item: int, is_swapped: bool) -> str | None:
        """Return in words what was answered before."""
        before = self.log.codes.get(item)
        if before is None:
            return None
        code = unswapped(before) if is_swapped else before
        name = self.classes[code].name if code < len(self.classes) else "skipped"
        return f"your answer: {clean(name, 60)}; another key changes it"

    def _draw(self, item: Item, name: str, *, whole: bool) -> None:
        if item.media not in (Media.TEXT, Media.JSON):
            self._tell(self._viewer.show(item, name))
            return
        lines = self._wrapped(item.text)
        room = max(shutil.get_terminal_size().lines - _OTHER_LINES, _LEAST_LINES)
        cut = [] if whole or len(lines) <= room else [f"… {len(lines) - room} more lines (more)"]
        self._tell("", *(lines if whole else lines[:room]), *cut)

    def _wrapped(self, text: str) -> list[str]:
        """Return somebody else's text as lines that a terminal may show."""
        width = shutil.get_terminal_size().columns
        cut = text[:_LONGEST] + ("…" if len(text) > _LONGEST else "")
        return [
            line
            for part in cut.replace("\r\n", "\n").split("\n")
            for line in layout.wrap(clean(part, _LONGEST), width)
        ]

    def _legend(self) -> str:
        known = {number: key for key, number in self._keys.items()}
        names = [
            clean(entry.name, 40)
            if known[number] == entry.name
            else f"{known[number]} {clean(entry.name, 40)}"
            for number, entry in enumerate(self.classes)
            if number in known
        ]
        more = len(self.classes) - len(names)
        commands = {name: _NAMES.get(key, key) for key, name in self._commands.items()}
        find = (
            f" · {commands['find']} find one of {more} more" if more and "find" in commands else ""
        )
        rest = [
            f"{commands[name]} {text}"
            for name, text in (
                ("skip", "skip (counts as wrong)" if self.is_judged else "skip"),
                ("flag", "flag"),
                ("guidelines", "guidelines"),
                ("leave", "leave, answers are kept"),
            )
            if name in commands
        ]
        return " · ".join(names) + find + "   |   " + " · ".join(["Backspace undo", *rest])

    def _progress(self, at: int) -> str:
        codes = [self.log.codes[item] for item in self.items if item in self.log.codes]
        times = sorted(self.log.seconds[i] for i in self.items if self.log.seconds.get(i))
        mean = sum(times) / len(times) if times else None
        skipped = sum(code >= len(self.classes) for code in codes)
        flagged = sum(bool(self.log.notes.get(item)) for item in self.items)
        parts = [
            f"item {at + 1}, {len(codes)} of {len(self.items)} answered",
            f"{skipped} skipped" if skipped else "",
            f"{flagged} flagged" if flagged else "",
            self.status(mean),
        ]
        return " · ".join(part for part in parts if part)

    def _tell(self, *lines: str) -> None:
        width = shutil.get_terminal_size().columns
        for text in lines:
            for line in layout.wrap(text, width):
                click.echo(line, err=True)
