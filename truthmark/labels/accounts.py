# SPDX-License-Identifier: Apache-2.0
"""Accounts to look at: those whose errors coincide, and those who do better on gold than elsewhere.

Neither is a proof. Hard tasks make honest people err alike, and among many somebody is always
lucky; so both are held against what chance would do, with as many looks as were taken.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.answers import Answers, Floats
from truthmark.labels.goldw import NONE, others_agree, worker_weights

_LEAST_SAME = 3
_PRIOR = 2.0
"""How many answers the mean error counts as, in the difficulty of a task."""


def coinciding_errors(
    data: pd.DataFrame, labels: "pd.Series[Any]", risk: float = 0.01
) -> pd.DataFrame:
    """Return the pairs of accounts that give the same wrong answers more often than chance does.

    Expected are as many as two give who err as often as these, each on their own, where a task is
    as hard as the answers of all others show.

    Args:
        data: The answers.
        labels: What is right, by task: as `goldw` finds it, or gold.
        risk: How likely any pair at all may be named by chance.

    Returns:
        A row a pair: `worker`, `other`, `tasks` they share, `same_errors`, `expected`, `p` (the
        chance of so many), `group` (a number for all that hang together). The surest first.

    Raises:
        ConfigError: The answers cannot be used, or a label is missing.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components
    from scipy.stats import poisson

    answers = Answers.of(data)
    right = answers.gold(labels)
    judged = right[answers.items] != NONE
    items, workers, said = (
        part[judged] for part in (answers.items, answers.workers, answers.labels)
    )
    wrong = said != right[items]
    columns = ["worker", "other", "tasks", "same_errors", "expected", "p", "group"]
    if not wrong.any():
        return pd.DataFrame(columns=columns)
    what = items[wrong].astype(np.int64) * answers.n_classes + said[wrong]
    shape = (answers.n_workers, answers.n_items * answers.n_classes)
    errors = csr_array((np.ones(int(wrong.sum())), (workers[wrong], what)), shape=shape)
    same = (errors @ errors.T).tocoo()
    likely = (same.row < same.col) & (same.data >= _LEAST_SAME)
    looks = answers.n_workers * (answers.n_workers - 1) / 2
    judge = _Pairs(answers, items, workers, wrong, _coincidence(answers, right, said, items))
    found = []
    for one, other in zip(same.row[likely], same.col[likely], strict=True):
        tasks, count, expected = judge.compare(int(one), int(other), said)
        chance = float(poisson.sf(count - 1, expected))
        if chance * looks < risk:
            found.append((int(one), int(other), tasks, count, expected, chance))
    if not found:
        return pd.DataFrame(columns=columns)
    one, other = (np.array(part) for part in list(zip(*found, strict=True))[:2])
    links = csr_array((np.ones(len(one)), (one, other)), shape=(answers.n_workers,) * 2)
    _, group = connected_components(links, directed=False)
    table = pd.DataFrame(
        [
            (answers.people[row[0]], answers.people[row[1]], *row[2:], group[row[0]])
            for row in found
        ],
        columns=columns,
    )
    table["group"] = pd.factorize(table["group"])[0] + 1
    return table.sort_values(["p", "worker", "other"], kind="stable", ignore_index=True)


