# SPDX-License-Identifier: Apache-2.0
"""Tiny models in ONNX files, written byte by byte: protocol buffers without the onnx package."""

from collections.abc import Sequence

FLOAT, INT64, STRING = 1, 7, 8
"""Types of tensors."""
_IR_VERSION, _OPSET, _ML_OPSET = 8, 17, 3


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    data = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(data)) + data


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(
        _field(1, _field(2, size) if isinstance(size, str) else _field(1, size)) for size in shape
    )
    tensor = _field(1, kind) + _field(2, sizes)
    return _field(1, name) + _field(2, _field(1, tensor))


def _attribute(name: str, kind: int, field: int, values: Sequence[int | str]) -> bytes:
    return _field(1, name) + b"".join(_field(field, v) for v in values) + _field(20, kind)


def strings(name: str, values: Sequence[str]) -> bytes:
    """An attribute that is a list of texts."""
    return _attribute(name, 8, 9, values)


def integers(name: str, values: Sequence[int]) -> bytes:
    """An attribute that is a list of integers."""
    return _attribute(name, 7, 8, values)


def model(
    op: str,
    given: tuple[int, Sequence[int | str]],
    found: tuple[int, Sequence[int | str]],
    *,
    attributes: Sequence[bytes] = (),
    domain: str = "",
) -> bytes:
    """Return a model of one node, from X to Y, each of a type and a shape."""
    node = _field(1, "X") + _field(2, "Y") + _field(4, op)
    node += b"".join(_field(5, attribute) for attribute in attributes) + _field(7, domain)
    graph = _field(1, node) + _field(2, "graph")
    graph += _field(11, _value("X", *given)) + _field(12, _value("Y", *found))
    opsets = _field(8, _field(1, "") + _field(2, _OPSET))
    opsets += _field(8, _field(1, "ai.onnx.ml") + _field(2, _ML_OPSET))
    return _field(1, _IR_VERSION) + _field(7, graph) + opsets


def softmax(features: int) -> bytes:
    """Rows of numbers to probabilities: the largest number wins."""
    return model("Softmax", (FLOAT, ["N", features]), (FLOAT, ["N", features]))


def flatten(channels: int, height: int, width: int) -> bytes:
    """Pictures to scores: the brightest pixel wins."""
    pixels = channels * height * width
    return model("Flatten", (FLOAT, ["N", channels, height, width]), (FLOAT, ["N", pixels]))


def lookup(words: Sequence[str], classes: Sequence[int]) -> bytes:
    """Texts to classes, by a list."""
    return model(
        "LabelEncoder",
        (STRING, ["N"]),
        (INT64, ["N"]),
        attributes=[strings("keys_strings", words), integers("values_int64s", classes)],
        domain="ai.onnx.ml",
    )
