# SPDX-License-Identifier: Apache-2.0
"""A requester labels some of their own items: for gold, and to learn how long it takes.

Which items are asked is drawn, evenly by what a model proposes where there is one. Answers are on
disk one by one, so an interrupted requester can continue.
"""

import json
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from truthmark.bounty.answer_log import AnswerLog
from truthmark.bounty.answers import Known, draw_most, read_known, write_known
from truthmark.bounty.document import Kind
from truthmark.bounty.items import MANIFEST_NAME, Items, ItemsWriter
from truthmark.bounty.sources.found import Found, ItemSource, Reading, read_into
from truthmark.config.files import write_atomically
from truthmark.errors import BountyError, ConfigError
from truthmark.hashing import sha256
from truthmark.keys.files import make_private_folder, read_limited
from truthmark.labels.scoring import Ints
from truthmark.types import Bar, no_bar

FOLDER: Final = "gold"

_READING: Final = "reading.json"
_ANSWERS: Final = "answers-{}.log"
_MAX_READING: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Shelf:
    """The items of a source, on disk in this home alone.

    Attributes:
        folder: Where they are, with the answers given so far.
        items: To be opened by number.
        names: What the source calls each.
        kind: What each is.
        reading: What became of the source.
        fingerprint: Of the source.
    """

    folder: Path
    items: Items
    names: list[str]
    kind: Kind
    reading: Reading
    fingerprint: str

    def source(self) -> ItemSource:
        """Return the items as they stand here, to be asked; what was left out stays out."""
        return _ShelfSource(self)

    def open_log(self, classes: Sequence[str]) -> AnswerLog:
        """Open the answers given so far.

        Args:
            classes: Their names. Others, or in another order, have answers of their own: a number
                in the log would stand for another class.
        """
        digest = sha256("\0".join(classes).encode()).hex()[:8]
        return AnswerLog(self.folder / _ANSWERS.format(digest))

    def close(self) -> None:
        """Let go of the items."""
        self.items.close()

    def remove(self) -> None:
        """Remove items and answers, once the answers are written elsewhere."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class _ShelfSource(ItemSource):
    """What was read before, under the names and the fingerprint that it had."""

    def __init__(self, shelf: Shelf) -> None:
        self.kind, self.fingerprint = shelf.kind, shelf.fingerprint
        self.total, self.skipped = len(shelf.names), []
        self._shelf = shelf

    def __iter__(self) -> Generator[Found, None, None]:
        """Yield the items in their order."""
        for number, name in enumerate(self._shelf.names):
            yield Found(name, self._shelf.items.item(number))


def open_shelf(home: Path, source: ItemSource, output: Path, *, bar: Bar = no_bar) -> Shelf:
    """Read a source into the home folder, or find it there.

    Args:
        home: Where.
        source: The items.
        output: The file that answers go to; each has a shelf of its own.
        bar: Shows how far reading is.

    Raises:
        BountyError: Nothing can be used.
        StorageError: It cannot be written.
    """
    made_of = f"{source.kind}\0{source.fingerprint}\0{output.absolute()}"
    folder = home / FOLDER / sha256(made_of.encode()).hex()[:16]
    make_private_folder(folder)
    if not (folder / _READING).is_file() or not (folder / MANIFEST_NAME).is_file():
        with ItemsWriter(folder) as writer:
            with bar("reading", "items") as progress:
                found = read_into(source, writer, progress=progress)
            writer.finish()
        write_atomically(folder / _READING, json.dumps(asdict(found)).encode())
    reading = _read_reading(folder / _READING)
    return Shelf(
        folder, Items.open(folder), reading.names, source.kind, reading, source.fingerprint
    )


def _read_reading(path: Path) -> Reading:
    try:
        return Reading(**json.loads(read_limited(path, _MAX_READING)))
    except (ValueError, TypeError) as error:
        raise BountyError(f"{path} is damaged; remove it, and it is read again") from error


def items_to_ask(
    shelf: Shelf,
    count: int,
    *,
    proposals: Mapping[str, str] | None = None,
    known: Mapping[str, Known] | None = None,
) -> list[int]:
    """Return which items are asked, always the same for a shelf: drawn by chance.

    Args:
        shelf: The items.
        count: How many.
        proposals: A model's answers by name: as many of each class are asked, if there are.
        known: Answers that are known already; these are not asked.
    """
    rng = np.random.default_rng(list(sha256(str(shelf.folder).encode())[:16]))
    order = rng.permutation(len(shelf.names)).tolist()
    open_ = [item for item in order if shelf.names[item] not in (known or {})]
    if proposals is None:
        return open_[:count]
    by_class: dict[str, list[int]] = {}
    for item in open_:
        by_class.setdefault(proposals.get(shelf.names[item], ""), []).append(item)
    found: list[int] = []
    for place in range(max(map(len, by_class.values()), default=0)):
        found += [items[place] for items in by_class.values() if place < len(items)]
    return found[:count]


def answers_of(
    shelf: Shelf, log: AnswerLog, classes: Sequence[str], known: Mapping[str, Known] | None = None
) -> dict[str, Known]:
    """Return what is known now, skips left out.

    Args:
        shelf: The items.
        log: What was answered here.
        classes: Names of the classes, in order.
        known: What was known before, by name of the item.
    """
    found = dict(known or {})
    for item, code in log.codes.items():
        if code < len(classes):
            found[shelf.names[item]] = Known(classes[code], seconds=log.seconds.get(item))
    return found


def ask_items(
    shelf: Shelf,
    classes: Sequence[str],
    wanted: int,
    place: Path,
    show: Callable[[AnswerLog, list[int]], bool],
    *,
    known: Mapping[str, Known] | None = None,
    proposals: Mapping[str, str] | None = None,
    is_against: bool = False,
) -> dict[str, Known]:
    """Have items answered until enough are known, and return all that are.

    Args:
        shelf: The items.
        classes: Their names.
        wanted: How many to know; or of how many with a model at chance, see `is_against`.
        place: The file that answers go to, after each sitting.
        show: Shows items and takes answers; returns whether all of them have one.
        known: What is known already.
        proposals: A model's answers by name.
        is_against: Go on until so many are known on which that model is at chance.
    """
    known, proposals_ = known or {}, proposals or {}
    step = max(10, wanted // 5)
    with shelf.open_log(classes) as log:
        answers = answers_of(shelf, log, classes, known)

        def enough() -> bool:
            count = usable_against(answers, proposals_, classes) if is_against else len(answers)
            return count >= wanted

        more = max(0, wanted - len(known))
        while more > 0 and not enough():
            chosen = items_to_ask(shelf, more, proposals=proposals, known=known)
            if all(item in log.codes for item in chosen):
                if len(chosen) < more:
                    break  # all items are answered
                more += step
                continue
            is_done = show(log, chosen)
            answers = answers_of(shelf, log, classes, known)
            save_answers(place, answers)
            if not is_done or not is_against:
                break
            more += step
        return answers


def usable_against(
    answers: Mapping[str, Known], predictions: Mapping[str, str], classes: Sequence[str]
) -> int:
    """Return how much gold the answers give on which a model is no better than chance.

    Args:
        answers: By name.
        predictions: The model's, by name.
        classes: Their names.
    """
    names = [name for name in answers if name in predictions]
    numbers = {name: number for number, name in enumerate(classes)}
    truth: Ints = np.array([numbers.get(answers[name].answer, -1) for name in names], np.int64)
    guess: Ints = np.array([numbers.get(predictions[name], -1) for name in names], np.int64)
    try:
        return len(draw_most(truth, classes=len(classes), against=guess))
    except BountyError:
        return 0


def check_known(path: Path, names: Sequence[str], classes: Sequence[str]) -> dict[str, Known]:
    """Return known answers by name, all of items that are there.

    Args:
        path: The file.
        names: Of the items that there are.
        classes: Names of the classes, in order.

    Raises:
        ConfigError: It cannot be read, an answer is no class, or an item is not there.
    """
    found = read_known(path)
    there = {*names}
    for name, entry in found.items():
        if entry.answer not in classes:
            raise ConfigError(
                f"{path}: {entry.answer!r} of {name} is no class; classes are {', '.join(classes)}"
            )
        if name not in there:
            raise ConfigError(f"{path}: {name!r} is no item; items are called like {names[0]!r}")
    return found


def save_answers(path: Path, answers: Mapping[str, Known]) -> None:
    """Write what is known, for `bounty create`.

    Args:
        path: Where; what was there is replaced.
        answers: By name of the item.
    """
    if answers:
        write_known(path, answers)