def _coincidence(answers: Answers, right: Any, said: Any, items: Any) -> Floats:
    """Return for each class how likely two wrong answers to it are the same one."""
    counts = np.zeros((answers.n_classes, answers.n_classes))
    np.add.at(counts, (right[items], said), 1)
    np.fill_diagonal(counts, 0)
    total = counts.sum(1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    by_item: Floats = (shares**2).sum(1)[right]
    return by_item


class _Pairs:
    """Compares two accounts on the tasks they share.

    Args:
        answers: All of them.
        items: Task of each judged answer, ascending.
        workers: Who gave it.
        wrong: Whether it is wrong.
        coincidence: For each task how likely two wrong answers are the same.
    """

    def __init__(
        self,
        answers: Answers,
        items: npt.NDArray[Any],
        workers: npt.NDArray[Any],
        wrong: npt.NDArray[np.bool_],
        coincidence: Floats,
    ) -> None:
        self.items, self.wrong, self.coincidence = items, wrong, coincidence
        order = np.argsort(workers, kind="stable")
        starts = np.searchsorted(workers[order], np.arange(answers.n_workers + 1))
        self.of_worker = [order[a:b] for a, b in pairwise(starts)]
        self.answered = np.bincount(items, minlength=answers.n_items)
        self.erred = np.bincount(items[wrong], minlength=answers.n_items)
        self.mean = float(wrong.mean())
        self.rate = np.array(
            [float(wrong[rows].mean()) if len(rows) else 0.0 for rows in self.of_worker]
        )

    def compare(self, one: int, other: int, said: npt.NDArray[Any]) -> tuple[int, int, float]:
        """Return how many tasks they share, on how many they err alike, how many are expected."""
        a, b = self.of_worker[one], self.of_worker[other]
        tasks, in_a, in_b = np.intersect1d(self.items[a], self.items[b], return_indices=True)
        a, b = a[in_a], b[in_b]
        count = int((self.wrong[a] & self.wrong[b] & (said[a] == said[b])).sum())
        # How hard a task is, by what all others made of it.
        erred = self.erred[tasks] - self.wrong[a] - self.wrong[b]
        hard = (erred + _PRIOR * self.mean) / (self.answered[tasks] - 2 + _PRIOR) / self.mean
        chance = np.minimum(1, self.rate[one] * hard) * np.minimum(1, self.rate[other] * hard)
        return len(tasks), count, float((chance * self.coincidence[tasks]).sum())


def better_on_gold(
    data: pd.DataFrame, true_labels: "pd.Series[Any]", risk: float = 0.01
) -> pd.DataFrame:
    """Return the accounts that agree with others on gold more than elsewhere: who may know it.

    Both are counted against the others' weighted label of a task, as `goldw` finds it. An
    account that answers equally well everywhere agrees equally, however good the others are.

    Args:
        data: The answers.
        true_labels: Gold: the right label of some tasks, by task.
        risk: How likely any account at all may be named by chance.

    Returns:
        A row an account, by worker: `gold` answers to gold, `right` share of those; `agreed_gold`
        and `agreed` shares that agree with others on gold and elsewhere; `compared` answers
        elsewhere; `p`, the chance of so great a difference. The surest first.

    Raises:
        ConfigError: Answers or gold cannot be used, or there is no gold.
    """
    from scipy.stats import hypergeom

    if not len(true_labels):
        raise ConfigError("there is no gold; give the right label of some tasks")
    answers = Answers.of(data)
    gold = answers.gold(true_labels)
    votes, n = answers.votes, answers.n_workers
    agrees, is_said = others_agree(votes, worker_weights(votes, gold, gold != NONE))
    on_gold = gold[answers.items] != NONE
    workers = answers.workers

    def count(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.bincount(workers[chosen], minlength=n)

    inside, outside = count(on_gold & is_said), count(~on_gold & is_said)
    hits, elsewhere = count(on_gold & is_said & agrees), count(~on_gold & is_said & agrees)
    chance = hypergeom.sf(hits - 1, inside + outside, hits + elsewhere, inside)
    answered = count(on_gold)
    right = count(on_gold & (answers.labels == gold[answers.items]))
    with np.errstate(invalid="ignore", divide="ignore"):
        table = pd.DataFrame(
            {
                "gold": answered,
                "right": right / answered,
                "agreed_gold": hits / inside,
                "agreed": elsewhere / outside,
                "compared": outside,
                "p": chance,
            },
            index=answers.people,
        )
    named = table[table["p"] * n < risk]
    return named.sort_values("p", kind="stable")
