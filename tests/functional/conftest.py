# SPDX-License-Identifier: Apache-2.0
"""The protocol, deployed by the same script that deploys to live networks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ape import Contract, accounts, chain, networks
from ape.types import ContractType

from scripts.deploy import deploy_here
from tests.utils.drafts import FEE_BPS, Place
from truthmark.config.profile import ChainProfile
from truthmark.testing.network import load_test_artifact

OPTIONS: dict[str, Any] = {
    "owner": None,
    "treasury": None,
    "holder": None,
    "ticket": 100,
    "unbonding_days": 14,
    "min_window": 60,
    "max_window": 86_400,
}
TICKET = 100 * 10**18
STAKE = 5


@dataclass
class Protocol:
    """The contracts as Ape has them, and who acts."""

    profile: ChainProfile
    registry: Any
    market: Any
    staking: Any
    stake_token: Any
    dollar: Any
    owner: Any
    seller: Any
    buyer: Any
    stranger: Any
    custodians: list[Any]

    @property
    def place(self) -> Place:
        return Place(self.profile.chain_id, self.registry.address, self.market.address)

    def credits(self, account: Any, contract: Any = None) -> int:
        """What a ledger holds for an account in dollars."""
        where = self.market if contract is None else contract
        return int(where.balances(self.dollar.address, account))


def contract_at(profile: ChainProfile, role: str) -> Any:
    info = profile.contracts[role]
    return Contract(info.address, contract_type=_type(info.artifact))


def _type(artifact: str) -> ContractType:
    from importlib import resources
    from json import loads

    file = resources.files("truthmark.chain").joinpath("artifacts", f"{artifact}.json")
    return ContractType(contractName=artifact, abi=loads(file.read_text())["abi"])


@pytest.fixture(scope="session")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    """Deploy once; every test draws datasets and buyers of its own."""
    folder: Path = tmp_path_factory.mktemp("deployment")
    test_accounts = list(accounts.test_accounts)
    owner, seller, buyer, stranger, *rest = test_accounts
    network = networks.provider.network_choice
    options = {**OPTIONS, "record": folder / "record.json"}
    profile = deploy_here(networks.provider, owner, network, options, lambda line: None)
    artifact = load_test_artifact("TestToken")
    abi = ContractType(contractName="TestToken", abi=_test_abi())
    data = artifact.creation_code(["Test Dollar", "TUSD", 6])
    receipt = owner.call(
        networks.provider.network.ecosystem.create_transaction(data=data, sender=owner.address)
    )
    made = Protocol(
        profile=profile,
        registry=contract_at(profile, "registry"),
        market=contract_at(profile, "market"),
        staking=contract_at(profile, "staking"),
        stake_token=contract_at(profile, "token"),
        dollar=Contract(receipt.contract_address, contract_type=abi),
        owner=owner,
        seller=seller,
        buyer=buyer,
        stranger=stranger,
        custodians=sorted(rest[:3], key=lambda account: int(account.address, 16)),
    )
    made.registry.set_fee_bps(FEE_BPS, sender=owner)
    for account in (seller, buyer):
        made.dollar.mint(account, 10**12, sender=owner)
        for spender in (made.registry, made.market):
            made.dollar.approve(spender, 10**12, sender=account)
    for number, custodian in enumerate(made.custodians, 1):
        made.stake_token.transfer(custodian, STAKE * TICKET, sender=owner)
        made.staking.register(custodian, bytes([number]) * 32, sender=custodian)
        made.stake_token.approve(made.staking, STAKE * TICKET, sender=custodian)
        made.staking.stake(STAKE, sender=custodian)
    return made


def _test_abi() -> Any:
    from importlib import resources
    from json import loads

    file = resources.files("truthmark.testing").joinpath("artifacts", "TestToken.json")
    return loads(file.read_text())["abi"]


@pytest.fixture
def now() -> Any:
    """Chain time, asked again at each call."""
    return lambda: int(chain.blocks.head.timestamp)
