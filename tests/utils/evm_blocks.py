# SPDX-License-Identifier: Apache-2.0
"""Runs of plain operations, each compiled into one function of Python: two to four times as fast.

What py-evm does for each operation (look it up, ask for gas, check the stack, move items) is done
once for all operations up to the next that is not plain. Where anything is out of the ordinary (too
little gas, a stack too short or too full, memory that must grow, a bad jump), the function does as
much as is ordinary, and py-evm goes on from there one by one: gas, stack, memory and the trace of
program counters are the same. `tests/unit/contracts/test_faster_evm.py` holds both against each
other.
"""

import weakref
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import boa
from boa.vm import py_evm
from eth.vm import opcode_values as op

Block = Callable[[Any, list[Any], Any, list[int], frozenset[int]], int]
"""Takes gas meter, stack, memory, trace and destinations; returns where the program goes on. If it
could not go so far: -1 for "nothing was done", or -2 less the place from which to go one by one."""

HOT = 20
"""How often a place is come to before it is compiled: most places are come to once or twice."""
LONGEST = 200
SHORTEST = 3
PLAIN_ITERATION = py_evm.TracingCodeStream.__iter__

# The first operand is what lies on top.
BINARY = {
    op.ADD: "{0} + {1} & W",
    op.MUL: "{0} * {1} & W",
    op.SUB: "{0} - {1} & W",
    op.DIV: "{0} // {1} if {1} else 0",
    op.MOD: "{0} % {1} if {1} else 0",
    op.LT: "1 if {0} < {1} else 0",
    op.GT: "1 if {0} > {1} else 0",
    op.EQ: "1 if {0} == {1} else 0",
    op.AND: "{0} & {1}",
    op.OR: "{0} | {1}",
    op.XOR: "{0} ^ {1}",
    op.SHL: "{1} << {0} & W if {0} < 256 else 0",
    op.SHR: "{1} >> {0} if {0} < 256 else 0",
}
OTHERS = {
    op.ISZERO: (1, "0 if {0} else 1"),
    op.NOT: (1, "{0} ^ W"),
    op.ADDMOD: (3, "({0} + {1}) % {2} if {2} else 0"),
    op.MULMOD: (3, "{0} * {1} % {2} if {2} else 0"),
}
FORMULAS = {**{code: (2, text) for code, text in BINARY.items()}, **OTHERS}
NAMES: dict[str, Any] = {"W": 2**256 - 1, "from_bytes": int.from_bytes}


def install() -> None:
    """Let all that titanoboa runs in this process run by blocks."""
    original = py_evm.titanoboa_computation.__init__

    def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.code.computation = weakref.ref(self)

    py_evm.titanoboa_computation.__init__ = initialize
    py_evm.TracingCodeStream.__iter__ = iterate


def iterate(code: Any) -> Iterator[int]:
    """Run blocks; yield each operation that is left to py-evm, as the original does all."""
    computation, raw, end = code.computation(), code._raw_code_bytes, code._length_cache
    meter, values, memory = computation._gas_meter, computation._stack.values, computation._memory
    trace = code._trace
    blocks, destinations = _program(raw)
    while (at := code.program_counter) < end:
        block = blocks.get(at, 0)
        if block.__class__ is int:
            if block < HOT:
                blocks[at] = block + 1
                block = None
            else:
                block = blocks[at] = _block(raw, at)
        if block is not None:
            place = block(meter, values, memory, trace, destinations)
            if place >= 0:
                code.program_counter = place
                continue
            if place < -1:
                at = -2 - place
        trace.append(at)
        code.program_counter = at + 1
        yield raw[at]
    yield op.STOP


@lru_cache(256)
def _program(raw: bytes) -> tuple[dict[int, Any], frozenset[int]]:
    """Return a program's blocks as far as they are compiled, and where it may be jumped to."""
    found, at = set(), 0
    while at < len(raw):
        if raw[at] == op.JUMPDEST:
            found.add(at)
        at += 1 + _pushed(raw[at])  # no destination is in what a PUSH pushes
    return {}, frozenset(found)


def _pushed(code: int) -> int:
    return code - op.PUSH1 + 1 if op.PUSH1 <= code <= op.PUSH32 else 0


def _block(raw: bytes, start: int) -> Block | None:
    """Return the block that begins at a place, or None if none is worth it."""
    at, count = start, 0
    while at < len(raw) and count < LONGEST:
        code = raw[at]
        after = at + 1 + _pushed(code)
        if after > len(raw) or not _is_plain(code):
            break
        at, count = after, count + 1
        if code in (op.JUMP, op.JUMPI):
            break
    return _compile(start, raw[start:at]) if count >= SHORTEST else None


def _is_plain(code: int) -> bool:
    return (
        op.PUSH1 <= code <= op.SWAP16
        or code in FORMULAS
        or code in (op.POP, op.JUMPDEST, op.JUMP, op.JUMPI, op.MLOAD, op.MSTORE)
    )


