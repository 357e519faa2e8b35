# SPDX-License-Identifier: Apache-2.0
"""The commonest operations of py-evm by a shorter way: tests on titanoboa take half the time.

py-evm goes through several functions for each operation, to check what it made itself. Here one
loop does the plain cases, and hands all else over: other operations, and these where there is too
little gas, too few items or a bad jump.

At each call py-evm also goes through all accounts that were ever written to, in all tests before,
though their writes are undone. Here those are forgotten that are as they were found.

`tests/unit/contracts/test_faster_evm.py` holds both against py-evm.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import boa
from boa.vm import py_evm
from eth.vm import opcode_values as op

WORD = 2**256 - 1
SIGN = 2**255
BINARY: dict[int, Callable[[int, int], int]] = {
    op.ADD: lambda a, b: a + b & WORD,
    op.MUL: lambda a, b: a * b & WORD,
    op.SUB: lambda a, b: a - b & WORD,
    op.DIV: lambda a, b: a // b if b else 0,
    op.MOD: lambda a, b: a % b if b else 0,
    op.LT: lambda a, b: int(a < b),
    op.GT: lambda a, b: int(a > b),
    op.SLT: lambda a, b: int(a ^ SIGN < b ^ SIGN),
    op.SGT: lambda a, b: int(a ^ SIGN > b ^ SIGN),
    op.EQ: lambda a, b: int(a == b),
    op.AND: lambda a, b: a & b,
    op.OR: lambda a, b: a | b,
    op.XOR: lambda a, b: a ^ b,
    op.SHL: lambda a, b: b << a & WORD if a < 256 else 0,
    op.SHR: lambda a, b: b >> a if a < 256 else 0,
}
PUSHES = range(op.PUSH0, op.PUSH32 + 1)
DUPS = range(op.DUP1, op.DUP16 + 1)
SWAPS = range(op.SWAP1, op.SWAP16 + 1)
OTHERS = (
    *(op.POP, op.ISZERO, op.JUMPDEST, op.JUMP, op.JUMPI, op.MLOAD, op.MSTORE, op.MCOPY),
    *(op.ADDMOD, op.MULMOD, op.CALLDATALOAD, op.CALLDATASIZE, op.CALLVALUE),
)
NEVER = 2**300
"""what an operation costs that is handed over"""
PLAIN_ITERATION = py_evm.TracingCodeStream.__iter__
PLAIN_INIT = py_evm.titanoboa_computation.__init__
PLAIN_REVERT = py_evm.PyEVM.revert


def install() -> None:
    """Let all that titanoboa runs in this process go the shorter ways."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        PLAIN_INIT(self, *args, **kwargs)
        # Not `self`: a circle would be left to the collector.
        self.code.machine = self._stack.values, self._memory, self._gas_meter, self.msg

    py_evm.titanoboa_computation.__init__ = init
    py_evm.TracingCodeStream.__iter__ = iterate
    py_evm.PyEVM.revert = revert


def revert(self: Any, snapshot: Any) -> None:
    """Go back to a snapshot; forget the accounts that nothing was written to before it."""
    accounts, (_, checkpoint) = self.vm.state._account_db, snapshot
    new = [
        address
        for address, store in accounts._dirty_account_stores()
        if not store._journal_storage.has_checkpoint(checkpoint)
    ]
    PLAIN_REVERT(self, snapshot)
    for address in new:
        accounts._dirty_accounts.remove(address)
        del accounts._account_stores[address]


@lru_cache(1)
def _costs() -> list[int]:
    originals = boa.env.evm.vm.state.computation_class.opcodes
    costs = [NEVER] * 256
    for code in (*BINARY, *PUSHES, *DUPS, *SWAPS, *OTHERS):
        costs[code] = originals[code].gas_cost
    return costs


@lru_cache(256)
def _destinations(code: bytes) -> frozenset[int]:
    """Return where a code may be jumped to: not into what a PUSH pushes."""
    found, at = set(), 0
    while at < len(code):
        if code[at] == op.JUMPDEST:
            found.add(at)
        at += 1 + (code[at] - op.PUSH1 + 1 if op.PUSH1 <= code[at] <= op.PUSH32 else 0)
    return frozenset(found)


def _number(item: int | bytes) -> int:
    return item if item.__class__ is int else int.from_bytes(item, "big")


def _grow(memory: Any, end: int, gas: int) -> int:
    """Let memory reach to `end`; return the gas that is left, below 0 where it is too little."""
    before, after = len(memory._bytes) >> 5, end + 31 >> 5
    gas -= 3 * (after - before) + after * after // 512 - before * before // 512
    if gas >= 0:
        memory.extend(0, end)
    return gas


