# SPDX-License-Identifier: Apache-2.0
"""Contract interfaces: what a compiled artifact says, and its encoding both ways.

Values go in as they are at hand (dataclasses, mappings or sequences for structs; bytes or 0x text
for bytes) and come out as Python's own: integers, bytes, ERC-55 addresses, named tuples.
"""

import dataclasses
import json
import keyword
import operator
import re
from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any

from truthmark.chain.abi_decoding import DecodingError, decode
from truthmark.config.units import to_checksum_address
from truthmark.errors import ConfigError, MalformedReplyError
from truthmark.hashing import keccak256

_PLAIN = frozenset({"address", "bool", "bytes32", "uint256"})
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
        """What an array holds, or None where this is no array."""
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
            return _named(self.components, value)
        if self.type == "address":
            return to_checksum_address(value)
        # Nothing makes a contract emit valid UTF-8, and one bad string must not stop a reader.
        return value.decode(errors="replace") if self.type == "string" else value

    def named(self, values: Sequence[Any]) -> Any:
        """Return the values of a struct's fields as its named tuple."""
        return _tuple_class(tuple(part.name for part in self.components))(*values)


@dataclass(frozen=True)
class Function:
    """A function of a contract."""

    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]

    @property
    def signature(self) -> str:
        """Its name and types, from which the selector is hashed."""
        return f"{self.name}({','.join(part.type for part in self.inputs)})"

    @cached_property
    def selector(self) -> bytes:
        """The first 4 bytes of calldata."""
        return keccak256(self.signature.encode())[:4]

    def encode(self, args: Sequence[Any]) -> bytes:
        """Return the calldata.

        Raises:
            ConfigError: An argument is not of its parameter's type.
        """
        return self.selector + encode_values(self.name, self.inputs, args)

    def decode_arguments(self, data: bytes) -> list[Any]:
        """Return the arguments of calldata that `encode` made.

        Raises:
            MalformedReplyError: It is not calldata of this function.
        """
        if data[:4] != self.selector:
            raise MalformedReplyError(f"these bytes do not call {self.name}; write them again")
        return decode_values(self.inputs, data[4:])

    def decode(self, data: bytes) -> Any:
        """Return what the function returned: nothing, one value, or a tuple.

        Raises:
            MalformedReplyError: The bytes are not an answer of this function.
        """
        values = decode_values(self.outputs, data)
        if not values:
            return None
        return values[0] if len(values) == 1 else _named(self.outputs, values, decoded=True)


