# SPDX-License-Identifier: Apache-2.0
"""Deploy Truthmark with Ape: do, check, record (docs/deploy.md).

    ape run deploy plan                                      what would happen, without a network
    ape run deploy all --network NETWORK --account ACCOUNT   deploy what is not recorded yet
    ape run deploy all --dry-run ...                         connect, check, send nothing
    ape run deploy check --network NETWORK                   compare what is there with the plan

A running chain is named by its address: `--network ethereum:local:http://127.0.0.1:8545`.
The plan is `truthmark.chain.plan.PROTOCOL`; local networks are made from the same one.
"""

import contextlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
from ape.cli import ConnectedProviderCommand, account_option, ape_cli_context, network_option

from truthmark.chain.connection import Chain, connect_chain, with_genesis
from truthmark.chain.deployment import JournalDeployer, describe
from truthmark.chain.deployment import check as check_deployment
from truthmark.chain.deployment import deploy as run_plan
from truthmark.chain.journal import Journal
from truthmark.chain.plan import PROTOCOL
from truthmark.config.profile import DEVNET_BEACON_BLOCKS, ChainProfile, TokenInfo
from truthmark.errors import ConfigError, TruthmarkError
from truthmark.hashing import keccak256

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "deployments"
DAY = 86_400


class ApeSigner:
    """An Ape account as the journal's signer, so that Ape's wallets sign what we send."""

    def __init__(self, account: Any, ecosystem: Any) -> None:
        """Sign with an account of an ecosystem."""
        self._account = account
        self._ecosystem = ecosystem

    @property
    def address(self) -> str:
        """The account's address."""
        return str(self._account.address)

    def sign_transaction(self, transaction_dict: Any) -> Any:
        """Sign, and return `raw_transaction` and `hash`.

        Raises:
            click.Abort: The account's owner refused.
        """
        fields = dict(transaction_dict)
        transaction = self._ecosystem.create_transaction(
            sender=self.address,
            receiver=fields.get("to"),
            chain_id=fields["chainId"],
            nonce=fields["nonce"],
            gas_limit=fields["gas"],
            value=fields["value"],
            data=fields["data"],
            **(
                {"gas_price": fields["gasPrice"]}
                if "gasPrice" in fields
                else {
                    "max_fee": fields["maxFeePerGas"],
                    "max_priority_fee": fields["maxPriorityFeePerGas"],
                }
            ),
        )
        signed = self._account.sign_transaction(transaction)
        if signed is None:
            raise click.Abort
        raw = bytes(signed.serialize_transaction())
        return SimpleNamespace(raw_transaction=raw, hash=keccak256(raw))


def parameters_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that differ from network to network."""
    for option in (
        click.option("--owner", help="may pause and set the fee; the deployer if not given"),
        click.option("--treasury", help="gets protocol fees; the owner if not given"),
        click.option("--holder", help="gets the stake tokens; the owner if not given"),
        click.option("--ticket", default=100, show_default=True, help="stake tokens of a ticket"),
        click.option("--unbonding-days", default=14, show_default=True),
        click.option("--min-window", default=600, show_default=True, help="seconds"),
        click.option("--max-window", default=30 * DAY, show_default=True, help="seconds"),
        click.option("--record", type=click.Path(path_type=Path), help="of the deployment"),
    ):
        command = option(command)
    return command


def parameters_for(deployer: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the plan's parameters."""
    owner = options["owner"] or deployer
    return {
        "deployer": deployer,
        "owner": owner,
        "treasury": options["treasury"] or owner,
        "holder": options["holder"] or owner,
        "ticket": options["ticket"] * 10**18,
        "unbonding_seconds": options["unbonding_days"] * DAY,
        "min_window": options["min_window"],
        "max_window": options["max_window"],
    }


def endpoint_of(provider: Any) -> str:
    """Return the HTTP address of what Ape is connected to.

    Raises:
        ConfigError: Ape's provider has none, such as the chain inside its own process.
    """
    # Ape's chain within the process gives an address too, where nothing listens.
    if provider.name != "test":
        for holder, name in ((provider.web3.provider, "endpoint_uri"), (provider, "uri")):
            url = getattr(holder, name, None)
            if isinstance(url, str) and url.startswith(("http://", "https://")):
                return url
    raise ConfigError(
        f"{provider.network_choice} has no HTTP address; take ethereum:local:foundry, a running "
        "chain such as ethereum:local:http://127.0.0.1:8545, or a live network by its node"
    )


def connect_here(provider: Any, network: str) -> Chain:
    """Connect to what Ape is connected to.

    Raises:
        ConfigError: It cannot be reached over HTTP.
        ChainError: It does not answer, or is another chain than Ape says.
    """
    url = endpoint_of(provider)
    name = re.sub("[^A-Za-z0-9]+", "-", network.replace(url, "")).strip("-")
    is_local = provider.network.is_dev or "fork" in network
    profile = ChainProfile(
        name=name,
        # Ape takes every local chain for its own, of id 1337.
        chain_id=provider.web3.eth.chain_id if provider.network.is_dev else provider.chain_id,
        rpc=(url,),
        confirmations=1 if is_local else 3,
        beacon_blocks=DEVNET_BEACON_BLOCKS if is_local else 32,
        block_time=0.5 if is_local else float(provider.network.block_time or 12),
    )
    return connect_chain(with_genesis(profile))


