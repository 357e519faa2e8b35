# SPDX-License-Identifier: Apache-2.0
"""Typed names of the contract ABI: what functions take and give, and events carry."""

import dataclasses
import keyword
import re
from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from truthmark.config.units import to_checksum_address
from truthmark.errors import ConfigError

_ARRAY = re.compile(r"(.*)\[(\d*)\]")


@dataclass(frozen=True)
class Parameter:
    """A typed name of a function or an event.

    Attributes:
        name: As in the contract; empty for unnamed outputs.
        type: With structs spelled out, such as "(uint256,uint256)[2]".
        components: The fields of a struct, also of a struct in an array.
        indexed: Whether an event carries it as a topic.
    """

    name: str
    type: str
    components: tuple["Parameter", ...] = ()
    indexed: bool = False

    @classmethod
    def from_abi(cls, entry: Mapping[str, Any]) -> "Parameter":
        """Read an entry of an ABI's `inputs`, `outputs` or `components`."""
        components = tuple(cls.from_abi(part) for part in entry.get("components", ()))
        kind: str = entry["type"]
        if kind.startswith("tuple"):
            kind = f"({','.join(part.type for part in components)}){kind[5:]}"
        return cls(entry.get("name", ""), kind, components, entry.get("indexed", False))

    @property
    def item(self) -> "Parameter | None":
        """What an array holds, or None where this is not an array."""
        match = _ARRAY.fullmatch(self.type)
        return dataclasses.replace(self, type=match[1]) if match else None

    def to_abi(self, value: Any) -> Any:
        """Turn a value into what eth-abi encodes.

        Raises:
            ConfigError: It is not of this parameter's type.
        """
        if item := self.item:
            if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
                raise ConfigError(f"{self.name or self.type} must be a list, not {value!r}")
            return [item.to_abi(entry) for entry in value]
        if self.components:
            return tuple(
                part.to_abi(entry)
                for part, entry in zip(self.components, self._fields(value), strict=True)
            )
        if self.type == "address":
            return to_checksum_address(str(value))
        if self.type.startswith("bytes"):
            return self._bytes(value)
        if isinstance(value, bool) != (self.type == "bool"):
            raise ConfigError(f"{self.name or 'value'} must be {self.type}, not {value!r}")
        return value

    def _fields(self, value: Any) -> list[Any]:
        names = [part.name for part in self.components]
        if not isinstance(value, Mapping):
            if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
                if len(value) != len(names):
                    raise ConfigError(f"{self.name} must have the fields {', '.join(names)}")
                return list(value)
            value = {name: getattr(value, name) for name in names if hasattr(value, name)}
        if missing := [name for name in names if name not in value]:
            raise ConfigError(f"{self.name or 'struct'} lacks its field {missing[0]}")
        return [value[name] for name in names]

    def _bytes(self, value: Any) -> bytes:
        if isinstance(value, str):
            try:
                value = bytes.fromhex(value.removeprefix("0x"))
            except ValueError:
                value = None
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise ConfigError(f"{self.name or 'value'} must be {self.type}")
        raw = bytes(value)
        # eth-abi would pad a short value, which then is another value.
        if self.type != "bytes" and len(raw) != int(self.type[5:]):
            raise ConfigError(f"{self.name or 'value'} must be {self.type}, not {len(raw)} bytes")
        return raw

    def from_decoded(self, value: Any) -> Any:
        """Turn what `abi_decoding` gives into Python's own types."""
        if item := self.item:
            return [item.from_decoded(entry) for entry in value]
        if self.components:
            return named_values(self.components, value)
        if self.type == "address":
            return to_checksum_address(value)
        # Nothing makes a contract emit valid UTF-8, and one bad string must not stop a reader.
        return value.decode(errors="replace") if self.type == "string" else value

    def named(self, values: Sequence[Any]) -> Any:
        """Return the values of a struct's fields as its named tuple."""
        return _tuple_class(tuple(part.name for part in self.components))(*values)


def named_values(
    parts: tuple[Parameter, ...], values: Sequence[Any], *, decoded: bool = False
) -> tuple[Any, ...]:
    """Return values under the names of their parameters, where all have one.

    Args:
        parts: What they are of.
        values: As `abi_decoding` gives them.
        decoded: They are Python's own types already.
    """
    if not decoded:
        values = [part.from_decoded(value) for part, value in zip(parts, values, strict=True)]
    names = tuple(part.name for part in parts)
    return _tuple_class(names)(*values) if all(names) else tuple(values)


@cache
def _tuple_class(names: tuple[str, ...]) -> Any:
    safe = [f"{name}_" if keyword.iskeyword(name) else name for name in names]
    return namedtuple("Struct", safe, rename=True)
