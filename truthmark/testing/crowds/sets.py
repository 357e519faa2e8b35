# SPDX-License-Identifier: Apache-2.0
"""Sets of real answers: a folder with answer.csv (item, worker, label) and truth.csv (item, truth).

Other columns do not matter. Values are text and stay as they are.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from truthmark.errors import ConfigError
from truthmark.labels.goldw import NONE
from truthmark.labels.scoring import MAX_CLASSES

ANSWERS, TRUTH = "answer.csv", "truth.csv"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Answers of a crowd, numbered.

    Attributes:
        name: Of the set.
        items: The item of each answer.
        workers: Its worker.
        labels: Its class.
        truth: The class of each item, NONE where it is not known.
        n_workers: How many workers there are.
        n_classes: How many classes.
    """

    name: str
    items: Ints
    workers: Ints
    labels: Ints
    truth: Ints
    n_workers: int
    n_classes: int

    def recalls(self) -> Floats:
        """Return the median over workers of how often each class is recognised, NaN for none."""
        known = self.truth[self.items]
        rates = []
        for c in range(self.n_classes):
            mine = known == c
            asked = np.bincount(self.workers[mine], minlength=self.n_workers)
            right = np.bincount(self.workers[mine & (self.labels == c)], minlength=self.n_workers)
            rates.append(
                np.median((right / np.maximum(asked, 1))[asked > 0]) if asked.any() else np.nan
            )
        return np.array(rates)

    @property
    def is_able(self) -> bool:
        """Whether the median labeler is right in .75 of each class, or twice chance above two."""
        least = 0.75 if self.n_classes == 2 else 2 / self.n_classes
        return bool((self.recalls() >= least).all())

    def shares(self) -> Floats:
        """Return how often each class is true, among items whose truth is known."""
        counts = np.bincount(self.truth[self.truth != NONE], minlength=self.n_classes)
        shares: Floats = counts / counts.sum()
        return shares


def load(folder: Path) -> Crowd:
    """Read a set; items are numbered by their first answer, classes in the order of their names.

    Of a worker's answers to one item the first counts: a bounty's account is in one round, so it
    never says two things of an item.

    Raises:
        ConfigError: A file is missing, or what is in it is no such set.
    """
    said: dict[tuple[str, str], str] = {}
    for item, worker, label in _rows(folder / ANSWERS, ("item", "worker", "label")):
        said.setdefault((item, worker), label)
    known: dict[str, str] = {}
    for item, truth in _rows(folder / TRUTH, ("item", "truth")):
        if known.setdefault(item, truth) != truth:
            raise ConfigError(f"{folder / TRUTH} says two things of item {item!r}; leave one")
    classes = {c: n for n, c in enumerate(sorted({*said.values(), *known.values()}))}
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise ConfigError(f"{folder} has {len(classes)} classes; bounties have 2 to {MAX_CLASSES}")
    items = {item: n for n, item in enumerate(dict.fromkeys(item for item, _ in said))}
    workers = {worker: n for n, worker in enumerate(dict.fromkeys(worker for _, worker in said))}
    truths = np.full(len(items), NONE, np.int64)
    for item, truth in known.items():
        if item in items:
            truths[items[item]] = classes[truth]
    if len(np.unique(truths[truths != NONE])) < 2:
        raise ConfigError(
            f"the truth that {folder / TRUTH} knows of answered items is not of two classes; "
            "without that there is no gold"
        )
    return Crowd(
        folder.name,
        np.array([items[item] for item, _ in said]),
        np.array([workers[worker] for _, worker in said]),
        np.array([classes[label] for label in said.values()]),
        truths,
        len(workers),
        len(classes),
    )


def known_sets(*more: Path) -> dict[str, Path]:
    """Return the folders of the sets that are here, by name.

    Those in the folder that TRUTHMARK_CROWDS names, where it does, else those that a checkout of
    the project has in datasets/ and those in `more`.
    """
    given = os.environ.get("TRUTHMARK_CROWDS")
    places = [Path(given)] if given else [Path(__file__).resolve().parents[3] / "datasets", *more]
    found: dict[str, Path] = {}
    for place in places:
        for file in sorted(place.glob(f"*/{ANSWERS}")):
            found.setdefault(file.parent.name, file.parent)
    return dict(sorted(found.items()))


def find_set(name: str, *more: Path) -> Path:
    """Return the folder of a set, given by its name or by its path.

    Raises:
        ConfigError: There is none.
    """
    known = known_sets(*more)
    if name in known:
        return known[name]
    folder = Path(name).expanduser()
    if (folder / ANSWERS).is_file():
        return folder
    names = f"; here are {', '.join(known)}" if known else ""
    raise ConfigError(
        f"there is no set {name!r}: name a folder with {ANSWERS} (item, worker, label) and"
        f" {TRUTH} (item, truth){names}"
    )


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the columns of each row.

    Raises:
        ConfigError: The file cannot be read, or a column or a value is missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(f"{path} has no column {missing[0]!r}; name its columns so")
            for number, row in enumerate(reader, start=1):
                values = tuple(row[name] for name in columns)
                if not all(values):
                    raise ConfigError(f"row {number} of {path} lacks a value; fill it in")
                yield values
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
