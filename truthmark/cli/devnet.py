# SPDX-License-Identifier: Apache-2.0
"""`truthmark devnet`: a whole network on this machine."""

import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from truthmark.cli.command import State, group, json_option
from truthmark.cli.output import echo, echo_json, info, print_fields, progress_bar
from truthmark.cli.param_types import DURATION, FOLDER, known_account
from truthmark.config.units import parse_units
from truthmark.errors import ConfigError
from truthmark.text import format_time

_DEFAULT = Path("devnet")
_SOME = ("10 ETH", "1000 TUSD", "1000 TEUR", "1000 TMK")
_NATIVE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)")


@group()
def devnet() -> None:
    """A network on this machine, to try everything out."""


@devnet.command()
@click.argument("folder", type=FOLDER, default=_DEFAULT)
@click.option("--port", type=click.IntRange(1, 65_535), help="Where the chain listens.")
@click.option(
    "--block-time",
    type=click.IntRange(0, 3_600),
    default=1,
    show_default=True,
    help="Seconds between blocks; with 0, time stands still between transactions.",
)
@click.option(
    "--custodians",
    type=click.IntRange(0, 4),
    default=0,
    show_default=True,
    help="Nodes that keep keys for sellers.",
)
@click.option(
    "--seeded", is_flag=True, help="Fill it with sales and bounties in every state; a minute."
)
@json_option
def up(
    folder: Path,
    port: int | None,
    block_time: int,
    custodians: int,
    seeded: bool,
    as_json: bool,
) -> None:
    """Start the network of FOLDER, or make one there.

    FOLDER is `devnet` if left out. The network goes on running by itself. Each role has a home
    folder with a funded account; its passphrase is `devnet`.

    With --seeded it has listings, purchases, bounties, stake and earnings in every state, all made
    by the protocol, with days of its clock let pass; again on the same FOLDER adds nothing. A relay
    runs then, with which one can join.
    """
    # Not for a help: a network is made of everything there is.
    from truthmark.testing.network import ROLES, Devnet

    if seeded and not block_time:
        raise ConfigError("--seeded needs time to go on; leave --block-time 0 out")
    folder = folder.expanduser().absolute()
    net = Devnet.open(folder) if (folder / "devnet.json").exists() else None
    if net is None or not net.chain.is_running():
        with progress_bar("starting the network", "steps") as progress:
            net = Devnet.start(
                folder, port=port, block_time=block_time or None, detach=True, progress=progress
            )
    found = None
    if seeded:
        with progress_bar("seeding: sales, bounties, some days", "steps") as progress:
            found = net.seed(progress)
        if net.relay is None or not net.relay.is_running():
            net.start_relay(detach=True)
    if custodians and not net.custodians:
        info("starting custodians")
        net.start_custodians(custodians, detach=True)
    if as_json:
        homes = {role: str(net.home(role)) for role in ROLES}
        seeds = {} if found is None else {"seeded": asdict(found)}
        echo_json({"folder": str(folder), "url": net.chain.url, "homes": homes, **seeds})
        return
    info(f"the network runs at {net.chain.url}; act as one of its roles by one of these lines:")
    for role in ROLES:
        click.echo(f"export TRUTHMARK_HOME={shlex.quote(str(net.home(role)))}")  # to be copied
    if found is not None:
        for line in found.lines():
            info(line)


@devnet.command()
@click.argument("folder", type=FOLDER, required=False)
@click.option("--remove", is_flag=True, help="Delete the folder with everything in it.")
def down(state: State, folder: Path | None, remove: bool) -> None:
    """Stop the network; the next `up` continues where it stopped.

    FOLDER is that of the home folder in use if left out, or `devnet` if that is not a network's.
    """
    net = _find(state, folder)
    was = "stopped" if net.chain.is_running() else "it was not running"
    if remove:
        net.remove()
        info(f"{was}; {net.folder} is removed")
    else:
        net.stop()  # custodians may run although the chain does not
        info(f"{was}; `truthmark devnet up {shlex.quote(str(net.folder))}` goes on")


@devnet.command()
@click.argument("folder", type=FOLDER, required=False)
@json_option
def status(state: State, folder: Path | None, as_json: bool) -> None:
    """Show whether the network runs, and what time it is there.

    FOLDER is that of the home folder in use if left out, or `devnet` if that is not a network's.
    """
    net = _find(state, folder)
    now = net.status()
    if as_json:
        echo_json(
            {
                "folder": str(net.folder),
                "url": now.url,
                "is_running": now.is_running,
                "block": now.block,
                "time": now.time,
            }
        )
        return
    print_fields(
        [
            ("folder", net.folder),
            ("chain", f"{now.url}, {'running' if now.is_running else 'stopped'}"),
            ("block", now.block),
            ("time", format_time(now.time) if now.time is not None else None),
        ]
    )


@devnet.command()
@click.argument("time", type=DURATION)
@click.argument("folder", type=FOLDER, required=False)
def warp(state: State, time: int, folder: Path | None) -> None:
    """Let TIME pass at once on the local chain, such as 3600 or 1h.

    FOLDER is that of the home folder in use if left out, or `devnet` if that is not a network's.
    """
    net = _find(state, folder)
    _require_running(net)
    echo(f"it is now {format_time(net.warp(time))} there")


@devnet.command()
@click.argument("account")
@click.argument("folder", type=FOLDER, required=False)
@click.option(
    "--amount",
    "amounts",
    multiple=True,
    metavar="AMOUNT",
    help='Such as "500 TUSD" or "2 ETH"; may be repeated.  [default: some of each]',
)
@json_option
def fund(
    state: State, account: str, folder: Path | None, amounts: tuple[str, ...], as_json: bool
) -> None:
    """Give ACCOUNT gas and test tokens.

    ACCOUNT is an address, an account of this home, or a role such as buyer. FOLDER is that of the
    home folder in use if left out, or `devnet` if that is not a network's.
    """
    net = _find(state, folder)
    profile = net.profile
    address = _address(state, account)
    wei = 0
    tokens: dict[str, int] = {}
    for text in amounts or _SOME:
        native = _NATIVE.fullmatch(text.strip())
        if native and native[2].upper() == profile.native_symbol:
            wei += parse_units(native[1], 18)
            continue
        token, units = profile.parse_amount(text)
        tokens[token.address] = tokens.get(token.address, 0) + units
    if not wei and not any(tokens.values()):
        raise ConfigError('that is nothing; write how much, such as --amount "500 TUSD"')
    _require_running(net)
    net.fund(address, tokens, wei)
    given = [str(profile.native(wei))] if wei else []
    given += [str(profile.amount(units, token)) for token, units in tokens.items()]
    if as_json:
        echo_json({"account": address, "given": given})
        return
    echo(f"{address} was given {', '.join(given)}")


def _require_running(net: Any) -> None:
    if not net.chain.is_running():
        raise ConfigError(f"no devnet is running in {net.folder}; start it: `truthmark devnet up`")


def _address(state: State, account: str) -> str:
    from truthmark.testing.network import ROLES, role_address

    found = known_account(state, account, also=ROLES)
    if found is not None:
        return found
    if account in ROLES:
        return role_address(account)
    raise ConfigError(
        f"the file of account {account} does not say its address; `truthmark wallet address "
        f"{account}` does, write that instead"
    )


def _find(state: State, folder: Path | None) -> Any:
    """Return the devnet of a folder; or the one that the home folder belongs to, or `devnet`."""
    from truthmark.testing.network import Devnet

    if folder is None:
        above = state.settings.home.parent
        folder = above if (above / "devnet.json").is_file() else _DEFAULT
    return Devnet.open(folder)
