# SPDX-License-Identifier: Apache-2.0
"""The compiled contracts in the library are those of contracts/, and a change is told in words."""

import copy
import json

import pytest

from tests.utils.compiled import deployer
from tools import artifacts


@pytest.mark.parametrize(
    ("source", "path"), [pytest.param(*pair, id=pair[0].stem) for pair in artifacts.contracts()]
)
def test_artifact__contract_as_tests_compile_it__is_the_same(source, path):
    # So what is tested is what is deployed. `make lint` compiles it as `make artifacts` does.
    assert path.exists(), "run `make artifacts`"
    name = source.relative_to(artifacts.CONTRACTS).with_suffix("").as_posix()
    fresh = artifacts.describe(deployer(name).compiler_data)
    assert artifacts.differences(json.loads(path.read_text()), fresh) == []
    assert path.read_text() == artifacts.to_text(fresh)


def test_artifacts__contracts_that_are_gone__left_none_behind():
    assert artifacts.leftovers({path: {} for _, path in artifacts.contracts()}) == []


@pytest.fixture
def artifact():
    """Return a recorded artifact of a contract with ABI, storage and immutables."""
    return json.loads((artifacts.PLACES["*.vy"] / "DatasetMarket.json").read_text())


def test_differences__function_removed__names_it(artifact):
    fresh = copy.deepcopy(artifact)
    gone = next(entry for entry in fresh["abi"] if entry.get("name") == "REGISTRY")
    fresh["abi"].remove(gone)
    assert artifacts.differences(artifact, fresh) == ["removed ABI entry function REGISTRY()"]


def test_differences__variable_moved__names_it(artifact):
    fresh = copy.deepcopy(artifact)
    fresh["layout"]["code_layout"]["REGISTRY"]["offset"] += 32
    assert artifacts.differences(artifact, fresh) == ["changed variable code_layout REGISTRY"]


def test_differences__code_changed__tells_both_sizes(artifact):
    fresh = {**artifact, "bytecode": "0x00", "deployed_size": 1}
    size = artifact["deployed_size"]
    expected = [f"changed bytecode (deployed size {size} -> 1)"]
    assert artifacts.differences(artifact, fresh) == expected


def test_compile_contract__layout__names_no_folder(artifact):
    assert "/" not in json.dumps(artifact["layout"])
