# SPDX-License-Identifier: Apache-2.0
"""The commonest operations of py-evm by shorter ways: tests on titanoboa take half the time.

py-evm goes through several functions for each operation, to check what it made itself. Each one
here does the plain case at once and leaves all else (too little gas, too few items, a bad jump) to
the operation it replaces. `tests/unit/contracts/test_faster_evm.py` holds both against each other.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import boa
from boa.vm import py_evm
from eth.vm import opcode_values as op

Operation = Callable[[Any], Any]

WORD = 2**256 - 1
BINARY: dict[int, Callable[[int, int], int]] = {
    op.ADD: lambda a, b: a + b & WORD,
    op.MUL: lambda a, b: a * b & WORD,
    op.SUB: lambda a, b: a - b & WORD,
    op.DIV: lambda a, b: a // b if b else 0,
    op.MOD: lambda a, b: a % b if b else 0,
    op.LT: lambda a, b: int(a < b),
    op.GT: lambda a, b: int(a > b),
    op.EQ: lambda a, b: int(a == b),
    op.AND: lambda a, b: a & b,
    op.OR: lambda a, b: a | b,
    op.XOR: lambda a, b: a ^ b,
    op.SHL: lambda a, b: b << a & WORD if a < 256 else 0,
    op.SHR: lambda a, b: b >> a if a < 256 else 0,
}


def install() -> None:
    """Give the operations to all that titanoboa runs in this process."""
    originals = boa.env.evm.vm.state.computation_class.opcodes
    py_evm._opcode_overrides.update(operations(originals))


def operations(originals: dict[int, Any]) -> dict[int, Operation]:
    """Return the shorter ways, each with its original for all else."""
    made = {code: _binary(originals[code], function) for code, function in BINARY.items()}
    for size in range(33):
        made[op.PUSH0 + size] = _push(originals[op.PUSH0 + size], size)
    for depth in range(1, 17):
        made[op.DUP1 + depth - 1] = _dup(originals[op.DUP1 + depth - 1], depth)
        made[op.SWAP1 + depth - 1] = _swap(originals[op.SWAP1 + depth - 1], depth + 1)
    for code, make in (
        (op.POP, _pop),
        (op.ISZERO, _is_zero),
        (op.JUMPDEST, _jump_destination),
        (op.JUMP, _jump),
        (op.JUMPI, _jump_if),
        (op.MLOAD, _load),
        (op.MSTORE, _store),
    ):
        made[code] = make(originals[code])
    return made


def _number(item: int | bytes) -> int:
    return item if isinstance(item, int) else int.from_bytes(item, "big")


def _binary(original: Any, function: Callable[[int, int], int]) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < cost or len(values) < 2:
            original(computation)
            return
        meter.gas_remaining -= cost
        a, b = values.pop(), values[-1]
        if a.__class__ is not int:
            a = int.from_bytes(a, "big")
        if b.__class__ is not int:
            b = int.from_bytes(b, "big")
        values[-1] = function(a, b)

    return run


def _push(original: Any, size: int) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values, code = computation._gas_meter, computation._stack.values, computation.code
        at = code.program_counter
        if meter.gas_remaining < cost or len(values) > 1023 or at + size > code._length_cache:
            original(computation)
            return
        meter.gas_remaining -= cost
        code.program_counter = at + size
        values.append(int.from_bytes(code._raw_code_bytes[at : at + size], "big"))

    return run


def _dup(original: Any, depth: int) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < cost or not depth <= len(values) <= 1023:
            original(computation)
            return
        meter.gas_remaining -= cost
        values.append(values[-depth])

    return run


def _swap(original: Any, depth: int) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < cost or len(values) < depth:
            original(computation)
            return
        meter.gas_remaining -= cost
        values[-1], values[-depth] = values[-depth], values[-1]

    return run


def _pop(original: Any) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < cost or not values:
            original(computation)
            return
        meter.gas_remaining -= cost
        values.pop()

    return run


def _is_zero(original: Any) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        if meter.gas_remaining < cost or not values:
            original(computation)
            return
        meter.gas_remaining -= cost
        values[-1] = int(not _number(values[-1]))

    return run


def _jump_destination(original: Any) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter = computation._gas_meter
        if meter.gas_remaining < cost:
            original(computation)
            return
        meter.gas_remaining -= cost

    return run


@lru_cache(256)
def _destinations(code: bytes) -> frozenset[int]:
    """Return where a code may be jumped to: not into what a PUSH pushes."""
    found, at = set(), 0
    while at < len(code):
        if code[at] == op.JUMPDEST:
            found.add(at)
        at += 1 + (code[at] - op.PUSH1 + 1 if op.PUSH1 <= code[at] <= op.PUSH32 else 0)
    return frozenset(found)


def _jump(original: Any) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values, code = computation._gas_meter, computation._stack.values, computation.code
        if meter.gas_remaining < cost or not values:
            original(computation)
            return
        place = _number(values[-1])
        if place not in _destinations(code._raw_code_bytes):
            original(computation)
            return
        meter.gas_remaining -= cost
        values.pop()
        code.program_counter = place

    return run


def _jump_if(original: Any) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values, code = computation._gas_meter, computation._stack.values, computation.code
        if meter.gas_remaining < cost or len(values) < 2:
            original(computation)
            return
        if _number(values[-2]):
            place = _number(values[-1])
            if place not in _destinations(code._raw_code_bytes):
                original(computation)
                return
            code.program_counter = place
        meter.gas_remaining -= cost
        del values[-2:]

    return run


def _load(original: Any) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        memory = computation._memory._bytes
        if meter.gas_remaining < cost or not values:
            original(computation)
            return
        place = _number(values[-1])
        if place + 32 > len(memory):  # memory grows, at a price
            original(computation)
            return
        meter.gas_remaining -= cost
        values[-1] = int.from_bytes(memory[place : place + 32], "big")

    return run


def _store(original: Any) -> Operation:
    cost = original.gas_cost

    def run(computation: Any) -> None:
        meter, values = computation._gas_meter, computation._stack.values
        memory = computation._memory._bytes
        if meter.gas_remaining < cost or len(values) < 2:
            original(computation)
            return
        place = _number(values[-1])
        if place + 32 > len(memory):  # memory grows, at a price
            original(computation)
            return
        meter.gas_remaining -= cost
        memory[place : place + 32] = _number(values[-2]).to_bytes(32, "big")
        del values[-2:]

    return run
