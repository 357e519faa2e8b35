# SPDX-License-Identifier: Apache-2.0
"""What programs reply, read strictly: what is no answer to the question is refused."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from truthmark.agents.agent import Answer, Task
from truthmark.bounty.annotations import annotation
from truthmark.errors import AgentError, BountyError
from truthmark.text import clean

SKIP: Final = "skip"

_SHOWN: Final = 60
_MAX_OPEN: Final = 1_000


def require_classes(task: Task, name: str) -> None:
    """Refuse a task that asks for texts, for programs that give classes.

    Raises:
        AgentError: It does.
    """
    if not task.classes:
        raise AgentError(
            f"{name} gives classes, and bounty {task.bounty} asks for texts; use a function, a URL"
            " or a command"
        )


def read_text(text: str, classes: Sequence[str]) -> Answer:
    """Return what a reply stands for: a class's name or number, "skip", or JSON; or a text.

    Args:
        text: What a program printed or sent.
        classes: The names; none where a text is asked: that is the whole of it, unless it is JSON
            with an `answer` alone, such as `{"answer": null}` for a skip.

    Raises:
        AgentError: It is none of these.
    """
    line = text.strip()
    if not classes:
        return _read_written(line)
    if line in classes:
        return classes.index(line)
    try:
        # What is nested without end would end this process, not only the reading.
        value = json.loads(line) if line.count("[") + line.count("{") < _MAX_OPEN else line
    except (ValueError, RecursionError):
        value = line
    return read_value(value, classes)


def read_value(value: Any, classes: Sequence[str]) -> Answer:
    """Return the code that a JSON value stands for; where a text is asked, a text or null.

    Args:
        value: A name, a number, null for a skip, probabilities by place or by name, or an object
            with one of these as `answer` or `probabilities`.
        classes: The names.

    Raises:
        AgentError: It is none of these.
    """
    if not classes:
        return _read_free(value)
    if isinstance(value, Mapping):
        for name in ("answer", "probabilities"):
            if len(value) == 1 and name in value:
                return read_value(value[name], classes)
        return read_probabilities(_by_place(value, classes), classes)
    if value is None or value == SKIP:
        return len(classes)
    if isinstance(value, str) and value in classes:
        return classes.index(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(classes):
        return value
    if isinstance(value, list):
        return read_probabilities(value, classes)
    raise AgentError(
        f"{_shown(value)} is no answer; reply with a class ({_some(classes)}), its number from 0,"
        ' or "skip"'
    )


def read_probabilities(values: Sequence[Any], classes: Sequence[str]) -> int:
    """Return the most probable class; of equals the first.

    Raises:
        AgentError: It is not a number for each class.
    """
    numbers = [_number(value) for value in values]
    if len(numbers) != len(classes):
        raise AgentError(f"{len(numbers)} probabilities came for {len(classes)} classes")
    if any(not math.isfinite(number) for number in numbers):
        raise AgentError(f"{_shown(values)} are no probabilities; reply with finite numbers")
    return numbers.index(max(numbers))


def _read_written(text: str) -> Answer:
    try:
        value = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        value = None
    return _read_free(value if isinstance(value, Mapping) and [*value] == ["answer"] else text)


def _read_free(value: Any) -> Answer:
    if isinstance(value, Mapping) and [*value] == ["answer"]:
        value = value["answer"]
    if value is None:
        return 0
    if not isinstance(value, str):
        raise AgentError(f"{_shown(value)} is no text; reply with one, or with null to skip")
    try:
        return annotation(value)
    except BountyError as error:
        raise AgentError(str(error)) from error


def _by_place(values: Mapping[Any, Any], classes: Sequence[str]) -> list[Any]:
    if set(values) != set(classes):
        raise AgentError(f"the names {_shown(list(values))} are not the classes {_some(classes)}")
    return [values[name] for name in classes]


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _shown(value: Any) -> str:
    return clean(repr(value), _SHOWN)


def _some(classes: Sequence[str]) -> str:
    more = ", …" if len(classes) > 5 else ""
    return clean(", ".join(classes[:5]), 200) + more
