# SPDX-License-Identifier: Apache-2.0
"""Answers as people have them, in a table, made arrays that kernels walk item by item.

A table has the columns `task` (or `item`, the same by another name), `worker` and `label`. Ids and
labels may be of any kind that can be hashed and sorted. A `label` that is a Categorical names all
classes and their order, also those that nobody chose; else the classes are those in the answers.
"""

import warnings
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from truthmark.errors import ConfigError
from truthmark.labels.goldw import NONE, Votes
from truthmark.labels.integers import Ints

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

_COLUMNS = "name the columns task, worker, label"


class LabelsWarning(UserWarning):
    """Something in the answers is unusual, and was taken as it stands."""


@dataclass(frozen=True)
class Answers:
    """Answers by item: those of item i are `starts[i]` to `starts[i + 1]`.

    Attributes:
        tasks: ids of the items, sorted; the index is named as the column was.
        people: ids of the workers, sorted.
        classes: the classes, sorted or in the order of the Categorical.
        items: what each answer is of, as a place in `tasks`; ascending.
        workers: who gave each answer, as a place in `people`.
        labels: what it says, as a place in `classes`.
        repeats: how many answers are by somebody who had answered the item before.
    """

    tasks: "pd.Index[Any]"
    people: "pd.Index[Any]"
    classes: "pd.Index[Any]"
    items: Codes
    workers: Codes
    labels: Codes
    repeats: int = 0

    @classmethod
    def of(cls, data: pd.DataFrame) -> "Answers":
        """Read a table.

        Somebody's second answer to an item counts like any other, as crowd-kit counts it; that
        there are such is warned of, by a LabelsWarning.

        Raises:
            ConfigError: A column is missing, a value is, there are no answers, or numba is.
        """
        from truthmark.labels.kernels import count_repeats, is_ascending, sort_by_item

        task = task_column(data)
        for name in ("worker", "label"):
            if name not in data.columns:
                raise ConfigError(f"the answers have no column {name!r}; {_COLUMNS}")
        if not len(data):
            raise ConfigError("there are no answers; give a row an answer")
        # One block: fresh memory costs more than what is done with it, but not in large pages.
        items, workers, labels = np.empty((3, len(data)), np.int32)
        tasks = encode(data[task], task, items)
        people = encode(data["worker"], "worker", workers)
        classes = encode(data["label"], "label", labels)
        if not is_ascending(items):
            order = np.empty((3, len(data)), np.int32)
            sort_by_item(items, workers, labels, len(tasks), order)
            items, workers, labels = order
        repeats, row = count_repeats(items, workers, len(people))
        if repeats:
            where = f"{people[workers[row]]!r} on {tasks[items[row]]!r}"
            warnings.warn(
                f"{repeats} answers are by workers who had answered the task before, such as "
                f"{where}; each counts: drop those that should not",
                LabelsWarning,
                stacklevel=3,
            )
        return cls(tasks, people, classes, items, workers, labels, repeats)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.tasks)

    @property
    def n_workers(self) -> int:
        """How many workers there are."""
        return len(self.people)

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @cached_property
    def starts(self) -> Ints:
        """Place of each item's first answer, and the end, (N + 1,)."""
        from truthmark.labels.kernels import bounds

        starts: Ints = bounds(self.items, self.n_items)
        return starts

    @cached_property
    def per_worker(self) -> Ints:
        """How many answers each worker gave."""
        return np.bincount(self.workers, minlength=self.n_workers)

    @property
    def votes(self) -> Votes:
        """The same as arrays without names."""
        return Votes(
            self.items,
            self.workers,
            self.labels,
            self.n_items,
            self.n_workers,
            self.n_classes,
        )

    def require_two_classes(self, method: str) -> None:
        """Refuse answers that are all alike, where a method has no meaning for them.

        Raises:
            ConfigError: There is one class.
        """
        if self.n_classes < 2:
            raise ConfigError(
                f"all answers are {self.classes[0]!r}, and {method} needs two classes; "
                "use majority, or name all classes"
            )

    def gold(self, known: "pd.Series[Any] | None") -> Codes:
        """Return the class of each item by gold, NONE where there is none.

        Args:
            known: The right label by task.

        Raises:
            ConfigError: A task is there twice, has no answers, or its label is not a class.
        """
        codes = np.full(self.n_items, NONE, np.int32)
        if known is None:
            return codes
        check_gold(known)
        places = self.tasks.get_indexer(known.index)
        if (places < 0).any():
            task = known.index[int(np.flatnonzero(places < 0)[0])]
            count = int((places < 0).sum())
            raise ConfigError(
                f"{_tasks(count)} of the gold {'has' if count == 1 else 'have'} no answers, such "
                f"as {task!r}; leave them out, or write ids alike in both"
            )
        labels = self.classes.get_indexer(pd.Index(known.to_numpy()))
        if (labels < 0).any():
            row = int(np.flatnonzero(labels < 0)[0])
            raise ConfigError(
                f"gold of {known.index[row]!r} says {known.iloc[row]!r}, which nobody answered; "
                "correct it, or name all classes"
            )
        codes[places] = labels
        return codes

    def by_task(self, values: Any, name: str) -> "pd.Series[Any]":
        """Return a value for each task as a series.

        Args:
            values: Shape (N,).
            name: Of the series.
        """
        return pd.Series(values, index=self.tasks, name=name)

    def by_worker(self, values: Any, name: str) -> "pd.Series[Any]":
        """Return a value for each worker as a series.

        Args:
            values: Shape (W,).
            name: Of the series.
        """
        return pd.Series(values, index=self.people, name=name)

    def labelled(self, codes: Any) -> "pd.Series[Any]":
        """Return each task's label, from its class's place."""
        return self.by_task(self.classes.take(codes), "agg_label")

    def probabilities(self, values: Floats) -> pd.DataFrame:
        """Return a value for each task and class as a frame."""
        columns = self.classes.rename("label")
        return pd.DataFrame(values, index=self.tasks, columns=columns, copy=False)


