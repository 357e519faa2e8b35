# SPDX-License-Identifier: Apache-2.0
"""Finds Arrow types that keep what JSON values say, and fills columns of them.

A field has one type of JSON in all rows, or none. Then

- text stays text, also where it reads as a date;
- whole numbers become 64-bit integers, unsigned ones if need be;
- numbers of which some have a fraction become 64-bit floats, if each of them comes back;
- numbers that neither of these holds become decimals of at most 38 digits, else the text of each
  number, such as `1e400`;
- objects become structs with the fields that any of them has, lists become lists.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import accumulate, chain
from typing import Any, Final

from truthmark.arrow import pa, pc
from truthmark.codec.exact import any_of, are_floats

MAX_FIELDS: Final = 10_000
MAX_DEPTH: Final = 48
"""Levels of nesting: Arrow's readers stop at 64."""
_DECIMAL_DIGITS: Final = 38
_FLOAT_INTEGERS: Final = 2**53
# So many times more places than values, and each value is looked at by itself.
_SPARSE: Final = 8


class NumberText(str):
    """A number with a fraction or an exponent, as it is written."""

    __slots__ = ()


_TEXT, _NUMBER, _TRUTH, _OBJECT, _LIST = "text", "numbers", "true or false", "objects", "lists"
_KINDS: Final = {
    str: _TEXT,
    int: _NUMBER,
    NumberText: _NUMBER,
    bool: _TRUTH,
    dict: _OBJECT,
    list: _LIST,
}


class Field:
    """What is known of one field after some of its values, and the type that follows from it.

    Attributes:
        path: where it is, for messages, such as `meta.tags[]`.
        kind: what all its values are; None where all of them are null.
        fields: of objects, in the order in which they first came.
        items: of lists.
    """

    def __init__(self) -> None:
        """Begin with no value."""
        self.path, self._depth = "", 0
        self._all: list[Field] = [self]
        self.kind: str | None = None
        self.fields: dict[str, Field] = {}
        self.items: Field | None = None
        self._numbers = _Numbers()

    def add(self, values: Sequence[Any]) -> None:
        """See more values, none of them null.

        Raises:
            ValueError: they differ in type, or go too deep or wide; the message says how.
        """
        kinds = {_KINDS[found] for found in set(map(type, values))}
        if self.kind is not None:
            kinds.add(self.kind)
        if len(kinds) > 1:
            some = " and ".join(sorted(kinds))
            raise ValueError(f"{self.path!r} holds {some} in different rows; make them one type")
        for kind in kinds:
            self.kind = kind
        if self.kind == _NUMBER:
            self._numbers.add(values)
        elif self.kind == _OBJECT:
            self._add_objects(values)
        elif self.kind == _LIST and values:
            if self.items is None:
                self.items = self._below(f"{self.path}[]")
            self.items.add(_not_null(chain.from_iterable(values)))

    @property
    def count(self) -> int:
        """How many fields there are in all."""
        return len(self._all)

    @property
    def has_only_floats(self) -> bool:
        """Whether every number with a fraction, in any field, is in a column of floats."""
        return all(field.type == pa.float64() for field in self._all if field._numbers.has_texts)

    @property
    def type(self) -> "pa.DataType":
        """The type that keeps all values so far."""
        if self.kind is None:
            return pa.null()
        if self.kind == _OBJECT:
            return pa.struct([(name, field.type) for name, field in self.fields.items()])
        if self.kind == _LIST:
            return pa.list_(self.items.type if self.items else pa.null())
        if self.kind == _NUMBER:
            return self._numbers.type
        return pa.string() if self.kind == _TEXT else pa.bool_()

    def array(self, values: Sequence[Any], kind: "pa.DataType") -> "pa.Array":
        """Return values, which may be null, as an array of `kind`, which is `type`."""
        if self.kind == _OBJECT:
            return self._objects(values, kind)
        if self.kind == _LIST:
            return self._lists(values, kind)
        if self.kind == _NUMBER:
            if pa.types.is_floating(kind):
                values = [None if value is None else float(value) for value in values]
            elif pa.types.is_decimal(kind):
                values = [None if value is None else Decimal(value) for value in values]
            elif pa.types.is_string(kind):
                values = [None if value is None else str(value) for value in values]
        return pa.array(values, kind)

    def _below(self, path: str) -> "Field":
        if self._depth >= MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        if len(self._all) > MAX_FIELDS:
            raise ValueError(f"it has more than {MAX_FIELDS} different keys")
        field = Field()
        field.path, field._depth, field._all = path, self._depth + 1, self._all
        self._all.append(field)
        return field

    def _add_objects(self, rows: Sequence[dict[str, Any]]) -> None:
        names = dict.fromkeys(chain.from_iterable(rows))
        for name in names:
            if name not in self.fields:
                self.fields[name] = self._below(f"{self.path}.{name}" if self.path else name)
        if len(names) * len(rows) > _SPARSE * sum(map(len, rows)):
            columns: dict[str, list[Any]] = {name: [] for name in names}
            for row in rows:
                for name, value in row.items():
                    columns[name].append(value)
            for name, values in columns.items():
                self.fields[name].add(_not_null(values))
            return
        for name in names:
            self.fields[name].add(_not_null([row.get(name) for row in rows]))

    def _objects(self, values: Sequence[Any], kind: "pa.DataType") -> "pa.Array":
        if not self.fields:
            return pa.array(values, kind)
        mask = None
        if None in values:
            mask = pa.array([value is None for value in values], pa.bool_())
            values = [{} if value is None else value for value in values]
        arrays = self.columns(values, [kind.field(i) for i in range(kind.num_fields)])
        return pa.StructArray.from_arrays(arrays, fields=list(kind), mask=mask)

    def columns(
        self, rows: Sequence[dict[str, Any]], fields: "Iterable[pa.Field]"
    ) -> "list[pa.Array]":
        """Return a column for each of `fields` of the objects `rows`."""
        return [
            self.fields[field.name].array([row.get(field.name) for row in rows], field.type)
            for field in fields
        ]

    def _lists(self, values: Sequence[Any], kind: "pa.DataType") -> "pa.Array":
        mask = None
        if None in values:
            mask = pa.array([value is None for value in values], pa.bool_())
            values = [[] if value is None else value for value in values]
        flat = list(chain.from_iterable(values))
        items = self.items.array(flat, kind.value_type) if self.items else pa.nulls(len(flat))
        offsets = pa.array([0, *accumulate(map(len, values))], pa.int32())
        return pa.ListArray.from_arrays(offsets, items, type=kind, mask=mask)


