# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.token_chain import account, bare_profile, compile_vyper, token_chain
from truthmark.chain.abi import Artifact
from truthmark.chain.connection import Chain
from truthmark.chain.deployment import (
    DeploymentRecord,
    Expect,
    Invoke,
    JournalDeployer,
    Param,
    Plan,
    Ref,
    Sent,
    Step,
    check,
    deploy,
    describe,
)
from truthmark.chain.journal import Journal
from truthmark.errors import ChainMismatchError, ConfigError, RevertedError

VAULT = """
# pragma version 0.4.3

struct Bounds:
    low: uint256
    high: uint256

OWNER: public(immutable(address))
bounds: public(Bounds)
door: public(address)

@deploy
def __init__(owner_: address, bounds_: Bounds):
    assert bounds_.low <= bounds_.high, "vault: bad bounds"
    OWNER = owner_
    self.bounds = bounds_

@external
def fix_door(door: address):
    assert self.door == empty(address), "vault: door is fixed"
    self.door = door
"""
DOOR = """
# pragma version 0.4.3

VAULT: public(immutable(address))

@deploy
def __init__(vault_: address):
    VAULT = vault_
"""
VAULT_ARTIFACT = compile_vyper("Vault", VAULT)
DOOR_ARTIFACT = compile_vyper("Door", DOOR)
PLAN = Plan(
    parameters=("owner", "low"),
    steps=(
        Step(
            "vault",
            VAULT_ARTIFACT,
            (Param("owner"), {"low": Param("low"), "high": 9}),
            checks=(Expect("OWNER", Param("owner")), Expect("bounds", (Param("low"), 9))),
        ),
        Step(
            "door",
            DOOR_ARTIFACT,
            (Ref("vault"),),
            calls=(Invoke("fix_door", (Ref("door"),), target="vault"),),
            checks=(Expect("VAULT", Ref("vault")), Expect("door", Ref("door"), target="vault")),
        ),
    ),
)
OWNER = account(0)
PARAMETERS = {"owner": OWNER.address, "low": 3}


class Counting(JournalDeployer):
    """Counts what it sends, and dies when it is told to."""

    def __init__(self, chain: Chain, journal: Journal) -> None:
        super().__init__(chain, journal)
        self.sent: list[str] = []
        self.die_after: int | None = None

    def _count(self, what: str) -> None:
        self.sent.append(what)
        if len(self.sent) == self.die_after:
            raise KeyboardInterrupt

    def deploy(self, key: str, artifact: Artifact, args: Sequence[Any]) -> tuple[str, Sent]:
        done = super().deploy(key, artifact, args)
        self._count(artifact.name)
        return done

    def invoke(
        self, key: str, artifact: Artifact, address: str, function: str, args: Sequence[Any]
    ) -> Sent:
        done = super().invoke(key, artifact, address, function, args)
        self._count(function)
        return done


@pytest.fixture
def deployer(chain: Chain, journal: Journal) -> Counting:
    return Counting(chain, journal)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deployments" / "record.json"


def test_deploy__plan__is_done_checked_and_recorded(deployer: Counting, path: Path) -> None:
    lines: list[str] = []
    record = deploy(PLAN, PARAMETERS, deployer, path, commit="abc", report=lines.append)
    assert deployer.sent == ["Vault", "Door", "fix_door"]
    vault, door = record.steps["vault"], record.steps["door"]
    assert vault.commit == "abc" and vault.artifact == "Vault"
    assert vault.deployed.args == [OWNER.address, {"low": 3, "high": 9}]
    assert vault.deployed.gas_used > 21_000
    assert door.calls["vault.fix_door"].args == [door.address]
    assert deployer.read(VAULT_ARTIFACT, vault.address, "door", ()) == door.address
    saved = DeploymentRecord.load(path)
    assert (saved.steps, saved.parameters) == (record.steps, record.parameters)
    assert len(lines) == 3


def test_deploy__again__sends_nothing(deployer: Counting, path: Path) -> None:
    first = deploy(PLAN, PARAMETERS, deployer, path)
    deployer.sent.clear()
    again = deploy(PLAN, PARAMETERS, deployer, path)
    assert deployer.sent == []
    assert again.steps == first.steps
    assert check(PLAN, deployer, path).steps == first.steps


@pytest.mark.parametrize("point", [1, 2, 3])
def test_deploy__killed_after_a_transaction_before_its_record__is_finished_once(
    deployer: Counting, chain: Chain, path: Path, point: int
) -> None:
    deployer.die_after = point
    before = int(chain.rpc.call("eth_getTransactionCount", OWNER.address, "latest"), 16)
    with pytest.raises(KeyboardInterrupt):
        deploy(PLAN, PARAMETERS, deployer, path)
    deployer.die_after = None
    deploy(PLAN, PARAMETERS, deployer, path)
    after = int(chain.rpc.call("eth_getTransactionCount", OWNER.address, "latest"), 16)
    assert after - before == 3
    check(PLAN, deployer, path)