def record_of(chain: Chain, named: Path | None, is_local: bool) -> Path:
    """Return the file of a deployment's record.

    Local chains come and go under one name and id, so theirs is told apart by the first block.
    """
    if named is not None:
        return named
    suffix = f"-{chain.genesis.hex()[:8]}" if is_local else ""
    return RECORDS / f"{chain.profile.name}{suffix}.json"


def commit_hash() -> str:
    """Return the commit of the sources, or nothing outside a clone."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def deploy_here(
    provider: Any,
    account: Any,
    network: str,
    options: dict[str, Any],
    report: Callable[[str], None],
) -> ChainProfile:
    """Deploy what is not recorded yet, and return the chain profile of the result.

    Args:
        provider: Ape's, connected.
        account: Ape's, which signs.
        network: Ape's name of the network, such as `ethereum:sepolia:node`.
        options: As the command line has them.
        report: Called with a line about each thing that was done or skipped.

    Raises:
        TruthmarkError: A step failed; running it again goes on there.
    """
    chain = connect_here(provider, network)
    record_file = record_of(chain, options["record"], provider.network.is_dev)
    signer = ApeSigner(account, provider.network.ecosystem)
    journal = Journal(chain, signer, record_file.parent / "journal")
    record = run_plan(
        PROTOCOL,
        parameters_for(signer.address, options),
        JournalDeployer(chain, journal),
        record_file,
        commit=commit_hash(),
        report=report,
    )
    profile = record.to_profile(chain.profile)
    token = TokenInfo("TMK", profile.contracts["token"].address, 18)
    return ChainProfile.from_dict({**profile.to_dict(), "tokens": [vars_of(token)]})


def vars_of(token: TokenInfo) -> dict[str, Any]:
    """Return a token as JSON values."""
    return {"symbol": token.symbol, "address": token.address, "decimals": token.decimals}


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Show what is refused in one line, as Ape's own commands do."""
    try:
        yield
    except TruthmarkError as error:
        raise click.ClickException(str(error)) from error


@click.group()
def cli() -> None:
    """Deploy Truthmark: plan, all, check."""


@cli.command()
@parameters_option
@click.option("--deployer", default="<deployer>", help="address that would deploy")
def plan(deployer: str, **options: Any) -> None:
    """Say what would be deployed, called and checked."""
    with refusing():
        for line in describe(PROTOCOL, parameters_for(deployer, options), options["record"]):
            click.echo(line)


@cli.command(name="all", cls=ConnectedProviderCommand)
@ape_cli_context()
@network_option()
@account_option()
@parameters_option
@click.option("--dry-run", is_flag=True, help="send nothing")
@click.option("--profile", type=click.Path(path_type=Path), help="write the chain profile here")
@click.option("--json", "as_json", is_flag=True, help="print the profile as JSON")
def deploy_all(
    cli_ctx: Any,
    provider: Any,
    network: Any,
    account: Any,
    dry_run: bool,
    profile: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Deploy what is not recorded yet, check it, record it."""
    name = provider.network_choice
    with refusing():
        if dry_run:
            chain = connect_here(provider, name)
            parameters = parameters_for(str(account.address), options)
            record = record_of(chain, options["record"], provider.network.is_dev)
            for line in describe(PROTOCOL, parameters, record):
                click.echo(line)
            return
        made = deploy_here(provider, account, name, options, cli_ctx.logger.info)
    if profile is not None:
        profile.parent.mkdir(parents=True, exist_ok=True)
        profile.write_text(json.dumps(made.to_dict(), indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(made.to_dict(), indent=2))
    cli_ctx.logger.success(f"deployed and checked on {name}")


@cli.command(cls=ConnectedProviderCommand)
@ape_cli_context()
@network_option()
@click.option("--record", type=click.Path(path_type=Path), help="of the deployment")
def check(cli_ctx: Any, provider: Any, network: Any, record: Path | None) -> None:
    """Compare what is deployed with the plan; change nothing."""
    with refusing():
        chain = connect_here(provider, provider.network_choice)
        record_file = record_of(chain, record, provider.network.is_dev)
        if not record_file.exists():
            raise ConfigError(
                f"nothing is recorded in {record_file}; deploy first (`ape run deploy all`), or "
                "name the record of what is deployed there with --record"
            )
        # Nothing is sent, so no account is needed.
        found = check_deployment(PROTOCOL, JournalDeployer(chain, None), record_file)  # type: ignore[arg-type]
    for step, entry in found.steps.items():
        click.echo(f"{step}: {entry.artifact} at {entry.address}")
    cli_ctx.logger.success("everything is as planned")
