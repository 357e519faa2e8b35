# SPDX-License-Identifier: Apache-2.0
"""The operations that tests run faster do what those of py-evm do, to the unit of gas."""

from random import Random
from typing import Any

import boa
import pytest
from boa.vm import py_evm
from eth.vm import opcode_values as op

from tests.utils import faster_evm

EDGES = [0, 1, 2, 31, 32, 33, 255, 256, 257, 2**64, 2**128, 2**255, 2**256 - 1]
SIMPLE = [
    *(*faster_evm.BINARY, op.ISZERO, op.POP, op.JUMPDEST, op.ADDMOD, op.MULMOD),
    *(op.CALLDATALOAD, op.CALLDATASIZE, op.CALLVALUE),
]
ORIGINALS = boa.env.evm.vm.state.computation_class.opcodes
DATA = bytes(range(1, 76))
ITERATIONS = (faster_evm.PLAIN_ITERATION, faster_evm.iterate)

faster_evm.install()


def outcome(monkeypatch: Any, code: bytes, gas: int, iteration: Any) -> tuple[Any, ...]:
    """Return all that is left of a run: error, gas, output, stack, memory and its way."""
    with monkeypatch.context() as patch, boa.env.anchor():
        patch.setattr(py_evm.TracingCodeStream, "__iter__", iteration)
        done = boa.env.execute_code(override_bytecode=code, gas=gas, data=DATA)
    stack = [it if isinstance(it, int) else int.from_bytes(it, "big") for it in done._stack.values]
    error = done._error if done.is_error else None
    memory, way = bytes(done._memory._bytes), (done.code._trace, done.code.program_counter)
    return type(error), str(error), done.get_gas_used(), bytes(done.output), stack, memory, way


def same(monkeypatch: Any, code: bytes, gas: int = 100_000) -> Any:
    """Run a program both ways and return the type of its error."""
    expected, found = (outcome(monkeypatch, code, gas, iteration) for iteration in ITERATIONS)
    assert found == expected, (code.hex(), gas)
    return found[0]


def push(number: int, size: int = 32) -> bytes:
    return bytes([op.PUSH1 + size - 1]) + number.to_bytes(size, "big")


