# SPDX-License-Identifier: Apache-2.0
"""A Python object with `predict_proba`, as scikit-learn's models have it.

It gets a list of items and gives a row of probabilities for each: of texts, `str`; of rows of
numbers, floats in the order of the row, as a numpy array; of pictures and sounds, their `bytes` as
in a file; of pairs, a tuple of two of these.
"""

import importlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from truthmark.agents.agent import Agent, Task
from truthmark.agents.features import features_of
from truthmark.agents.replies import read_probabilities, require_classes
from truthmark.bounty.items import Item
from truthmark.errors import AgentError
from truthmark.text import clean

IMPORT_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def load_object(path: str) -> Any:
    """Return what `package.module:object` names; modules are looked for in this folder too.

    Raises:
        AgentError: It cannot be imported, or is not there.
    """
    module, _, name = path.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module may raise anything
        raise AgentError(
            f"{path} cannot be loaded ({type(error).__name__}: {clean(error, 200)}); write it as"
            " package.module:object, and run this where Python finds it"
        ) from error
    return found


class ModelAgent(Agent):
    """A model.

    Args:
        model: Has `predict_proba`, or is a class or function that gives one when it is called.
        name: As it was asked for.

    Raises:
        AgentError: It has none.
    """

    batch = 256

    def __init__(self, model: Any, name: str = "the model") -> None:
        """Take the model."""
        if not hasattr(model, "predict_proba") or isinstance(model, type):
            if not callable(model):
                raise AgentError(f"{name} has no predict_proba; name an object that has")
            model = _called(model, name)
        if not hasattr(model, "predict_proba"):
            raise AgentError(f"{name} has no predict_proba; name an object that has")
        self._model, self._name = model, name

    def prepare(self, task: Task) -> None:
        """Check that classes are asked, and that the model's own, if it names any, are those."""
        require_classes(task, self._name)
        self._columns(task)

    def answer(self, task: Task, items: Sequence[Item]) -> list[int]:
        """Ask the model for all of them at once."""
        features = features_of(items)
        try:
            rows = np.asarray(self._model.predict_proba(features))
        except Exception as error:  # a model may raise anything
            raise AgentError(
                f"{self._name} fails ({type(error).__name__}: {clean(error, 200)}); mend it"
            ) from error
        columns = self._columns(task)
        if rows.shape != (len(items), len(columns)):
            raise AgentError(
                f"{self._name} gives an array of shape {rows.shape} for {len(items)} items of"
                f" {len(columns)} classes; a row of probabilities an item is needed"
            )
        return [read_probabilities(row[columns].tolist(), task.classes) for row in rows]

    def _columns(self, task: Task) -> list[int]:
        """Return which column of the model is which class."""
        named = getattr(self._model, "classes_", None)
        if named is None:
            return list(range(len(task.classes)))
        names: list[Any] = np.asarray(named).tolist()
        if sorted(map(str, names)) == sorted(task.classes):
            return [list(map(str, names)).index(name) for name in task.classes]
        places = list(range(len(task.classes)))
        if names == places:
            return places
        raise AgentError(
            f"{self._name} knows the classes {clean(names, 120)}, and asked are"
            f" {clean(list(task.classes), 120)}; it cannot label this bounty"
        )


def _called(make: Any, name: str) -> Any:
    try:
        return make()
    except Exception as error:  # it may raise anything
        raise AgentError(
            f"{name} cannot be made ({type(error).__name__}: {clean(error, 200)}); mend it"
        ) from error
