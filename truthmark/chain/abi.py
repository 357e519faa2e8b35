# SPDX-License-Identifier: Apache-2.0
"""Contract interfaces: what a compiled artifact says, and its encoding both ways.

Values go in as they are at hand (dataclasses, mappings or sequences for structs; bytes or 0x text
for bytes) and come out as Python's own: integers, bytes, ERC-55 addresses, named tuples.
"""

import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any

from truthmark.chain.abi_decoding import DecodingError, decode
from truthmark.chain.parameters import Parameter, named_values
from truthmark.errors import ConfigError, MalformedReplyError
from truthmark.hashing import keccak256

_PLAIN = frozenset({"address", "bool", "bytes32", "uint256"})


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
        return values[0] if len(values) == 1 else named_values(self.outputs, values, decoded=True)


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


def _word(parameter: Parameter, value: Any) -> Any:
    """Encode a value of a plain type."""
    if parameter.type == "address":
        return bytes(12) + bytes.fromhex(value[2:])
    return value if parameter.type == "bytes32" else operator.index(value).to_bytes(32, "big")
