# SPDX-License-Identifier: Apache-2.0
"""Sets of real answers, and their replay as rounds of a bounty."""

import csv
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from truthmark.bounty.gold import Gold, draw_gold
from truthmark.errors import BountyError
from truthmark.labels.goldw import NONE, Votes
from truthmark.labels.scoring import ABSENT, MAX_GOLD, NOBODY, least_gold

DATA = Path(
    os.environ.get("TRUTHMARK_CROWDS", Path(__file__).resolve().parents[3] / "shared" / "data")
)
"""A folder a set, with answer.csv and truth.csv; beside the repository, where it is there."""

Ints = npt.NDArray[np.int64]
Generator = np.random.Generator


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

    def recalls(self) -> Ints:
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


def load(folder: Path) -> Crowd:
    """Read a set; items are numbered by their first answer, classes in the order of their names."""
    with (folder / "answer.csv").open(newline="", encoding="utf-8") as file:
        # A bounty's account is in one round, so it never says two things of an item.
        said: dict[tuple[str, str], str] = {}
        for row in csv.DictReader(file):
            said.setdefault((row["item"], row["worker"]), row["label"])
        rows = [(*key, label) for key, label in said.items()]
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        known = {row["item"]: row["truth"] for row in csv.DictReader(file)}
    classes = {c: n for n, c in enumerate(sorted({r[2] for r in rows} | set(known.values())))}
    items = {item: n for n, item in enumerate(dict.fromkeys(row[0] for row in rows))}
    workers = {worker: n for n, worker in enumerate(dict.fromkeys(row[1] for row in rows))}
    truth = np.full(len(items), NONE)
    for item, answer in known.items():
        if item in items:
            truth[items[item]] = classes[answer]
    return Crowd(
        folder.name,
        np.array([items[row[0]] for row in rows]),
        np.array([workers[row[1]] for row in rows]),
        np.array([classes[row[2]] for row in rows]),
        truth,
        len(workers),
        len(classes),
    )


def all_crowds(names: list[str]) -> list[Crowd]:
    """Return the named sets, or all there are."""
    folders = sorted(path.parent for path in DATA.glob("*/answer.csv"))
    return [load(folder) for folder in folders if not names or folder.name in names]


@dataclass(slots=True)
class Draw:
    """One replay: a row an item, a column a round.

    Attributes:
        crowd: Whose answers.
        workers: Who holds the item in the round; NOBODY where nobody does.
        labels: What they say; ABSENT where they have not committed.
        n_workers: Accounts, attackers included.
        is_attacker: Of each account.
        gold: Items the requester fixed.
    """

    crowd: Crowd
    workers: Ints
    labels: Ints
    n_workers: int
    is_attacker: npt.NDArray[np.bool_]
    gold: Gold

    def copy(self) -> "Draw":
        """Return a draw that can be attacked without changing this one."""
        return replace(
            self,
            workers=self.workers.copy(),
            labels=self.labels.copy(),
            is_attacker=self.is_attacker.copy(),
        )

    def votes(self) -> Votes:
        """Return what was committed as arrays of answers."""
        items, rounds = np.nonzero((self.workers != NOBODY) & (self.labels != ABSENT))
        return Votes(
            items,
            self.workers[items, rounds],
            self.labels[items, rounds],
            len(self.workers),
            self.n_workers,
            self.crowd.n_classes,
        )


def replay(crowd: Crowd, rounds: int, rng: Generator) -> Draw:
    """Return a draw: answer k of an item in a seeded shuffle is round k.

    Gold is drawn evenly by class from the items whose truth is known: a tenth of them or, where
    workers answered few, as much as the median label's worker needs to hold what the smallest run
    must be expected to hold; half of them at most.
    """
    order = rng.permutation(len(crowd.items))
    order = order[np.argsort(crowd.items[order], kind="stable")]
    items = crowd.items[order]
    starts = np.searchsorted(items, np.arange(len(crowd.truth)))
    rank = np.arange(len(items)) - starts[items]
    kept = rank < rounds
    workers = np.full((len(crowd.truth), rounds), NOBODY)
    labels = np.full((len(crowd.truth), rounds), ABSENT)
    workers[items[kept], rank[kept]] = crowd.workers[order][kept]
    labels[items[kept], rank[kept]] = crowd.labels[order][kept]
    known = np.flatnonzero(crowd.truth != NONE)
    share = np.bincount(workers[known][workers[known] != NOBODY], minlength=crowd.n_workers)
    typical = np.median(np.repeat(share, share)) / max(1, len(known))
    needed = int(np.ceil(least_gold(rounds) / max(typical, 1e-9)))
    count = min(max(len(known) // 10, needed), len(known) // 2, MAX_GOLD)
    return Draw(
        crowd,
        workers,
        labels,
        crowd.n_workers,
        np.zeros(crowd.n_workers, bool),
        gold_of(crowd, count, rng),
    )


def gold_of(crowd: Crowd, count: int, rng: Generator, against: Ints | None = None) -> Gold:
    """Draw gold, fewer items where there are not so many."""
    while True:
        try:
            return draw_gold(
                crowd.truth,
                classes=crowd.n_classes,
                count=count,
                against=against,
                seed=int(rng.integers(2**63)),
            )
        except BountyError:
            if count < 8:
                raise
            count = count * 9 // 10
