# SPDX-License-Identifier: Apache-2.0
"""Items as models take them: texts as `str`, rows of numbers as arrays, all else as bytes."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from truthmark.bounty.items import Item, Media
from truthmark.errors import AgentError


def features_of(items: Sequence[Item]) -> Any:
    """Return a list with an entry an item; of rows of numbers alone, an array of floats.

    Raises:
        AgentError: Rows of numbers have different lengths, or hold something else.
    """
    if items and all(item.media is Media.JSON for item in items):
        rows = [numbers_of(item) for item in items]
        if len({len(row) for row in rows}) != 1:
            raise AgentError("the rows of numbers have different lengths; no model takes that")
        return np.array(rows, np.float64)
    return [feature_of(item) for item in items]


def numbers_of(item: Item) -> list[float]:
    """Return the numbers of a row, by its own order; a null is NaN.

    Raises:
        AgentError: It holds something else.
    """
    try:
        value = json.loads(item.text)
    except (ValueError, RecursionError) as error:
        raise AgentError("a row of numbers is no JSON; skip it, or leave this bounty") from error
    values = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(values, list):
        values = [values]
    found = [math.nan if number is None else number for number in values]
    if any(not isinstance(number, int | float) for number in found):
        raise AgentError(
            "a row holds something that is no number; a model of numbers cannot read it"
        )
    try:
        return [float(number) for number in found]
    except OverflowError as error:
        raise AgentError("a row holds a number too large for a model") from error


def feature_of(item: Item) -> Any:
    """Return one item: a text, numbers, bytes, or a tuple of two of these.

    Raises:
        AgentError: A row holds something that is no number.
    """
    if item.media is Media.PAIR:
        return tuple(feature_of(half) for half in item.pair)
    if item.media is Media.TEXT:
        return item.text
    if item.media is Media.JSON:
        return numbers_of(item)
    return item.data
