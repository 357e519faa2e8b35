# SPDX-License-Identifier: Apache-2.0
"""Turns DataFrames of pandas into Arrow tables whose values are those of the frame.

A missing value (None, NaN, NaT, NA) of pandas is null. Columns of Python objects may hold anything;
Arrow makes one type of them, and what it would change on the way is refused.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from truthmark.arrow import pa, pc
from truthmark.codec.storage_types import parts_of
from truthmark.errors import CodecError

if TYPE_CHECKING:
    import pandas as pd

_STEP = 64 << 10
_EXACT_IN_FLOATS = 2**53
# What pandas and Arrow raise on values that a type allows and pandas does not.
UNREADABLE: Final = (
    KeyError,
    NotImplementedError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def to_frame(table: "pa.Table") -> "pd.DataFrame":
    """Return a table as a DataFrame that has its values.

    pandas has no missing value among its plain integers, so pyarrow makes floats of them, which
    hold whole numbers up to 2^53 only.

    Raises:
        pa.ArrowException: pandas cannot hold a value, or its metadata makes no sense.
    """
    import pandas as pd

    plain = table
    for place, (field, column) in enumerate(zip(table.schema, table.columns, strict=True)):
        kind = _plain_type(field.type)
        if _is_in_views(kind):  # which pyarrow casts wrongly; it is filled in below
            plain = plain.set_column(place, field.with_type(pa.null()), pa.nulls(len(table)))
        elif kind != field.type:
            plain = plain.set_column(place, field.with_type(kind), column.cast(kind))
    frame: pd.DataFrame = plain.to_pandas()
    nullable = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}
    for place, (field, column) in enumerate(zip(table.schema, table.columns, strict=True)):
        if not _is_in_views(_plain_type(field.type)) and not _would_round(column):
            continue
        if len(frame.columns) != table.num_columns:  # an index took columns away
            names = [str(name) for name in frame.columns]
            if field.name not in names:
                raise pa.ArrowInvalid(f"its index {field.name!r} would be rounded")
            place = names.index(field.name)
        exact: Any = (
            column.to_pandas(types_mapper=nullable.get)
            if field.type in nullable
            else pd.Series(column.to_pylist(), dtype=object)
        )
        frame.isetitem(place, exact.set_axis(frame.index))
    return frame


def readable_schema(schema: "pa.Schema") -> "pa.Schema":
    """Return a schema without what it says about pandas, if pandas fails at that.

    It comes from outside, and pandas itself writes names of types that it cannot read.
    """
    if b"pandas" not in (schema.metadata or {}):
        return schema
    try:
        schema.empty_table().to_pandas()
    except (pa.ArrowException, *UNREADABLE):
        kept = {key: text for key, text in schema.metadata.items() if key != b"pandas"}
        return schema.with_metadata(kept)
    return schema


def _plain_type(kind: "pa.DataType", *, is_inside: bool = False) -> "pa.DataType":
    """Return a type with plain texts and bytes for views of them in lists, as pandas takes them.

    Not below views of lists, which pyarrow casts wrongly.
    """
    if is_inside and kind == pa.string_view():
        return pa.large_string()  # whose offsets hold whatever the views do
    if is_inside and kind == pa.binary_view():
        return pa.large_binary()
    if isinstance(kind, pa.StructType):
        return pa.struct(
            [part.with_type(_plain_type(part.type, is_inside=True)) for part in kind.fields]
        )
    if isinstance(kind, pa.MapType):
        key = kind.key_field.with_type(_plain_type(kind.key_type, is_inside=True))
        item = kind.item_field.with_type(_plain_type(kind.item_type, is_inside=True))
        return pa.map_(key, item, kind.keys_sorted)
    if isinstance(kind, pa.ListType | pa.LargeListType | pa.FixedSizeListType):
        item = kind.value_field.with_type(_plain_type(kind.value_type, is_inside=True))
        if isinstance(kind, pa.FixedSizeListType):
            return pa.list_(item, kind.list_size)
        return pa.list_(item) if isinstance(kind, pa.ListType) else pa.large_list(item)
    return kind


def _is_in_views(kind: "pa.DataType") -> bool:
    """Tell whether there are views of texts or bytes inside of views of lists."""
    if isinstance(kind, pa.ListViewType | pa.LargeListViewType):
        return _holds_views(kind)
    return any(map(_is_in_views, parts_of(kind)))


def _holds_views(kind: "pa.DataType") -> bool:
    return kind in (pa.string_view(), pa.binary_view()) or any(map(_holds_views, parts_of(kind)))


def _would_round(column: "pa.ChunkedArray | pa.Array") -> bool:
    """Tell whether whole numbers beyond 2^53 stand beside missing ones, at any depth."""
    kind = column.type
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if kind in (pa.int64(), pa.uint64()):
        if not column.null_count:
            return False
        ends = pc.min_max(column).as_py()
        return any(end is not None and abs(end) > _EXACT_IN_FLOATS for end in ends.values())
    if pa.types.is_dictionary(kind):
        return False  # pandas keeps these as categories
    if pa.types.is_struct(kind):
        return any(_would_round(part) for chunk in chunks for part in chunk.flatten())
    if pa.types.is_map(kind):
        return any(_would_round(part) for c in chunks for part in (c.keys, c.items))
    if any(
        test(kind)
        for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    ):
        return any(_would_round(chunk.flatten()) for chunk in chunks)
    return False


def from_polars(frame: Any) -> "pa.Table":
    """Return a DataFrame of polars as a table.

    Raises:
        CodecError: A column holds Python's objects, of which polars would give the addresses.
        ValueError, pa.ArrowException: Arrow cannot hold a column.
    """
    for name, kind in zip(frame.columns, frame.dtypes, strict=True):
        if _holds_objects(kind):
            raise CodecError(
                f"column {name!r} of the DataFrame holds Python's objects, which Arrow cannot "
                "hold; convert it"
            )
    # Not by the C interface: Parquet cannot hold its views of texts within dictionaries.
    table: pa.Table = frame.to_arrow()
    return table


def _holds_objects(kind: Any) -> bool:
    inner = [getattr(kind, "inner", None), *(f.dtype for f in getattr(kind, "fields", ()))]
    return str(kind) == "Object" or any(_holds_objects(part) for part in inner if part is not None)


def from_pandas(frame: Any) -> "pa.Table":
    """Return a DataFrame as a table.

    Raises:
        CodecError: Arrow cannot hold one of its columns, or would change a value.
    """
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
