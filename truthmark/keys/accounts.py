# SPDX-License-Identifier: Apache-2.0
"""Accounts: keystore files in a folder, as Ape keeps them, and other sources of keys.

A private key is never taken from a command line, where other users and the shell's history see it.
"""

import contextlib
import importlib
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from truthmark.errors import KeysError, PassphraseError, did_you_mean
from truthmark.keys.curve import N
from truthmark.keys.files import write_new
from truthmark.keys.keystore import Keystore, read_keystore

_ALIAS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEX: Final = re.compile(r"(0x)?[0-9a-fA-F]{40,}")
_MAX_LINE: Final = 1024
SCRYPT_WORK: Final = 2**18
"""scrypt's N, as Ape and go-ethereum write it: about a second and 256 MiB."""
SOURCES: Final = "an account's name, env:NAME, stdin, or keyring:NAME"


@dataclass(frozen=True, slots=True)
class Account:
    """A keystore file, seen from outside."""

    alias: str
    address: str | None
    """checksummed; None where the file does not say it, so that only its passphrase tells"""
    path: Path


def default_folder() -> Path:
    """Return Ape's accounts folder: `~/.ape/accounts`, or below `APE_DATA_FOLDER` where set."""
    data = os.environ.get("APE_DATA_FOLDER")
    return (Path(data) if data else Path.home() / ".ape") / "accounts"


class Wallet:
    """The accounts of one folder.

    Args:
        folder: Where the keystore files are; Ape's accounts folder when None.
        work: scrypt's N for files written from now on; a power of two. Less than the default is
            for keys that protect nothing, as on a development chain.
    """

    def __init__(self, folder: Path | None = None, *, work: int = SCRYPT_WORK) -> None:
        """Look at a folder, which need not exist yet."""
        self.folder = default_folder() if folder is None else folder
        self._work = work

    def accounts(self) -> list[Account]:
        """Return the accounts by name; files that cannot be used are passed over, see `broken`."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            with contextlib.suppress(KeysError, FileNotFoundError):
                found.append(Account(path.stem, read_keystore(path).address, path))
        return found

    def broken(self) -> list[str]:
        """Return a line for each file of the folder that is there as an account, but is none."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                read_keystore(path)
            except KeysError as error:
                found.append(str(error))
            except FileNotFoundError:
                continue  # somebody took it away meanwhile
        return found

    def account(self, alias: str) -> Account:
        """Return one account.

        Raises:
            KeysError: There is none of this name, or its file is not a keystore.
        """
        return Account(alias, self._keystore(alias).address, self._path(alias))

    def require(self, source: str) -> None:
        """Check that there is an account of this name, and that it is not a key.

        Raises:
            KeysError: There is none, or it looks like a key, which is not repeated.
        """
        if re.fullmatch(r"0x[0-9a-fA-F]{40}", source):
            raise KeysError(
                f"no account here has the address {source}; see `truthmark wallet list`"
            )
        _refuse_key(source)
        self._keystore(source)

    def new(self, alias: str, passphrase: str) -> Account:
        """Create an account with a fresh random key.

        Raises:
            KeysError: The name is taken or unusable, the passphrase is empty, or the file cannot
                be written.
        """
        from coincurve import PrivateKey

        return self.add(alias, PrivateKey().secret, passphrase)

    def add(self, alias: str, private_key: bytes, passphrase: str) -> Account:
        """Import an account.

        Args:
            alias: The name, as of a file.
            private_key: 32 bytes; see `parse_private_key`.
            passphrase: Encrypts the file; anything but nothing.

        Raises:
            KeysError: As for `new`, or the key is out of range.
        """
        from eth_account import Account as EthAccount

        path = self._path(alias)
        _require_private_key(private_key)
        if not passphrase:
            raise KeysError("an empty passphrase protects nothing; choose one")
        if path.exists():
            raise KeysError(f"an account {alias} exists; choose another name")
        keystore = EthAccount.encrypt(private_key, passphrase, kdf="scrypt", iterations=self._work)
        try:
            write_new(path, json.dumps(keystore).encode())
        except FileExistsError as error:
            raise KeysError(f"an account {alias} exists; choose another name") from error
        return self.account(alias)

    def load(self, alias: str, passphrase: str) -> bytes:
        """Return the private key of an account, 32 bytes.

        Raises:
            PassphraseError: The passphrase is not the one.
            KeysError: There is no such account, or its file is not a keystore.
        """
        try:
            return self._keystore(alias).open(passphrase)
        except PassphraseError as error:
            raise PassphraseError(
                f"this is not the passphrase of account {alias}; try again"
            ) from error

    def _path(self, alias: str) -> Path:
        # Long hex is refused as Ape does: it is most likely a key in the wrong place.
        if not _ALIAS.fullmatch(alias) or _HEX.fullmatch(alias):
            raise KeysError(
                "this is not an account name; use letters, digits, dot, dash, underscore"
            )
        return self.folder / f"{alias}.json"

    def _keystore(self, alias: str) -> Keystore:
        try:
            return read_keystore(self._path(alias))
        except FileNotFoundError as error:
            known = [account.alias for account in self.accounts()]
            hint = did_you_mean(alias, known) or "; see `truthmark wallet list`"
            raise KeysError(f"there is no account {alias} in {self.folder}{hint}") from error


def parse_private_key(text: str) -> bytes:
    """Return the 32 bytes of a private key in hex, with or without `0x`.

    Raises:
        KeysError: It is none; the message does not repeat it.
    """
    digits = text.strip()
    if digits[:2] in ("0x", "0X"):
        digits = digits[2:]
    try:
        private_key = bytes.fromhex(digits)
    except ValueError:
        private_key = b""
    _require_private_key(private_key)
    return private_key


def private_key_from(source: str, wallet: Wallet, ask_passphrase: Callable[[str], str]) -> bytes:
    """Return a private key from where the user said it is.

    Args:
        source: An account's name in `wallet`; `env:NAME` for an environment variable; `stdin` for
            the first line of standard input; `keyring:NAME` for the secret of service `truthmark`
            and user NAME in the system's keyring (needs the package `keyring`).
        wallet: Where named accounts are.
        ask_passphrase: Called with the account's name for the passphrase of a named account.

    Raises:
        KeysError: There is no key there, or `source` looks like a key itself.
    """
    _refuse_key(source)
    kind, _, name = source.partition(":")
    if kind == "env" and name:
        value = os.environ.get(name)
        if not value:
            raise KeysError(f"the environment has no {name}; export it first")
        return parse_private_key(value)
    if source == "stdin":
        return parse_private_key(sys.stdin.readline(_MAX_LINE))
    if kind == "keyring" and name:
        return parse_private_key(_from_keyring(name))
    return wallet.load(source, ask_passphrase(source))


def _refuse_key(source: str) -> None:
    if _HEX.fullmatch(source):
        raise KeysError(f"never put a key on a command line; name its place: {SOURCES}")


def _from_keyring(name: str) -> str:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError as error:
        raise KeysError(
            "keyrings need a package; run pip install keyring, or use another place"
        ) from error
    value = keyring.get_password("truthmark", name)
    if not value:
        raise KeysError(f"the keyring has no {name}; run keyring set truthmark {name}")
    return str(value)


def _require_private_key(private_key: bytes) -> None:
    if len(private_key) != 32 or not 0 < int.from_bytes(private_key, "big") < N:
        raise KeysError("this is not a private key; it must be 64 hex digits")
