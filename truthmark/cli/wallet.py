# SPDX-License-Identifier: Apache-2.0
"""`truthmark wallet`: accounts, and the backup of everything secret."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from truthmark.cli.base import State, group, json_option
from truthmark.cli.output import out, out_json, plural, say, table
from truthmark.errors import ConfigError, KeysError

if TYPE_CHECKING:
    from truthmark.keys.wallet import Account, Wallet

_FILE = click.Path(dir_okay=False, path_type=Path)


@group()
def wallet() -> None:
    """Accounts, and backups of all secrets.

    Accounts are keystore files as Ape and other Ethereum tools write them.
    """


@wallet.command()
@click.argument("name")
@json_option
@click.pass_obj
def new(state: State, name: str, as_json: bool) -> None:
    """Make an account with a fresh key."""
    made = _wallet(state).new(name, state.new_passphrase(f"account {name}"))
    _made(state, made, as_json)


@wallet.command("import")
@click.argument("name")
@click.option(
    "--from",
    "source",
    metavar="PLACE",
    help="Where the key is: env:NAME, stdin or keyring:NAME; without it, you are asked.",
)
@json_option
@click.pass_obj
def import_key(state: State, name: str, source: str | None, as_json: bool) -> None:
    """Take over a private key; it is never written on a command line."""
    from truthmark.keys.wallet import SOURCES, parse_private_key, private_key_from

    kept = _wallet(state)
    if source is None:
        if not sys.stdin.isatty():
            raise ConfigError("say where the key is with --from env:NAME, stdin or keyring:NAME")
        from getpass import getpass

        key = parse_private_key(getpass("private key (not shown): "))
    elif source == "stdin" or ":" in source:
        key = private_key_from(source, kept, state.passphrase)
    else:
        raise KeysError(f"never put a key on a command line; name its place: {SOURCES}")
    _made(state, kept.add(name, key, state.new_passphrase(f"account {name}")), as_json)


@wallet.command("list")
@json_option
@click.pass_obj
def list_accounts(state: State, as_json: bool) -> None:
    """List the accounts; the one marked with * signs."""
    chosen = state.settings.account
    accounts = _wallet(state).accounts()
    if as_json:
        out_json(
            [
                {
                    "name": account.alias,
                    "address": account.address,
                    "file": str(account.path),
                    "is_chosen": chosen in (account.alias, account.address),
                }
                for account in accounts
            ]
        )
        return
    if not accounts:
        say("there are no accounts; make one with `truthmark wallet new NAME`")
        return
    table(
        [
            ("*" if chosen in (a.alias, a.address) else "", a.alias, a.address, a.path)
            for a in accounts
        ],
        ("", "name", "address", "file"),
    )


@wallet.command()
@click.argument("name", required=False)
@click.pass_obj
def address(state: State, name: str | None) -> None:
    """Print the address of the account NAME, or of the one that signs."""
    if name is not None:
        out(_wallet(state).account(name).address)
        return
    with state.session() as session:
        out(session.address)


@wallet.command()
@click.argument("file", type=_FILE)
@click.pass_obj
def backup(state: State, file: Path) -> None:
    """Write all secrets into one encrypted FILE.

    That is the keys of what you sell, the keys of what you bought, and shares kept for others.
    Without the keys of what you sell nobody can deliver it any more. The account's own file is not
    in it: copy that too.
    """
    from truthmark.cli.backups import write_backup

    settings = state.settings
    count = write_backup(state, settings.home, file)
    say(f"{plural(count, 'secret')} saved in {file}; keep it off this machine")
    say("keep its passphrase elsewhere: without it the backup is worth nothing")
    say(f"the accounts themselves are in {settings.keystore}; copy these files too")


@wallet.command()
@click.argument("file", type=_FILE)
@click.pass_obj
def restore(state: State, file: Path) -> None:
    """Take the secrets of a backup or recovery file into this home."""
    from truthmark.keys.purchase import read_recovery
    from truthmark.keys.vault import Vault

    vault = Vault(state.settings.home / "vault")
    try:
        is_recovery = file.read_bytes()[:1] == b"{"
    except OSError as error:
        raise KeysError(
            f"{file} cannot be read ({error.strerror}); name the backup you made"
        ) from error
    if is_recovery:
        vault.put_purchase_key(read_recovery(file))
        say("the key of one purchase is in the vault now; `truthmark get` opens it")
        return
    count = vault.restore(file, state.passphrase(f"backup {file}"))
    say(f"{plural(count, 'secret')} restored")


def _wallet(state: State) -> "Wallet":
    from truthmark.keys.wallet import SCRYPT_WORK, Wallet

    # On a development chain everybody knows the keys, so nothing is gained by slow files.
    return Wallet(state.settings.keystore, work=2 if state.is_devnet else SCRYPT_WORK)


def _made(state: State, account: "Account", as_json: bool) -> None:
    """Choose the account if none is chosen yet, and tell."""
    from truthmark.cli.setup import write_settings

    is_chosen = state.settings.account is None
    if is_chosen:
        write_settings(state.settings.home, {"account": account.alias})
    if as_json:
        out_json(
            {
                "name": account.alias,
                "address": account.address,
                "file": str(account.path),
                "is_chosen": is_chosen,
            }
        )
        return
    out(account.address)
    say(f"account {account.alias} is in {account.path}; copy that file to a safe place")
    if is_chosen:
        say("it signs from now on")
    if state.is_devnet:
        say("this is a development chain: never send real money to the account")
