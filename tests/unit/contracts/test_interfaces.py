# SPDX-License-Identifier: Apache-2.0
"""What each contract offers is what its interface says, word for word; packing is the modules'.

The compiler takes `implements:` for kept where a function lacks the return value that its
interface promises (vyper issue 5149), and says nothing of functions that no interface names.
"""

import json
from functools import cache
from typing import Any

import pytest
from vyper.compiler import CompilerData
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.output import build_abi_output

from tests.utils.contracts import CONTRACTS

ARTIFACTS = CONTRACTS.parent / "truthmark" / "chain" / "artifacts"
# Of the modules that are included, by what stands in their own interfaces or in snekmate.
OWNED = ("owner", "pending_owner", "transfer_ownership", "accept_ownership", "paused")
MODULES = {
    "BountyBoard": ("ILedger", (*OWNED, "eip712Domain")),
    "DatasetMarket": ("ILedger", ("eip712Domain",)),
    "DatasetRegistry": ("ILedger", OWNED),
    "ValidatorStaking": ("ILedger", OWNED),
}
# But for ProtocolToken, which is nothing but ERC-20 with its extensions, from snekmate.
NAMES = sorted({path.stem for path in CONTRACTS.glob("*.vy")} - {"ProtocolToken"})
# Rows and entries of bounties are bytes, which these cut by shifting: a call for each costs gas.
OF_BYTES = {"BountyBoard", "BountyIntake", "BountyProofs"}


def signatures(abi: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Return mutability, inputs and outputs of each function, the longest of its overloads."""

    def kind(entry: dict[str, Any]) -> Any:
        inner = tuple((part["name"], kind(part)) for part in entry.get("components", ()))
        return entry["type"], inner

    found: dict[str, tuple[Any, ...]] = {}
    for entry in sorted(abi, key=lambda entry: len(entry.get("inputs", ()))):
        if entry["type"] == "function":
            found[entry["name"]] = (
                entry["stateMutability"],
                tuple(kind(part) for part in entry["inputs"]),
                tuple(kind(part) for part in entry["outputs"]),
            )
    return found


@cache
def offered(name: str) -> dict[str, tuple[Any, ...]]:
    """Return the functions of a contract, which `make lint` holds against its source."""
    return signatures(json.loads((ARTIFACTS / f"{name}.json").read_text())["abi"])


@cache
def promised(name: str) -> dict[str, tuple[Any, ...]]:
    """Return the functions of an interface."""
    path = CONTRACTS / "interfaces" / f"{name}.vyi"
    bundle = FilesystemInputBundle([CONTRACTS])
    with bundle.search_path(path.parent):
        return signatures(build_abi_output(CompilerData(bundle.load_file(path), bundle)))


@pytest.mark.parametrize("name", NAMES)
def test_contract__every_function__is_in_its_interface(name: str) -> None:
    module, exported = MODULES.get(name, (None, ()))
    expected = dict(promised(f"I{name}"))
    if module is not None:
        expected |= promised(module)
    found = offered(name)
    assert set(exported) <= found.keys()
    own = {key: value for key, value in found.items() if key not in exported}
    assert own == expected


@pytest.mark.parametrize("name", NAMES)
def test_contract__own_interface__is_implemented(name: str) -> None:
    assert f"implements: I{name}\n" in (CONTRACTS / f"{name}.vy").read_text()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_BYTES])
def test_contract__fields_of_words__are_read_by_modules_alone(name: str) -> None:
    source = (CONTRACTS / f"{name}.vy").read_text()
    assert "<<" not in source
    assert ">>" not in source
    assert "MASK" not in source