@pytest.mark.parametrize(
    "code",
    [
        *(*faster_evm.BINARY, op.MLOAD, op.MSTORE, op.ISZERO),
        *(op.CALLDATALOAD, op.CALLDATASIZE, op.CALLVALUE),
    ],
)
def test_operation__edges_and_too_little_of_anything__as_py_evm(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    tail = bytes([code])
    for a in EDGES:
        for b in EDGES:
            same(monkeypatch, push(a) + push(b) + tail)
    cost = ORIGINALS[code].gas_cost
    for gas in range(6, 6 + cost + 2):
        same(monkeypatch, push(1) + push(2) + tail, gas)
    for program in (tail, push(1) + tail, push(1) + push(64) + tail + push(32) + tail):
        same(monkeypatch, program)


@pytest.mark.parametrize("code", [op.ADDMOD, op.MULMOD])
def test_modular__edges_and_too_little_of_anything__as_py_evm(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    numbers = [0, 1, 2, 2**128 + 1, 2**255, 2**256 - 1]
    for a in numbers:
        for b in numbers:
            for modulus in (0, 1, 7, 2**255, 2**256 - 1):
                same(monkeypatch, push(modulus) + push(a) + push(b) + bytes([code]))
    for gas in range(9, 9 + 10):
        same(monkeypatch, push(7) + push(5) + push(6) + bytes([code]), gas)
    for held in range(3):
        same(monkeypatch, push(7) * held + bytes([code]))


@pytest.mark.parametrize("code", [op.MLOAD, op.MSTORE])
def test_memory__that_grows__costs_as_py_evm(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    twice = push(1) + push(5) + bytes([code]) + push(1) + push(97) + bytes([code])
    for gas in range(12, 40):
        same(monkeypatch, twice, gas)
    for place in (*EDGES, 1000, 30_000, 2**20):
        for gas in (100, 7_000, 10_000_000):
            same(monkeypatch, push(1) + push(place) + bytes([code]), gas)


def test_mcopy__overlaps_edges_and_too_little_of_anything__as_py_evm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled = push(2**255 + 7) + push(0) + bytes([op.MSTORE])
    filled += push(2**256 // 3) + push(32) + bytes([op.MSTORE])
    for target in (0, 1, 31, 33, 64, 2**64):
        for place in (0, 2, 32, 63, 2**256 - 1):
            for size in (0, 1, 31, 32, 33, 2**64):
                copied = push(size) + push(place) + push(target) + bytes([op.MCOPY])
                same(monkeypatch, filled + copied)
    for gas in range(24, 45):
        same(monkeypatch, filled + push(33) + push(0) + push(9) + bytes([op.MCOPY]), gas)
    for held in range(3):
        same(monkeypatch, filled + push(1) * held + bytes([op.MCOPY]))


@pytest.mark.parametrize("depth", range(1, 17))
def test_dup_and_swap__every_depth__as_py_evm(monkeypatch: pytest.MonkeyPatch, depth: int) -> None:
    items = b"".join(push(n, 1) for n in range(20))
    for code in (op.DUP1 + depth - 1, op.SWAP1 + depth - 1):
        for held in (0, depth - 1, depth, depth + 1, 17):
            same(monkeypatch, items[: 2 * held] + bytes([code]))
        same(monkeypatch, items + bytes([code]), 62)
    full = push(7, 1) * 1023 + bytes([op.DUP1 + depth - 1] * 2) + push(8, 1)
    assert same(monkeypatch, full) is not type(None)


@pytest.mark.parametrize("size", range(33))
def test_push__whole_and_cut_off__as_py_evm(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    whole = push((2 ** (8 * size) - 1) // 3, size)
    for length in range(1, len(whole) + 1):
        same(monkeypatch, whole[:length])
    same(monkeypatch, whole, ORIGINALS[op.PUSH0 + size].gas_cost - 1)
    same(monkeypatch, whole * 1025)


@pytest.mark.parametrize("code", [op.JUMP, op.JUMPI])
def test_jump__everywhere__as_py_evm(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    # A destination in what is pushed is none; the one behind it is.
    end = bytes([op.PUSH1 + 1, op.JUMPDEST, op.JUMPDEST, op.JUMPDEST, op.PUSH1, 9])
    for condition in (0, 1, 2**255):
        for place in (*range(80), 2**64, 2**256 - 1):
            same(monkeypatch, push(condition) + push(place) + bytes([code]) + end)
    for gas in range(6, 20):
        same(monkeypatch, push(1) + push(71) + bytes([code]) + end, gas)
    same(monkeypatch, bytes([code]))
    same(monkeypatch, push(71) + bytes([code]))


def test_programs__random__as_py_evm(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random("programs")
    ends = set()
    for _ in range(400):
        program = bytearray()
        for _ in range(random.randrange(60)):
            kind = random.randrange(8)
            if kind < 4:
                size = random.choice((1, 1, 2, 32))
                number = random.choice((random.randrange(100), random.choice(EDGES)))
                program += push(number % 2 ** (8 * size), size)
            elif kind < 6:
                program.append(random.choice(SIMPLE))
            elif kind == 6:
                program.append(random.randrange(op.DUP1, op.SWAP16 + 1))
            else:
                program.append(random.choice((op.MLOAD, op.MSTORE, op.MCOPY, op.JUMP, op.JUMPI)))
        ends.add(same(monkeypatch, bytes(program), random.choice((50, 200, 100_000))))
    assert len(ends) > 3


def test_revert__written_before_and_since__leaves_what_py_evm_leaves() -> None:
    """Accounts that were written to before, since, only since, and in between, in one nest."""
    state = boa.env.evm.vm.state
    accounts = [bytes([number]) * 20 for number in range(1, 6)]

    def held() -> list[list[int]]:
        return [[state.get_storage(it, slot) for slot in range(3)] for it in accounts]

    def play(revert: Any) -> list[Any]:
        seen, random = [], Random("reverts")
        outer = state.snapshot()
        for account in accounts[:2]:  # as where a contract is made
            state.delete_storage(account)
        for _ in range(40):
            snapshots = []
            for _ in range(random.randrange(1, 4)):
                for _ in range(random.randrange(4)):
                    account = random.choice(accounts)
                    state.set_storage(account, random.randrange(3), random.randrange(4))
                snapshots.append(state.snapshot())
                state.set_storage(random.choice(accounts), 0, random.randrange(9))
                seen.append(held())
            while snapshots:
                if random.random() < 0.3:
                    state.commit(snapshots.pop())
                else:
                    revert(boa.env.evm, snapshots.pop())
                seen.append(held())
        revert(boa.env.evm, outer)
        return [*seen, held()]

    assert play(faster_evm.revert) == play(faster_evm.PLAIN_REVERT)


def test_revert__all_is_undone__no_account_is_gone_through_any_more() -> None:
    state, account = boa.env.evm.vm.state, b"\x11" * 20
    known = set(state._account_db._dirty_accounts)
    with boa.env.anchor():
        state.set_storage(account, 1, 2)
        assert account in state._account_db._dirty_accounts
    assert state._account_db._dirty_accounts == known
    assert state.get_storage(account, 1) == 0