@lru_cache(None)
def _compile(start: int, body: bytes) -> Block:
    """Compile a block; copies of a contract, with other immutables, have most in common."""
    writer = _Writer()
    at = 0
    while at < len(body):
        writer.add(body[at], start + at, body[at + 1 : at + 1 + _pushed(body[at])])
        at += 1 + _pushed(body[at])
    if body and writer.is_open:
        writer.end(str(start + len(body)))
    made: dict[str, Any] = {}
    exec(compile(writer.source(), f"block at {start}", "exec"), NAMES, made)
    block: Block = made["block"]
    return block


class _Writer:
    """Writes a block, and knows which item the stack holds where."""

    def __init__(self) -> None:
        self.originals = boa.env.evm.vm.state.computation_class.opcodes
        self.lines: list[str] = []
        self.stack: list[str] = []
        """names and numbers, the top last; `s3` is what was the third from the top at first"""
        self.taken = 0
        self.most = 0
        self.gas = 0
        self.places: list[int] = []
        self.integers: set[str] = set()
        self.made = 0
        self.is_open = True

    def add(self, code: int, place: int, pushed: bytes) -> None:
        """Write one operation."""
        if op.PUSH1 <= code <= op.PUSH32:
            self.stack.append(hex(int.from_bytes(pushed, "big")))
        elif op.DUP1 <= code <= op.DUP16:
            self.reach(code - op.DUP1 + 1)
            self.stack.append(self.stack[-(code - op.DUP1 + 1)])
        elif op.SWAP1 <= code <= op.SWAP16:
            depth = code - op.SWAP1 + 2
            self.reach(depth)
            self.stack[-1], self.stack[-depth] = self.stack[-depth], self.stack[-1]
        elif code == op.POP:
            self.reach(1)
            self.stack.pop()
        elif code in FORMULAS:
            count, formula = FORMULAS[code]
            operands = self.operands(count)
            del self.stack[-count:]
            self.keep(formula.format(*operands))
        elif code == op.MLOAD:
            (where,) = self.operands(1)
            self.leave_if(f"{where} + 32 > len(m)", place)
            self.stack.pop()
            self.keep(f"from_bytes(m[{where} : {where} + 32], 'big')")
        elif code == op.MSTORE:
            where, value = self.operands(2)
            self.leave_if(f"{where} + 32 > len(m)", place)
            del self.stack[-2:]
            self.lines.append(f"m[{where} : {where} + 32] = ({value}).to_bytes(32, 'big')")
        elif code == op.JUMP:
            (where,) = self.operands(1)
            self.leave_if(f"{where} not in destinations", place)
            self.stack.pop()
        elif code == op.JUMPI:
            where, condition = self.operands(2)
            self.leave_if(f"{condition} and {where} not in destinations", place)
            del self.stack[-2:]
        self.places.append(place)
        self.gas += self.originals[code].gas_cost
        self.most = max(self.most, len(self.stack) - self.taken)
        if code in (op.JUMP, op.JUMPI):
            self.end(where if code == op.JUMP else f"{where} if {condition} else {place + 1}")

    def reach(self, depth: int) -> None:
        """Have so many items at hand, of those that were there before if need be."""
        while len(self.stack) < depth:
            self.taken += 1
            self.stack.insert(0, f"s{self.taken}")

    def operands(self, count: int) -> list[str]:
        """Return the topmost items as integers, the top first; they stay on the stack."""
        self.reach(count)
        found = self.stack[: -count - 1 : -1]
        for name in found:
            if name[0] == "s" and name not in self.integers:
                self.integers.add(name)
                self.lines.append(f"if {name}.__class__ is not int:")
                self.lines.append(f"    {name} = from_bytes({name}, 'big')")
        return found

    def keep(self, formula: str) -> None:
        self.made += 1
        self.lines.append(f"v{self.made} = {formula}")
        self.stack.append(f"v{self.made}")

    def leave_if(self, condition: str, place: int) -> None:
        """Write what is done where an operation is out of the ordinary."""
        self.lines.append(f"if {condition}:")
        self.lines += [f"    {line}" for line in self.written(str(-2 - place))]

    def end(self, place: str) -> None:
        self.lines += self.written(place)
        self.is_open = False

    def written(self, result: str) -> list[str]:
        """Return the lines that write down what was done so far, and return."""
        kept, gone = list(self.stack), self.taken
        while kept and gone and kept[0] == f"s{gone}":
            del kept[0]
            gone -= 1
        items = "".join(f"{item}, " for item in kept)
        lines = []
        if gone:
            lines.append(f"values[-{gone}:] = ({items})" if kept else f"del values[-{gone}:]")
        elif kept:
            lines.append(f"values.extend(({items}))")
        places = "".join(f"{place}, " for place in self.places)
        return [
            *lines,
            f"meter.gas_remaining = gas - {self.gas}",
            f"trace.extend(({places}))",
            f"return {result}",
        ]

    def source(self) -> str:
        lines = [
            "gas = meter.gas_remaining",
            f"if gas < {self.gas} or not {self.taken} <= len(values) <= {1024 - self.most}:",
            "    return -1",
            "m = memory._bytes",
            *(f"s{number} = values[-{number}]" for number in range(1, self.taken + 1)),
            *self.lines,
        ]
        head = "def block(meter, values, memory, trace, destinations):\n"
        return head + "".join(f"    {line}\n" for line in lines)
