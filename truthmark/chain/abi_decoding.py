# SPDX-License-Identifier: Apache-2.0
"""Strict decoding of the contract ABI.

Only what encoders write is taken: nothing but zeros (or the sign) beside a value, and the parts of
variable length one behind the other. So no answer decodes to more than it is long.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from truthmark.chain.parameters import Parameter


class DecodingError(ValueError):
    """The bytes do not encode values of these types."""


def decode(parameters: Sequence[Parameter], data: bytes) -> list[Any]:
    """Decode values; what follows them is ignored.

    Returns:
        Integers, booleans, bytes (also for strings), addresses as 0x text in small letters, lists
        for arrays and tuples for structs.

    Raises:
        DecodingError: The bytes do not encode such values.
    """
    return _sequence(parameters, data, 0)[0]


def _sequence(parameters: Sequence[Parameter], data: bytes, base: int) -> tuple[list[Any], int]:
    """Decode values whose heads begin at `base`; return them and where the last one ends."""
    at, end = base, base + sum(map(_head_size, parameters))
    values = []
    for parameter in parameters:
        if _is_moving(parameter):
            if int.from_bytes(_word(data, at), "big") != end - base:
                raise DecodingError(f"{parameter.type} is not where it should be")
            value, end = _value(parameter, data, end)
        else:
            value, _ = _value(parameter, data, at)
        at += _head_size(parameter)
        values.append(value)
    return values, end


def _value(parameter: Parameter, data: bytes, at: int) -> tuple[Any, int]:
    """Decode one value that begins at `at`; return it and where it ends."""
    if (entry := _entry(parameter)) is not None:
        item, count = entry
        if count is None:
            count, at = int.from_bytes(_word(data, at), "big"), at + 32
        if count * max(_head_size(item), 1) > len(data) - at:
            raise DecodingError(f"{parameter.type} is longer than the data")
        return _sequence([item] * count, data, at)
    if parameter.components:
        values, end = _sequence(parameter.components, data, at)
        return tuple(values), end
    if parameter.type in ("bytes", "string"):
        size, at = int.from_bytes(_word(data, at), "big"), at + 32
        end = at + -(-size // 32) * 32
        if end > len(data) or any(data[at + size : end]):
            raise DecodingError(f"{parameter.type} is cut short or badly padded")
        return data[at : at + size], end
    return _plain(parameter.type, _word(data, at)), at + 32


def _plain(kind: str, word: bytes) -> Any:
    """Decode a value of one word."""
    if kind.startswith("bytes"):
        size = int(kind[5:])
        if any(word[size:]):
            raise DecodingError(f"a {kind} has stray bits")
        return word[:size]
    number = int.from_bytes(word, "big", signed=kind.startswith("int"))
    bits = {"bool": 1, "address": 160}.get(kind) or int(kind.removeprefix("u")[3:])
    if kind.startswith("int"):
        bits -= 1
    if not -(1 << bits) <= number < 1 << bits:
        raise DecodingError(f"a {kind} is out of range")
    if kind == "bool":
        return bool(number)
    return f"0x{number:040x}" if kind == "address" else number


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + 32]
    if len(word) < 32:
        raise DecodingError(f"there are only {len(data)} bytes")
    return word


@cache
def _entry(parameter: Parameter) -> "tuple[Parameter, int | None] | None":
    """Return what an array holds, and how many where that is fixed; None for other types."""
    item = parameter.item
    if item is None:
        return None
    count = parameter.type[len(item.type) + 1 : -1]
    return item, int(count) if count else None


@cache
def _is_moving(parameter: Parameter) -> bool:
    """Whether a value's place is told by an offset, because its length varies."""
    if (entry := _entry(parameter)) is not None:
        return entry[1] is None or _is_moving(entry[0])
    return parameter.type in ("bytes", "string") or any(map(_is_moving, parameter.components))


@cache
def _head_size(parameter: Parameter) -> int:
    if _is_moving(parameter):
        return 32
    if (entry := _entry(parameter)) is not None:
        return (entry[1] or 0) * _head_size(entry[0])
    return sum(map(_head_size, parameter.components)) if parameter.components else 32