class _Numbers:
    """What is known of the numbers of a field."""

    def __init__(self) -> None:
        self.has_texts = False
        self._low = self._high = 0
        self._are_floats = self._are_decimals = True
        self._scale = self._whole_digits = 0

    def add(self, values: Sequence[Any]) -> None:
        texts = [value for value in values if type(value) is NumberText]
        if texts:
            self._add_texts(texts)
            values = [value for value in values if type(value) is int]
        if values:
            self._low = min(self._low, min(values))
            self._high = max(self._high, max(values))

    def _add_texts(self, numbers: list[NumberText]) -> None:
        self.has_texts = True
        texts = pa.array(numbers, pa.string())
        self._are_floats = self._are_floats and are_floats(texts)
        # A decimal of fixed scale has no exponent and no minus zero.
        if self._are_decimals and not any_of(pc.match_substring_regex(texts, r"[eE]|^-0(\.0*)?$")):
            points = pc.find_substring(texts, ".")
            lengths = pc.binary_length(texts)
            scale = pc.max(pc.subtract(pc.subtract(lengths, points), 1)).as_py()
            self._scale = max(self._scale, scale)
            self._whole_digits = max(self._whole_digits, pc.max(points).as_py())
        else:
            self._are_decimals = False

    @property
    def type(self) -> "pa.DataType":
        low, high = self._low, self._high
        if not self.has_texts:
            if low >= -(2**63) and high < 2**63:
                return pa.int64()
            if low >= 0 and high < 2**64:
                return pa.uint64()
        elif self._are_floats and max(-low, high) <= _FLOAT_INTEGERS:
            return pa.float64()
        digits = max(len(str(max(-low, high))), self._whole_digits) + self._scale
        if self._are_decimals and digits <= _DECIMAL_DIGITS:
            return pa.decimal128(digits, self._scale)
        return pa.string()


def _not_null(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]
