# SPDX-License-Identifier: Apache-2.0
"""`truthmark wallet`: accounts, and the backup of everything secret."""

import getpass
import sys
from pathlib import Path
from typing import Any

import click

from truthmark.cli.command import State, ask_hidden, group, json_option
from truthmark.cli.output import echo, echo_json, info, table
from truthmark.cli.param_types import NEW_FILE
from truthmark.config.settings import save_settings
from truthmark.errors import ConfigError, KeysError, PassphraseError
from truthmark.keys.accounts import (
    SCRYPT_WORK,
    SOURCES,
    Account,
    Wallet,
    parse_private_key,
    private_key_from,
)
from truthmark.keys.backups import write_backup
from truthmark.keys.keystore import Keystore, read_keystore
from truthmark.keys.purchase import read_recovery
from truthmark.keys.vault import Vault
from truthmark.text import plural


@group()
def wallet() -> None:
    """Accounts, and backups of all secrets.

    Accounts are keystore files as Ape and other Ethereum tools write them.
    """


@wallet.command()
@click.argument("name")
@json_option
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
    help="A keystore file, or where the bare key is: env:NAME, stdin or keyring:NAME; without "
    "it, you are asked for the key.",
)
@json_option
def import_key(state: State, name: str, source: str | None, as_json: bool) -> None:
    """Copy a keystore file or a private key into this home.

    A keystore file (version 3, of geth, Foundry, MetaMask, Ape …) keeps its passphrase, which is
    asked for. A key is never written on a command line.
    """
    kept = _wallet(state)
    if source is None:
        if not sys.stdin.isatty():
            raise ConfigError(
                "say where the key is with --from FILE, env:NAME, stdin or keyring:NAME"
            )
        key = parse_private_key(getpass.getpass("private key (not shown): "))
    elif source == "stdin" or source.startswith(("env:", "keyring:")):
        key = private_key_from(source, kept, state.passphrase)
    elif Path(source).expanduser().is_file():
        key, passphrase = _open_keystore(state, read_keystore(Path(source).expanduser()))
        _made(state, kept.add(name, key, passphrase), as_json)
        return
    else:
        # Does not repeat it, as it may be a key.
        raise KeysError(
            f"there is no such file, and never put a key on a command line; name a file, or its "
            f"place: {SOURCES}"
        )
    _made(state, kept.add(name, key, state.new_passphrase(f"account {name}")), as_json)


def _open_keystore(state: State, keystore: Keystore) -> tuple[bytes, str]:
    """Return the key of a keystore file and the passphrase that opened it."""
    what = f"keystore file {keystore.path}"
    passphrase = state.passphrase(what)
    try:
        return keystore.open(passphrase), passphrase
    except PassphraseError:
        # It may have been that of this home's own accounts; a person knows the file's.
        if not sys.stdin.isatty():
            raise
    passphrase = ask_hidden(f"passphrase of {what}")
    return keystore.open(passphrase), passphrase


@wallet.command("list")
@json_option
def list_accounts(state: State, as_json: bool) -> None:
    """List the accounts; the one marked with * signs."""
    chosen = state.settings.account
    kept = _wallet(state)
    accounts = kept.accounts()
    for line in kept.broken():
        info(f"left out: {line}")
    if as_json:
        echo_json([_as_json(account, _is_chosen(account, chosen)) for account in accounts])
        return
    if not accounts:
        info("there are no accounts; make one with `truthmark wallet new NAME`")
        return
    table(
        [
            (
                "*" if _is_chosen(a, chosen) else "",
                a.alias,
                a.address or "unknown until it is opened",
            )
            for a in accounts
        ],
        ("", "name", "address"),
    )
    info(f"their files are in {kept.folder}")


@wallet.command()
@click.argument("name", required=False)
def address(state: State, name: str | None) -> None:
    """Print the address of the account NAME, or of the one that signs."""
    with state.session() as session:
        named = None if name is None else session.wallet.account(name)
        echo(session.address if named is None else session.address_of(named))


@wallet.command()
@click.argument("file", type=NEW_FILE)
def backup(state: State, file: Path) -> None:
    """Write all secrets into one encrypted FILE.

    That is the keys of what you sell, the keys of what you bought, and shares kept for others.
    Without the keys of what you sell, no one can deliver it any more. The account's own file is not
    in it: copy that too.
    """
    settings = state.settings
    count = write_backup(settings.home, file, state.new_passphrase)
    info(f"{plural(count, 'secret')} saved in {file}; keep it off this machine")
    info("keep its passphrase elsewhere: without it the backup is worth nothing")
    info(f"the accounts themselves are in {settings.keystore}; copy these files too")


@wallet.command()
@click.argument("file", type=NEW_FILE)
def restore(state: State, file: Path) -> None:
    """Put the secrets of a backup or recovery file into this home."""
    vault = Vault(state.settings.home / "vault")
    try:
        is_recovery = file.read_bytes()[:1] == b"{"
    except OSError as error:
        raise KeysError(
            f"{file} cannot be read ({error.strerror}); name the backup you made"
        ) from error
    if is_recovery:
        vault.put_purchase_key(read_recovery(file))
        info("the key of one purchase is in the vault now; `truthmark get` opens it")
        return
    count = vault.restore(file, state.passphrase(f"backup {file}"))
    info(f"{plural(count, 'secret')} restored")


def _as_json(account: Account, is_chosen: bool) -> dict[str, Any]:
    return {
        "name": account.alias,
        "address": account.address,
        "file": str(account.path),
        "is_chosen": is_chosen,
    }


def _is_chosen(account: Account, chosen: str | None) -> bool:
    return chosen is not None and chosen in (account.alias, account.address)


def _wallet(state: State) -> Wallet:
    # On a development chain everybody knows the keys, so nothing is gained by slow files.
    return Wallet(state.settings.keystore, work=2 if state.is_devnet else SCRYPT_WORK)


def _made(state: State, account: Account, as_json: bool) -> None:
    """Choose the account if none is chosen yet, and tell."""
    assert account.address is not None  # files that we write say it
    is_chosen = state.settings.account is None
    if is_chosen:
        save_settings(state.settings.home, {"account": account.alias})
    if as_json:
        echo_json(_as_json(account, is_chosen))
        return
    echo(account.address)
    info(f"account {account.alias} is in {account.path}; copy that file to a safe place")
    if is_chosen:
        info("it signs from now on")
    if state.is_devnet:
        info("this is a development chain: never send real money to the account")
