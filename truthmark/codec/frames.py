# SPDX-License-Identifier: Apache-2.0
"""Turns DataFrames of pandas into Arrow tables whose values are those of the frame.

A missing value (None, NaN, NaT, NA) of pandas is null. Columns of Python objects may hold anything;
Arrow makes one type of them, and what it would change on the way is refused.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time
from itertools import chain
from typing import TYPE_CHECKING, Any

from truthmark.errors import CodecError

if TYPE_CHECKING:
    import pyarrow as pa

_STEP = 64 << 10


def from_pandas(frame: Any) -> "pa.Table":
    """Return a DataFrame as a table.

    Raises:
        CodecError: Arrow cannot hold one of its columns, or would change a value.
    """
    import pyarrow as pa

    names = Counter(map(str, frame.columns))
    if names and names.most_common(1)[0][1] > 1:
        name = names.most_common(1)[0][0]
        raise CodecError(f"the DataFrame has more than one column {name!r}; rename them")
    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise CodecError(
            f"the DataFrame has a column that Arrow cannot hold ({reason[:200]}); "
            "convert it to one type first"
        ) from error
    for number, name in enumerate(frame.columns):
        _check(frame.iloc[:, number], table.column(number), name)
    return table


def _check(values: Any, column: "pa.ChunkedArray", name: Any) -> None:
    """Check that a column of Python objects came through."""
    if values.dtype != object or set(map(type, values)) <= {str, float, type(None)}:
        return
    if _holds_vectors(values, column.type):
        return
    for first in range(0, len(values), _STEP):
        given = values.iloc[first : first + _STEP]
        for value, found in zip(given, column.slice(first, _STEP).to_pylist(), strict=True):
            if not _is_same(value, found):
                raise CodecError(
                    f"column {str(name)!r} of the DataFrame would change: "
                    f"{_short(value)} would become {_short(found)}; convert it to one type first"
                )


def _holds_vectors(values: Any, kind: "pa.DataType") -> bool:
    # Embeddings: arrays of the very type that the column has, too many numbers to look at each.
    import numpy as np
    import pyarrow as pa

    kinds = {value.dtype if isinstance(value, np.ndarray) else None for value in values}
    if len(kinds) != 1 or not (pa.types.is_list(kind) and pa.types.is_primitive(kind.value_type)):
        return False
    found = kinds.pop()
    return (
        found is not None and found.kind in "iuf" and kind.value_type == pa.from_numpy_dtype(found)
    )


def _is_same(value: Any, found: Any) -> bool:
    """Tell whether what came out of Arrow says what went in."""
    if found is None:
        return _is_missing(value)
    if isinstance(value, Mapping):
        return isinstance(found, Mapping) and all(
            _is_same(value.get(key), found.get(key)) for key in {*value, *found}
        )
    if hasattr(value, "tolist") and getattr(value, "ndim", False):
        value = list(value)
    if isinstance(value, set | frozenset):
        return len(value) == len(found) and all(item in value for item in found)
    if isinstance(found, list):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(found)
            and all(map(_is_same, value, found))
        )
    if isinstance(found, date | time):
        return _is_same_time(value, found)
    if isinstance(found, str | bytes):
        return isinstance(value, type(found)) and value == found
    if isinstance(found, bool):
        return type(value).__name__ in ("bool", "bool_") and bool(value) == found
    return bool(value == found)


def _is_same_time(value: Any, found: date | time) -> bool:
    if isinstance(found, datetime | time):
        # An offset that Arrow drops, adds, or makes that of the column was part of the value.
        if not isinstance(value, datetime | time) or value.utcoffset() != found.utcoffset():
            return False
        if getattr(value, "nanosecond", 0) != getattr(found, "nanosecond", 0):
            return False
    elif isinstance(value, datetime):
        return False
    return bool(value == found)


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or value is pd.NaT or value != value


def _short(value: Any) -> str:
    return "".join(chain(repr(value)[:60].splitlines()))
