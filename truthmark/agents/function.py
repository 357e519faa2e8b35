# SPDX-License-Identifier: Apache-2.0
"""A Python function that labels: one item in, one answer out.

It gets what models get (`truthmark.agents.features`) and returns a class by name or number,
probabilities, or None for a skip.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from truthmark.agents.agent import Agent, Answer, Task
from truthmark.agents.features import feature_of
from truthmark.agents.replies import read_value
from truthmark.bounty.items import Item
from truthmark.errors import AgentError
from truthmark.text import clean


def takes_an_item(function: Any) -> bool:
    """Whether something is called with one item, and not with nothing to make a model."""
    if not callable(function) or isinstance(function, type):
        return False
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.default is p.empty and p.kind in kinds]
    return len(needed) == 1


class FunctionAgent(Agent):
    """A function.

    Args:
        function: Takes an item, returns an answer.
        name: As it was asked for.
    """

    def __init__(self, function: Callable[[Any], Any], name: str = "the function") -> None:
        """Take the function."""
        self._function, self._name = function, name

    def answer(self, task: Task, items: Sequence[Item]) -> list[Answer]:
        """Call the function for each item."""
        return [read_value(self._call(item), task.classes) for item in items]

    def _call(self, item: Item) -> Any:
        try:
            found = self._function(feature_of(item))
        except Exception as error:  # it may raise anything
            raise AgentError(
                f"{self._name} fails ({type(error).__name__}: {clean(error, 200)}); mend it"
            ) from error
        return found.tolist() if isinstance(found, np.ndarray | np.generic) else found
