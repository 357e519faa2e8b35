# SPDX-License-Identifier: Apache-2.0
"""What programs reply, read strictly: what is no answer to the question is refused."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from truthmark.errors import AgentError
from truthmark.text import clean

SKIP: Final = "skip"

_SHOWN: Final = 60
_MAX_OPEN: Final = 1_000


def read_text(text: str, classes: Sequence[str]) -> int:
    """Return the code that a line of text stands for: a class's name or number, "skip", or JSON.

    Args:
        text: What a program printed or sent.
        classes: The names.

    Raises:
        AgentError: It is none of these.
    """
    line = text.strip()
    if line in classes:
        return classes.index(line)
    try:
        # What is nested without end would end this process, not only the reading.
        value = json.loads(line) if line.count("[") + line.count("{") < _MAX_OPEN else line
    except (ValueError, RecursionError):
        value = line
    return read_value(value, classes)


def read_value(value: Any, classes: Sequence[str]) -> int:
    """Return the code that a JSON value stands for.

    Args:
        value: A name, a number, null for a skip, probabilities by place or by name, or an object
            with one of these as `answer` or `probabilities`.
        classes: The names.

    Raises:
        AgentError: It is none of these.
    """
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
