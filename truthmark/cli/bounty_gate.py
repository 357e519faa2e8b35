# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty gate`: contracts that say who may join a bounty."""

from pathlib import Path

import click

from truthmark.bounty.client import BountyClient
from truthmark.bounty.gates import deploy_allow_list, deploy_record_gate, set_allowed
from truthmark.bounty.gates import register as show
from truthmark.bounty.team import read_team
from truthmark.cli.command import State, group, resolve_address
from truthmark.cli.output import echo, info
from truthmark.cli.param_types import ACCOUNT, BOUNTY, FILE
from truthmark.errors import ConfigError
from truthmark.text import plural


@group()
def gate() -> None:
    """Contracts that say who may join: name one by `truthmark bounty create --gate`.

    Where your own relay knows the people, `--team` does the same without a contract.
    """


@gate.command("allow-list")
@click.argument("file", type=FILE)
def allow_list(state: State, file: Path) -> None:
    """Deploy a gate that admits the accounts in FILE, one in a line.

    Prints its address. You can add accounts, or take some off, later.
    """
    team = read_team(file)
    if nameless := [member.name for member in team if not member.account]:
        raise ConfigError(
            f"a gate knows accounts alone; write the address of {nameless[0]} into {file}"
        )
    accounts = [member.account for member in team]
    with state.session(signs=True, sends=True) as session:
        address = deploy_allow_list(session, accounts)
        echo(address)
        info(f"it admits {plural(len(accounts), 'account')}")


@gate.command()
@click.argument("address", type=ACCOUNT, metavar="GATE")
@click.argument("accounts", type=ACCOUNT, nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take them off instead.")
def allow(state: State, address: str, accounts: tuple[str, ...], remove: bool) -> None:
    """Let ACCOUNTS join bounties with your allow-list gate GATE.

    Who has joined a bounty already stays in it.
    """
    with state.session(signs=True, sends=True) as session:
        gate_address = resolve_address(session, address)
        people = [resolve_address(session, account) for account in accounts]
        set_allowed(session, gate_address, people, is_allowed=not remove)
        info(f"{plural(len(people), 'account')} {'taken off' if remove else 'admitted'}")


@gate.command()
@click.option(
    "--requester",
    "requesters",
    type=ACCOUNT,
    multiple=True,
    required=True,
    help="Whose bounties count; may be given several times.",
)
@click.option(
    "--least",
    type=click.FloatRange(0.5, 1, min_open=True),
    default=0.75,
    show_default=True,
    help="The part of the full price that a labeler earned there at least.",
)
@click.option(
    "--count", type=click.IntRange(1), default=1, show_default=True, help="In how many bounties."
)
def record(state: State, requesters: tuple[str, ...], least: float, count: int) -> None:
    """Deploy a gate that admits labelers with a good record.

    Prints its address. It cannot be changed. A requester whom it trusts can give records away, so
    name few.
    """
    with state.session(signs=True, sends=True) as session:
        trusted = [resolve_address(session, requester) for requester in requesters]
        echo(deploy_record_gate(session, trusted, least=least, records=count))


@gate.command()
@click.argument("address", type=ACCOUNT, metavar="GATE")
@click.argument("bounty", type=BOUNTY)
@click.argument("signer", type=ACCOUNT)
def register(state: State, address: str, bounty: int, signer: str) -> None:
    """Show the record gate GATE what SIGNER earned in BOUNTY; anyone may.

    SIGNER is the account that labeled, which gets in if that is enough. Keep one key for all
    bounties to have a record; that links them openly.
    """
    with state.session(signs=True, sends=True) as session:
        who = resolve_address(session, signer)
        worker = BountyClient(session).read(bounty).roster.worker_of(who)
        show(session, resolve_address(session, address), bounty, worker)
        info(f"{who} is registered for bounty {bounty}")