def test_deploy__constructor_refuses__reason_is_told(deployer: Counting, path: Path) -> None:
    with pytest.raises(RevertedError, match=r"^vault: bad bounds$"):
        deploy(PLAN, {**PARAMETERS, "low": 10}, deployer, path)


def test_deploy__check_fails__is_refused(deployer: Counting, path: Path) -> None:
    wrong = replace(PLAN.steps[0], checks=(Expect("bounds", (3, 8)),))
    with pytest.raises(ChainMismatchError, match=r"bounds is \[3, 9\], the plan wants \[3, 8\]"):
        deploy(replace(PLAN, steps=(wrong,)), PARAMETERS, deployer, path)


def test_deploy__other_parameters_than_recorded__is_refused(deployer: Counting, path: Path) -> None:
    deploy(PLAN, PARAMETERS, deployer, path)
    with pytest.raises(ConfigError, match="other parameters"):
        deploy(PLAN, {**PARAMETERS, "low": 4}, deployer, path)
    with pytest.raises(ConfigError, match="needs the parameter low"):
        deploy(PLAN, {"owner": OWNER.address}, deployer, path)
    with pytest.raises(ConfigError, match="has no parameter high"):
        deploy(PLAN, {**PARAMETERS, "high": 4}, deployer, path)


def test_deploy__contract_compiled_again__is_refused(deployer: Counting, path: Path) -> None:
    deploy(PLAN, PARAMETERS, deployer, path)
    changed = replace(PLAN.steps[0], artifact=replace(VAULT_ARTIFACT, bytecode=b"\1"))
    plan = replace(PLAN, steps=(changed, *PLAN.steps[1:]))
    with pytest.raises(ChainMismatchError, match="from other code than Vault is now"):
        deploy(plan, PARAMETERS, deployer, path)


def test_check__contract_is_gone__is_told(deployer: Counting, chain: Chain, path: Path) -> None:
    record = deploy(PLAN, PARAMETERS, deployer, path)
    chain.rpc.call("anvil_setCode", record.steps["door"].address, "0x00")
    with pytest.raises(ChainMismatchError, match="door is not at"):
        check(PLAN, deployer, path)


def test_check__half_done__is_told(deployer: Counting, path: Path) -> None:
    deploy(replace(PLAN, steps=PLAN.steps[:1]), PARAMETERS, deployer, path)
    with pytest.raises(ConfigError, match="door is not fully deployed"):
        check(PLAN, deployer, path)


def test_deploy__record_of_another_chain__is_refused(
    deployer: Counting, path: Path, tmp_path: Path
) -> None:
    deploy(PLAN, PARAMETERS, deployer, path)
    (tmp_path / "new").mkdir()
    with token_chain(tmp_path / "new", earlier=True) as (_, new):
        elsewhere = JournalDeployer(new, Journal(new, OWNER, tmp_path / "journal"))
        with pytest.raises(ChainMismatchError, match="of another chain"):
            deploy(PLAN, PARAMETERS, elsewhere, path)


def test_deploy__record_is_damaged__is_refused(deployer: Counting, path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"steps": []}))
    with pytest.raises(ConfigError, match="cannot use deployment record"):
        deploy(PLAN, PARAMETERS, deployer, path)


def test_describe__nothing_done_and_half_done__says_what_would_be(
    deployer: Counting, path: Path
) -> None:
    lines = describe(PLAN, PARAMETERS)
    kinds = [line.split()[0] for line in lines]
    assert kinds == ["deploy", "check", "check", "deploy", "call", "check", "check"]
    assert "<address of vault>" in lines[3]
    assert deployer.sent == []
    deploy(replace(PLAN, steps=PLAN.steps[:1]), PARAMETERS, deployer, path)
    lines = describe(PLAN, PARAMETERS, path)
    assert lines[0].startswith("skip")
    assert "<address of vault>" not in lines[3]


def test_deploy__plan_uses_a_later_step__is_refused(deployer: Counting, path: Path) -> None:
    plan = replace(PLAN, steps=PLAN.steps[::-1])
    with pytest.raises(ConfigError, match="uses vault before it is deployed"):
        deploy(plan, PARAMETERS, deployer, path)
    assert deployer.sent == []


def test_to_profile__record__names_contracts_by_step(deployer: Counting, path: Path) -> None:
    record = deploy(PLAN, PARAMETERS, deployer, path)
    profile = record.to_profile(bare_profile(), roles=["vault"])
    assert list(profile.contracts) == ["vault"]
    info = profile.contracts["vault"]
    assert (info.address, info.artifact) == (record.steps["vault"].address, "Vault")
    assert info.block == record.steps["vault"].deployed.block
