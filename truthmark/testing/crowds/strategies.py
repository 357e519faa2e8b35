# SPDX-License-Identifier: Apache-2.0
"""A way of being paid without working, written by anyone as a Python file with `answer(…)`.

`answer` is asked for each item that one of its accounts is to label, and returns a class from 0, or
`classes` to skip. It names the arguments that it wants: item, round, account, classes, shares (how
often each class is true), items, rounds, rng (numpy's Generator, seeded) and memory (a dictionary
of the account, empty at first). Beside it the file may set

    SHARE = 0.2      # of all labels that its accounts hold, above 0 and up to 0.9
    COMMITS = 1.0    # of its run that an account commits, from the first

The file runs in this process, as any program of yours does: run none that you do not trust.
"""

import inspect
import math
import runpy
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from truthmark.errors import ConfigError
from truthmark.labels.scoring import ABSENT
from truthmark.testing.crowds.draws import Draw, Generator

GIVEN: Final = (
    "item",
    "round",
    "account",
    "classes",
    "shares",
    "items",
    "rounds",
    "rng",
    "memory",
)
MOST_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy, ready to be tried: call it as any attack.

    Attributes:
        name: Of its file.
        answer: What it says.
        wanted: The arguments that it wants.
        share: Of all labels, those that its accounts hold.
        commits: Of their runs, what its accounts commit.
    """

    name: str
    answer: Callable[..., Any]
    wanted: tuple[str, ...]
    share: float
    commits: float

    def __call__(self, draw: Draw, rng: Generator) -> None:
        """Take accounts over, and let the strategy answer for them.

        Raises:
            ConfigError: It failed, or answered what is no class; the message says where.
        """
        cells = np.argwhere(draw.seize(self.share, rng))
        # As a run goes through its items in an order that nobody chose.
        rng.shuffle(cells)
        accounts = draw.workers[cells[:, 0], cells[:, 1]]
        size = np.bincount(accounts, minlength=draw.n_workers)
        done = np.zeros(draw.n_workers, np.int64)
        memories: defaultdict[int, dict[Any, Any]] = defaultdict(dict)
        classes = draw.crowd.n_classes
        common = {
            "classes": classes,
            "shares": draw.crowd.shares().tolist(),
            "items": draw.labels.shape[0],
            "rounds": draw.labels.shape[1],
            "rng": rng,
        }
        for (item, round_), account in zip(cells.tolist(), accounts.tolist(), strict=True):
            said = ABSENT
            if done[account] < math.ceil(self.commits * size[account]):
                given = common | {
                    "item": item,
                    "round": round_,
                    "account": account,
                    "memory": memories[account],
                }
                said = self._ask({name: given[name] for name in self.wanted}, classes)
            done[account] += 1
            draw.labels[item, round_] = said

    def _ask(self, given: dict[str, Any], classes: int) -> int:
        try:
            said = self.answer(**given)
        except Exception as error:
            raise ConfigError(f"answer() of {self.name} failed: {_reason(error)}") from error
        if isinstance(said, bool) or not isinstance(said, int | np.integer):
            raise ConfigError(
                f"answer() of {self.name} returned {type(said).__name__}; return a class, 0 to"
                f" {classes - 1}, or {classes} to skip"
            )
        if not 0 <= said <= classes:
            raise ConfigError(
                f"answer() of {self.name} returned {said}; this crowd has the classes 0 to"
                f" {classes - 1}, and {classes} skips"
            )
        return int(said)


def load_strategy(path: Path) -> Strategy:
    """Run a strategy's file and return what it defines.

    Raises:
        ConfigError: It cannot be run, or lacks `answer`, or a value is out of range.
    """
    try:
        found = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{path} cannot be run: {_reason(error)}") from error
    answer = found.get("answer")
    if not callable(answer):
        raise ConfigError(f"{path} defines no function answer(item, round, rng, …); add it")
    return Strategy(
        path.name,
        answer,
        _wanted(path, answer),
        _part(path, found, "SHARE", 0.2, MOST_SHARE),
        _part(path, found, "COMMITS", 1.0, 1.0),
    )


def _wanted(path: Path, answer: Callable[..., Any]) -> tuple[str, ...]:
    """Return which of `GIVEN` a function wants.

    Raises:
        ConfigError: It wants something else.
    """
    parameters = inspect.signature(answer).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return GIVEN
    for parameter in parameters:
        is_named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if not (is_named and parameter.name in GIVEN) and parameter.default is parameter.empty:
            raise ConfigError(
                f"answer() of {path} wants {parameter.name!r}; it is given {', '.join(GIVEN)}"
            )
    return tuple(parameter.name for parameter in parameters if parameter.name in GIVEN)


def _part(path: Path, found: dict[str, Any], name: str, default: float, most: float) -> float:
    """Return a number that the file sets, above 0 and up to `most`.

    Raises:
        ConfigError: It is none.
    """
    value = found.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise ConfigError(f"{name} of {path} is a number above 0 and up to {most:g}; change it")
    return float(value)


def _reason(error: BaseException) -> str:
    """Return what went wrong and in which line, in one line."""
    at = error.__traceback__
    line = ""
    while at is not None:
        line = f" (line {at.tb_lineno})"
        at = at.tb_next
    text = str(error).splitlines()
    return f"{type(error).__name__}{f': {text[0]}' if text else ''}{line}"
