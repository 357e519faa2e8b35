# SPDX-License-Identifier: Apache-2.0
"""Answers that a requester knows, by the names of items: for gold, practice, and other people's."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from truthmark.bounty.gold import Gold, draw_gold
from truthmark.config.files import write_atomically
from truthmark.errors import BountyError, ConfigError, did_you_mean
from truthmark.labels.scoring import MAX_GOLD, Ints

_ITEM: Final = ("item", "task", "id", "name", "path", "file_name")
_ANSWER: Final = ("answer", "label", "class", "prediction")
_EXPLANATION: Final = ("explanation", "why")
_SECONDS: Final = ("seconds",)
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an item.

    Attributes:
        answer: The name of its class.
        explanation: Why, for who practises on it.
        seconds: What it took to say so; None where nobody measured.
    """

    answer: str
    explanation: str = ""
    seconds: float | None = None


def read_known(path: Path) -> dict[str, Known]:
    """Return answers by item, from a CSV file with a column for items and one for answers.

    Args:
        path: Columns are called `item` (or task, id, name, path, file_name) and `answer` (or
            label, class, prediction); `explanation` and `seconds` may be there.

    Raises:
        ConfigError: It has no such columns, or an item twice with different answers.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no CSV in UTF-8; save it as that") from error
    rows = csv.reader(io.StringIO(text, newline=""))
    head = [name.strip().lower() for name in next(rows, [])]
    item, answer = (_column(path, head, names) for names in (_ITEM, _ANSWER))
    why, took = (_place(head, names) for names in (_EXPLANATION, _SECONDS))
    found: dict[str, Known] = {}
    try:
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(head):
                raise ConfigError(f"{path}, line {rows.line_num}: has {len(row)} cells; repair it")
            known = Known(
                row[answer].strip(),
                row[why].strip() if why is not None else "",
                _number(row[took]) if took is not None else None,
            )
            before = found.setdefault(row[item].strip(), known)
            if before.answer != known.answer:
                raise ConfigError(f"{path}: {row[item]!r} has two answers; leave one")
    except csv.Error as error:
        raise ConfigError(f"{path}, line {rows.line_num}: {error}; repair it") from error
    return {name: known for name, known in found.items() if known.answer}


def write_known(path: Path, answers: Mapping[str, Known]) -> None:
    """Write answers as `read_known` reads them, whole or not at all.

    Args:
        path: Where; what was there is replaced.
        answers: By name of the item.
    """
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["item", "answer", "explanation", "seconds"])
    for name, known in answers.items():
        seconds = "" if known.seconds is None else f"{known.seconds:.1f}"
        writer.writerow([name, known.answer, known.explanation, seconds])
    write_atomically(path, sink.getvalue().encode())


def classes_by_item(
    names: Sequence[str], answers: Mapping[str, str], classes: Sequence[str], *, what: str
) -> Ints:
    """Return the class of each item, -1 where it is not known.

    Args:
        names: Of the items, in their order.
        answers: By name, the name of a class.
        classes: Their names.
        what: What the answers are called in messages.

    Raises:
        ConfigError: An answer is no class, or hardly an item is among the names.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    places = {name: place for place, name in enumerate(names)}
    found = np.full(len(names), _UNKNOWN, np.int64)
    missing = []
    for name, answer in answers.items():
        if answer not in numbers:
            hint = did_you_mean(answer, classes)
            raise ConfigError(
                f"{what}: {answer!r} of {name} is no class{hint}; classes are {', '.join(classes)}"
            )
        if name in places:
            found[places[name]] = numbers[answer]
        else:
            missing.append(name)
    if answers and len(missing) == len(answers):
        raise ConfigError(
            f"{what}: {missing[0]!r} is no item, nor is any other; items are called like"
            f" {names[0]!r}"
        )
    return found


def draw_most(
    answers: Ints, *, classes: int, count: int | None = None, against: Ints | None = None
) -> Gold:
    """Draw gold as `draw_gold` does: so many items, or as many as are balanced enough.

    Args:
        answers: The class of each item, -1 where it is not known.
        classes: C.
        count: G; as many as can be if not given.
        against: A model's class for each item.

    Raises:
        BountyError: There is too little, or it is too one-sided.
    """
    if count is not None:
        return draw_gold(answers, classes=classes, count=count, against=against)
    most = min(MAX_GOLD, int((answers >= 0).sum()))
    if most < 2:
        raise BountyError(
            "without known answers nobody can be judged; label some (`truthmark bounty gold`) and"
            " give them, or invite a team"
        )
    # The rarer classes are taken whole first, so less gold is more balanced.
    while True:
        try:
            return draw_gold(answers, classes=classes, count=most, against=against)
        except BountyError:
            if most <= 2 * classes:
                raise
            most = max(2 * classes, most * 19 // 20)


def tally(answers: Iterable[str]) -> dict[str, int]:
    """Return how often each answer is there, the most frequent first."""
    return dict(Counter(answers).most_common())


def _place(head: Sequence[str], names: Sequence[str]) -> int | None:
    return next((head.index(name) for name in names if name in head), None)


def _column(path: Path, head: Sequence[str], names: Sequence[str]) -> int:
    place = _place(head, names)
    if place is None:
        others = ", ".join(names[1:])
        raise ConfigError(f"{path} has no column {names[0]!r}; name it so, or one of {others}")
    return place


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 86_400 else None


def right_of_two(known: Mapping[str, Known], path: Path, classes: int) -> float:
    """Return how often one of two people is right, if both are alike and err on their own.

    Args:
        known: What one of them answered, by name.
        path: What the other did.
        classes: How many there are.

    Raises:
        ConfigError: It cannot be read, or has too few of the same items.
    """
    other = read_known(path)
    shared = [name for name in known if name in other]
    if len(shared) < 5:
        raise ConfigError(f"{path} has {len(shared)} of the same items; 20 or more say something")
    same = sum(known[name].answer == other[name].answer for name in shared) / len(shared)
    # p² + (1 − p)² / (C − 1) = how often they agree; the larger of both solutions.
    a, b, c = 1 + 1 / (classes - 1), -2 / (classes - 1), 1 / (classes - 1) - same
    return float((-b + max(0.0, b * b - 4 * a * c) ** 0.5) / (2 * a))
