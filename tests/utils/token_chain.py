# SPDX-License-Identifier: Apache-2.0
"""A deployed token, accounts and journals, for tests of what talks to a chain."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vyper
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.utils.anvil import require_anvil
from truthmark.chain.abi import Artifact
from truthmark.chain.connection import Chain, connect_chain, with_genesis
from truthmark.chain.deployment import DeploymentRecord, JournalDeployer, Param, Plan, Step, deploy
from truthmark.chain.journal import Journal
from truthmark.config.profile import ChainProfile
from truthmark.config.units import to_checksum_address
from truthmark.testing.anvil import MNEMONIC, AnvilProcess, start_anvil

Account.enable_unaudited_hdwallet_features()

SUPPLY = 10**24
# Two chains that are started within one second would have the same first block.
EARLIER = ("--timestamp", "1700000000")
TOKEN_PLAN = Plan(
    steps=(Step("token", "ProtocolToken", (Param("holder"), SUPPLY)),), parameters=("holder",)
)


def account(index: int) -> LocalAccount:
    """One of anvil's funded accounts."""
    return Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")


def recipient(index: int) -> str:
    """An address that nothing else ever pays."""
    return to_checksum_address(f"0x{0xEFFEC7 + index:040x}")


def compile_vyper(name: str, source: str) -> Artifact:
    compiled: dict[str, Any] = vyper.compile_code(source, output_formats=["abi", "bytecode"])
    return Artifact.from_dict(name, compiled)


def bare_profile(*urls: str, **changes: Any) -> ChainProfile:
    values = {"confirmations": 1, "block_time": 0.2, **changes}
    return ChainProfile("test", 31337, urls, **values)


def deploy_token(url: str, folder: Path, **changes: Any) -> ChainProfile:
    """Deploy the protocol token, all of it held by account 0, and return the profile."""
    holder = account(0)
    chain = connect_chain(with_genesis(bare_profile(url)))
    deployer = JournalDeployer(chain, Journal(chain, holder, folder / "deployer"))
    record: DeploymentRecord = deploy(
        TOKEN_PLAN, {"holder": holder.address}, deployer, folder / "record.json"
    )
    return record.to_profile(bare_profile(url, **changes))


@contextmanager
def token_chain(
    folder: Path, *, earlier: bool = False, **changes: Any
) -> Iterator[tuple[AnvilProcess, Chain]]:
    """A chain of the test's own, with the token on it; `earlier`, so as to be another one."""
    require_anvil()
    with start_anvil(log=folder / "anvil.log", extra=EARLIER if earlier else ()) as process:
        yield process, connect_chain(deploy_token(process.url, folder, **changes))
