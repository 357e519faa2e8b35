# SPDX-License-Identifier: Apache-2.0
"""Calls, events and reverts on titanoboa, told exactly: the top-level reason, every field."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boa
import boa.test.plugin  # early: it isolates the tests that Hypothesis makes
import pytest
from boa.contracts.base_evm_contract import BoaError
from eth_abi import decode
from vyper import ast as vy_ast
from vyper.ast import parse_to_ast

from tests.utils import faster_evm

CONTRACTS = Path(__file__).parents[2] / "contracts"


class NoTrace(dict[Any, Any]):
    """Forgets what it is told."""

    def setdefault(self, key: Any, default: Any = None) -> Any:
        return default


# titanoboa remembers which slots an address ever wrote, to show a contract's maps when a call
# fails. It does not forget them with `anchor`, so another kind of contract that comes to the same
# address in a later test makes that display crash; and it slows every revert.
boa.env.sstore_trace = NoTrace()
faster_evm.install()

ERROR_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)


@contextmanager
def reverts(contract: Any, reason: str) -> Iterator[None]:
    """Expect a call of `contract` to revert with exactly `reason`, "" where it has no words."""
    with pytest.raises(BoaError):
        yield
    output = contract._computation.output
    assert output[:4] in (b"", ERROR_SELECTOR), "neither silence nor words"
    assert (decode(["string"], output[4:])[0] if output else "") == reason


def plain(value: Any) -> Any:
    """Turn structs into dicts and addresses into str, so that they compare by content."""
    if hasattr(value, "_asdict"):
        return {name: plain(field) for name, field in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def events(contract: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return what `contract` itself logged in its last call: names with all fields."""
    logs = []
    for log in contract.get_logs():
        fields = log._asdict()
        if fields.pop("address") == contract.address:
            logs.append(
                (type(log).__name__, {name: plain(field) for name, field in fields.items()})
            )
    return logs


def reasons(path: str) -> set[str]:
    """Return the words of every assert and raise in a source below contracts/, from its AST."""
    module = parse_to_ast((CONTRACTS / path).read_text())
    nodes = [node.msg for node in module.get_descendants(vy_ast.Assert)]
    nodes += [node.exc for node in module.get_descendants(vy_ast.Raise)]
    return {node.value for node in nodes if node is not None}


@contextmanager
def at(timestamp: int) -> Iterator[None]:
    """Make a call at a moment, then undo it."""
    with boa.env.anchor():
        boa.env.timestamp = timestamp
        yield