@dataclass(frozen=True)
class Event:
    """An event of a contract."""

    name: str
    inputs: tuple[Parameter, ...]

    @property
    def signature(self) -> str:
        """Its name and types, from which the topic is hashed."""
        return f"{self.name}({','.join(part.type for part in self.inputs)})"

    @cached_property
    def topic(self) -> bytes:
        """The first topic of its logs."""
        return keccak256(self.signature.encode())

    @property
    def topics(self) -> tuple[Parameter, ...]:
        """Parameters carried as topics."""
        return tuple(part for part in self.inputs if part.indexed)

    @property
    def data(self) -> tuple[Parameter, ...]:
        """Parameters carried as data."""
        return tuple(part for part in self.inputs if not part.indexed)

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Return one log's values by name; of a dynamic topic only its hash is known.

        Raises:
            MalformedReplyError: The log is not one of this event.
        """
        if len(topics) != 1 + len(self.topics) or topics[0] != self.topic:
            raise MalformedReplyError(f"a log is not of event {self.name}; try another endpoint")
        values = dict(
            zip((part.name for part in self.data), decode_values(self.data, data), strict=True)
        )
        for part, topic in zip(self.topics, topics[1:], strict=True):
            values[part.name] = topic if is_dynamic(part) else decode_values((part,), topic)[0]
        return {part.name: values[part.name] for part in self.inputs}


@dataclass(frozen=True)
class Artifact:
    """A compiled contract.

    Attributes:
        name: Such as "DatasetMarket".
        bytecode: Creation code, to which constructor arguments are appended.
        constructor: Its parameters.
        functions: By name; several where default values make overloads.
        events: By first topic.
        compiler: Version that made it, such as "0.4.3".
    """

    name: str
    bytecode: bytes = field(repr=False)
    constructor: tuple[Parameter, ...] = field(repr=False)
    functions: Mapping[str, tuple[Function, ...]] = field(repr=False)
    events: Mapping[bytes, Event] = field(repr=False)
    compiler: str = ""

    @classmethod
    def from_dict(cls, name: str, data: Mapping[str, Any]) -> "Artifact":
        """Read the JSON of an artifact: `abi`, `bytecode` and maybe `compiler`.

        Raises:
            ConfigError: It is not an artifact.
        """
        try:
            return cls._read(name, data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"artifact {name} is damaged ({error!r}); compile it again"
            ) from error

    @classmethod
    def _read(cls, name: str, data: Mapping[str, Any]) -> "Artifact":
        functions: dict[str, tuple[Function, ...]] = {}
        events: dict[bytes, Event] = {}
        constructor: tuple[Parameter, ...] = ()
        for entry in data["abi"]:
            inputs = tuple(Parameter.from_abi(part) for part in entry.get("inputs", ()))
            if entry["type"] == "constructor":
                constructor = inputs
            elif entry["type"] == "event":
                event = Event(entry["name"], inputs)
                events[event.topic] = event
            elif entry["type"] == "function":
                outputs = tuple(Parameter.from_abi(part) for part in entry.get("outputs", ()))
                function = Function(entry["name"], inputs, outputs)
                functions[function.name] = (*functions.get(function.name, ()), function)
        bytecode = bytes.fromhex(data["bytecode"].removeprefix("0x"))
        return cls(name, bytecode, constructor, functions, events, str(data.get("compiler", "")))

    def creation_code(self, args: Sequence[Any]) -> bytes:
        """Return the data of the transaction that deploys the contract.

        Raises:
            ConfigError: An argument is not of its parameter's type.
        """
        return self.bytecode + encode_values(f"{self.name}()", self.constructor, args)

    def function(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Function:
        """Return the overload that takes these arguments.

        Raises:
            ConfigError: There is none.
        """
        overloads = self.functions.get(name)
        if not overloads:
            raise ConfigError(f"{self.name} has no function {name}")
        for function in overloads:
            names = [part.name for part in function.inputs]
            if len(names) == len(args) + len(kwargs) and set(names[len(args) :]) == set(kwargs):
                return function
        known = " or ".join(
            f"({', '.join(part.name for part in function.inputs)})" for function in overloads
        )
        raise ConfigError(f"{self.name}.{name} takes {known}")


@cache
def load_artifact(name: str) -> Artifact:
    """Return a compiled contract that comes with Truthmark.

    Raises:
        ConfigError: There is none of that name.
    """
    file = resources.files("truthmark.chain").joinpath("artifacts", f"{name}.json")
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no compiled contract {name}; compile the contracts") from error
    return Artifact.from_dict(name, data)


def encode_values(owner: str, parameters: Sequence[Parameter], args: Sequence[Any]) -> bytes:
    """Encode a list of arguments.

    Raises:
        ConfigError: An argument is missing, too many, or not of its parameter's type.
    """
    if len(args) != len(parameters):
        raise ConfigError(f"{owner} takes {len(parameters)} arguments, not {len(args)}")
    try:
        values = [part.to_abi(arg) for part, arg in zip(parameters, args, strict=True)]
        if all(part.type in _PLAIN for part in parameters):
            return b"".join(map(_word, parameters, values))
    except (ConfigError, OverflowError, TypeError) as error:
        raise ConfigError(f"{owner}: {error}") from error
    # Loaded only where it is needed: it takes longer than all else that a short command does.
    from eth_abi.abi import encode
    from eth_abi.exceptions import EncodingError

    try:
        return encode([part.type for part in parameters], values)
    except (EncodingError, TypeError) as error:
        raise ConfigError(f"{owner}: {error}") from error


def decode_values(parameters: Sequence[Parameter], data: bytes) -> list[Any]:
    """Decode a list of values.

    Raises:
        MalformedReplyError: The bytes do not encode such values.
    """
    try:
        values = decode(parameters, data)
    except DecodingError as error:
        raise MalformedReplyError(
            f"a chain endpoint's answer cannot be decoded ({error}); try another endpoint"
        ) from error
    return [part.from_decoded(value) for part, value in zip(parameters, values, strict=True)]


def is_dynamic(parameter: Parameter) -> bool:
    """Tell whether a value's encoding has no fixed place and size.

    Of an indexed array, struct, string or byte string an event carries only the hash; arrays and
    structs of fixed size are counted here too, for the same reason.
    """
    return parameter.type in ("string", "bytes") or parameter.type.endswith(("]", ")"))


def _named(
    parts: tuple[Parameter, ...], values: Sequence[Any], *, decoded: bool = False
) -> tuple[Any, ...]:
    if not decoded:
        values = [part.from_decoded(value) for part, value in zip(parts, values, strict=True)]
    names = tuple(part.name for part in parts)
    return _tuple_class(names)(*values) if all(names) else tuple(values)


def _word(parameter: Parameter, value: Any) -> Any:
    """Encode a value of a plain type."""
    if parameter.type == "address":
        return bytes(12) + bytes.fromhex(value[2:])
    return value if parameter.type == "bytes32" else operator.index(value).to_bytes(32, "big")


@cache
def _tuple_class(names: tuple[str, ...]) -> Any:
    safe = [f"{name}_" if keyword.iskeyword(name) else name for name in names]
    return namedtuple("Struct", safe, rename=True)
