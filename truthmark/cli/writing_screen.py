# SPDX-License-Identifier: Apache-2.0
"""Texts at a keyboard: an item, a line, the next item. Every text is on disk at once.

Commands begin with a slash, of which the first letters do; a text that begins with one has two.
"""

import time
from typing import Final

from truthmark.bounty.annotations import annotation
from truthmark.cli.labeling_screen import Screen
from truthmark.errors import BountyError
from truthmark.text import clean

_PROMPT: Final = "> "
_COMMANDS: Final = {
    "skip": "skip it",
    "edit": "write in an editor, also several lines",
    "undo": "take the last one back",
    "back": "the item before",
    "next": "the item after",
    "flag": "say what is wrong with it",
    "guidelines": "what to write",
    "more": "the rest of a long item",
    "leave": "leave; texts are kept",
}
_LONGEST_LINE: Final = 4_000
"""Bytes; a terminal drops what goes beyond about 4,095 of one line."""


class WritingScreen(Screen):
    """Shows items one after the other and takes a text for each."""

    def _ask(self, at: int) -> int | None:
        item, begun = self.items[at], time.monotonic()
        self._show(at, False)
        while True:
            line = self._keyboard.line(_PROMPT)
            if self._keyboard.is_at_end:
                return None
            if line.startswith("/") and not line.startswith("//"):
                moved, is_done = self._command(at, line[1:], begun)
                if is_done:
                    return moved
                continue
            if not line and item in self.log.codes:
                return -1
            if len(line.encode("utf-8", "replace")) >= _LONGEST_LINE:
                self._tell("a terminal may cut so long a line; write it in an editor: /edit")
                continue
            if self._write(item, line.removeprefix("/") if line.startswith("//") else line, begun):
                return -1

    def _command(self, at: int, line: str, begun: float) -> tuple[int | None, bool]:
        """Do what a line says; returns where to go, and whether to go there."""
        word, _, rest = line.partition(" ")
        names = [name for name in _COMMANDS if word and name.startswith(word.lower())]
        item = self.items[at]
        match names[0] if names else "":
            case "skip":
                self.log.answer(item, 0, time.monotonic() - begun)
                self._say = "last: skipped"
                return -1, True
            case "edit":
                text = self._keyboard.edit(self.log.texts.get(item, ""))
                if text is not None and self._write(item, text, begun):
                    return -1, True
            case "undo":
                undone = self.log.undo()
                if undone is not None:
                    self._say = "taken back"
                    return self._place_of(undone, at), True
                self._tell("there is nothing to take back")
            case "back" | "next" as way:
                return (at + (1 if way == "next" else -1)) % len(self.items), True
            case "flag":
                self.log.flag(item, rest.strip())
                self._tell("flagged" if rest.strip() else "no flag; say what is wrong behind /flag")
            case "guidelines":
                self._tell(*self._wrapped(self.guidelines or "there are no guidelines"))
            case "more":
                self._show(at, False, whole=True)
            case "leave":
                return None, True
            case _:
                self._tell("no such command; a text that begins with a slash has two")
                self._tell(self._legend())
        return None, False

    def _write(self, item: int, text: str, begun: float) -> bool:
        try:
            self.log.write(item, annotation(text), time.monotonic() - begun)
        except BountyError as error:
            self._tell(str(error))
            return False
        self._say = f"last: {clean(self.log.texts[item], 60)}"
        return True

    def _given(self, item: int, is_swapped: bool) -> str | None:
        if item not in self.log.codes:
            return None
        said = self.log.texts.get(item)
        return f"your text: {clean(said, 2_000)}; another one changes it" if said else "skipped"

    def _legend(self) -> str:
        return "write a line and press Enter   |   " + " · ".join(
            f"/{name} {text}" for name, text in _COMMANDS.items()
        )