def iterate(self: Any) -> Iterator[int]:
    """Run a code from where its counter stands; give each operation that py-evm has to do.

    Commonest first, with names of numbers written out: this is where tests of contracts spend
    their time.
    """
    values, memory, meter, message = self.machine
    data = message.data_as_bytes
    raw, length, costs, note = (
        self._raw_code_bytes,
        self._length_cache,
        _costs(),
        self._trace.append,
    )
    binary, destinations = BINARY, _destinations(self._raw_code_bytes)
    at, gas = self.program_counter, meter.gas_remaining
    while at < length:
        code = raw[at]
        note(at)
        at += 1
        left = gas - costs[code]
        if left >= 0:
            held = len(values)
            if 0x5F <= code <= 0x7F:  # PUSH
                end = at + code - 0x5F
                if held < 1024 and end <= length:
                    values.append(int.from_bytes(raw[at:end], "big"))
                    at, gas = end, left
                    continue
            elif 0x80 <= code <= 0x8F:  # DUP
                if code - 0x7F <= held < 1024:
                    values.append(values[0x7F - code])
                    gas = left
                    continue
            elif 0x90 <= code <= 0x9F:  # SWAP
                if code - 0x8F < held:
                    other = 0x8E - code
                    values[-1], values[other] = values[other], values[-1]
                    gas = left
                    continue
            elif code == 0x5B:  # JUMPDEST
                gas = left
                continue
            elif code == 0x51:  # MLOAD
                if held:
                    place = _number(values[-1])
                    if place + 32 > len(memory._bytes):
                        left = _grow(memory, place + 32, left)
                    if left >= 0:
                        cells = memory._bytes
                        values[-1] = int.from_bytes(cells[place : place + 32], "big")
                        gas = left
                        continue
            elif code == 0x52:  # MSTORE
                if held > 1:
                    place = _number(values[-1])
                    if place + 32 > len(memory._bytes):
                        left = _grow(memory, place + 32, left)
                    if left >= 0:
                        cells = memory._bytes
                        cells[place : place + 32] = _number(values[-2]).to_bytes(32, "big")
                        del values[-2:]
                        gas = left
                        continue
            elif code == 0x57:  # JUMPI
                if held > 1:
                    if not _number(values[-2]):
                        place = at
                    elif (place := _number(values[-1])) not in destinations:
                        place = -1
                    if place >= 0:
                        del values[-2:]
                        at, gas = place, left
                        continue
            elif code == 0x56:  # JUMP
                if held and (place := _number(values[-1])) in destinations:
                    values.pop()
                    at, gas = place, left
                    continue
            elif code == 0x50:  # POP
                if held:
                    values.pop()
                    gas = left
                    continue
            elif code == 0x15:  # ISZERO
                if held:
                    values[-1] = int(not _number(values[-1]))
                    gas = left
                    continue
            elif code == 0x35:  # CALLDATALOAD
                if held:
                    place = _number(values[-1])
                    word = data[place : place + 32].ljust(32, b"\0")
                    values[-1] = int.from_bytes(word, "big")
                    gas = left
                    continue
            elif code == 0x36 or code == 0x34:  # CALLDATASIZE, CALLVALUE
                if held < 1024:
                    values.append(len(data) if code == 0x36 else message.value)
                    gas = left
                    continue
            elif code == 0x08 or code == 0x09:  # ADDMOD, MULMOD
                if held > 2:
                    first, second = _number(values.pop()), _number(values.pop())
                    modulus = _number(values[-1])
                    found = first + second if code == 0x08 else first * second
                    values[-1] = found % modulus if modulus else 0
                    gas = left
                    continue
            elif code == 0x5E:  # MCOPY
                if held > 2:
                    target, place, size = map(_number, values[:-4:-1])
                    cells, left = memory._bytes, left - 3 * (size + 31 >> 5)
                    if left >= 0 < size and max(target, place) + size <= len(cells):
                        cells[target : target + size] = cells[place : place + size]
                        del values[-3:]
                        gas = left
                        continue
            elif held > 1:
                first = _number(values.pop())
                values[-1] = binary[code](first, _number(values[-1]))
                gas = left
                continue
        self.program_counter, meter.gas_remaining = at, gas
        yield code
        at, gas = self.program_counter, meter.gas_remaining
    self.program_counter, meter.gas_remaining = at, gas
    yield op.STOP