def task_column(data: pd.DataFrame) -> str:
    """Return the name of the column of tasks: `task`, or `item`.

    Raises:
        ConfigError: There is none, or both, or this is not a table.
    """
    if not isinstance(data, pd.DataFrame):
        raise ConfigError(f"answers are a pandas DataFrame, not {type(data).__name__}; {_COLUMNS}")
    named = [name for name in ("task", "item") if name in data.columns]
    if len(named) != 1:
        wrong = "both columns 'task' and 'item'" if named else "no column 'task' (or 'item')"
        raise ConfigError(f"the answers have {wrong}; {_COLUMNS}")
    if data.columns.duplicated().any():
        twice = data.columns[data.columns.duplicated()][0]
        raise ConfigError(f"the answers have two columns {twice!r}; {_COLUMNS}")
    return named[0]


def check_gold(known: "pd.Series[Any]") -> None:
    """Refuse gold that says nothing, or two things.

    Raises:
        ConfigError: It is not a series by task, a value is missing, or a task is there twice.
    """
    if not isinstance(known, pd.Series):
        raise ConfigError(
            f"gold is a pandas Series of labels by task, not {type(known).__name__}; "
            "use frame.set_index('task')['label']"
        )
    if known.isna().any() or known.index.isna().any():
        raise ConfigError("gold has a missing value; leave that row out")
    if known.index.has_duplicates:
        twice = known.index[known.index.duplicated()][0]
        raise ConfigError(f"gold names {twice!r} twice; leave one of the rows")


def encode(column: "pd.Series[Any]", name: Hashable, codes: Codes) -> "pd.Index[Any]":
    """Return the sorted values of a column, and write the place of each row's among them.

    Args:
        column: The column, (n,).
        name: Its name, for errors; a Categorical named `label` keeps categories nobody chose.
        codes: (n,), written.

    Raises:
        ConfigError: A value is missing, or values cannot be sorted.
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        dense = _encode_dense(column.to_numpy(), codes)
        if dense is not None:
            return _named(dense, name)
    if column.isna().any():
        row = int(np.flatnonzero(column.isna())[0])
        raise ConfigError(f"row {row} has no {name}; fill it in, or leave the row out")
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        codes[:] = column.cat.codes
        if name != "label":
            used, codes[:] = np.unique(codes, return_inverse=True)
            categories = categories[used]
        return _named(categories, name)
    try:
        codes[:], values = pd.factorize(column, sort=True)
    except TypeError as error:
        raise ConfigError(
            f"the column {name!r} mixes kinds of values that cannot be sorted; make them text"
        ) from error
    return _named(values, name)


def _named(values: Any, name: Hashable) -> "pd.Index[Any]":
    index: pd.Index[Any] = pd.Index(values, name=str(name))
    return index


def _encode_dense(values: npt.NDArray[Any], codes: Codes) -> npt.NDArray[Any] | None:
    """Encode whole numbers that lie close together by a table of all between; else None."""
    from truthmark.labels.kernels import place, span

    least, most = map(int, span(values))
    if most - least > 4 * len(values) + 1_000 or most > np.iinfo(np.int64).max:
        return None
    found: npt.NDArray[Any] = place(values.astype(np.int64, copy=False), least, most, codes)
    return found.astype(values.dtype, copy=False)


def _tasks(count: int) -> str:
    return f"{count} task{'' if count == 1 else 's'}"
