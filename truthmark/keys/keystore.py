# SPDX-License-Identifier: Apache-2.0
"""Web3 Secret Storage files, version 3, as any wallet writes them.

Writers differ in capitals (`Crypto`), in the address (with 0x, without, or none at all) and in how
much work the passphrase is. What would take more memory or time than any wallet asks for is
refused before it is tried.
"""

import json
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from truthmark.config.units import to_checksum_address
from truthmark.errors import ConfigError, KeysError, PassphraseError
from truthmark.keys.curve import N
from truthmark.keys.files import read_limited

_MAX_FILE_BYTES: Final = 64 * 1024
_MAX_SCRYPT_BYTES: Final = 2**30
"""Of memory, which is 128 * n * r: four times what go-ethereum asks for."""
_MAX_SCRYPT_WORK: Final = 2**24
"""n * r * p: eight times what go-ethereum asks for."""
_MAX_ITERATIONS: Final = 10**7
"""Of PBKDF2: ten times what eth-account asks for, a few seconds."""


@dataclass(frozen=True, slots=True)
class Keystore:
    """A keystore file whose parameters were checked; its passphrase is not known yet."""

    path: Path
    address: str | None
    """checksummed; None where the file does not say it"""
    content: dict[str, Any] = field(repr=False)

    def open(self, passphrase: str) -> bytes:
        """Return the private key, 32 bytes.

        Raises:
            PassphraseError: The passphrase is not the one.
            KeysError: What the file holds is not a key, or the key of another address.
        """
        # Some wallets normalise what people type before they use it.
        tried = dict.fromkeys((passphrase, unicodedata.normalize("NFKC", passphrase)))
        for text in tried:
            private_key = self._decrypt(text)
            if private_key is not None:
                return private_key
        raise PassphraseError(f"this passphrase does not open {self.path}; try again")

    def _decrypt(self, passphrase: str) -> bytes | None:
        from eth_account import Account

        try:
            private_key = bytes(Account.decrypt(self.content, passphrase)).rjust(32, b"\0")
        except ValueError as error:
            if "MAC" in str(error):
                return None
            raise KeysError(f"{self.path} is damaged; restore a copy") from error
        except (KeyError, TypeError, NotImplementedError, MemoryError) as error:
            raise KeysError(f"{self.path} is damaged; restore a copy") from error
        if not 0 < int.from_bytes(private_key, "big") < N:
            raise KeysError(f"{self.path} holds no key of an account; restore a copy")
        if self.address not in (None, Account.from_key(private_key).address):
            raise KeysError(f"{self.path} names another address than its key's; restore a copy")
        return private_key


def read_keystore(path: Path) -> Keystore:
    """Read a keystore file and check all of it that needs no passphrase.

    Raises:
        FileNotFoundError: There is no such file.
        KeysError: It is not a keystore file of version 3, is damaged, or asks for too much work.
    """
    data = read_limited(path, _MAX_FILE_BYTES)
    try:
        found = _lower(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise KeysError(f"{path} is not a keystore file; name another, or move it away") from error
    if not isinstance(found, dict) or not isinstance(found.get("crypto"), dict):
        raise KeysError(f"{path} is not a keystore file; name another, or move it away")
    if found.get("version") != 3:
        raise KeysError(f"{path} is a keystore of another version than 3; export the key again")
    try:
        _check(found["crypto"])
        address = _address(found.get("address"))
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise KeysError(f"{path} cannot be used ({reason}); restore a copy") from error
    return Keystore(path, address, found)


def _lower(value: Any) -> Any:
    """Return JSON with all keys in lower case, as writers differ in that."""
    if not isinstance(value, dict):
        return value
    lowered = {str(name).lower(): _lower(entry) for name, entry in value.items()}
    if len(lowered) < len(value):
        raise ValueError("a name stands there twice")
    return lowered


def _address(value: object) -> str | None:
    if value in (None, ""):
        return None
    digits = str(value).lower().removeprefix("0x")
    return to_checksum_address("0x" + digits)


def _check(crypto: dict[str, Any]) -> None:
    """Check cipher and derivation.

    Raises:
        KeyError: Something is missing.
        TypeError, ValueError: Something will not do.
    """
    # The cipher is not authenticated: under another one the wrong key would come out.
    if crypto["cipher"] != "aes-128-ctr":
        raise ValueError("it is encrypted in another way than aes-128-ctr")
    # A number: eth-keyfile writes it without zeros in front.
    _hex(crypto["cipherparams"]["iv"], "iv", range(8, 17))
    _hex(crypto["ciphertext"], "ciphertext", range(1, 33))
    _hex(crypto["mac"], "mac", range(32, 33))
    how = crypto["kdfparams"]
    _hex(how["salt"], "salt", range(0, 1_025))
    _number(how["dklen"], "dklen", 32, 64)
    if crypto["kdf"] == "scrypt":
        n, r, p = (_number(how[name], name, 1, 2**30) for name in ("n", "r", "p"))
        if n < 2 or n & (n - 1):
            raise ValueError("n is no power of two")
        if 128 * n * r > _MAX_SCRYPT_BYTES or n * r * p > _MAX_SCRYPT_WORK:
            raise ValueError("it asks for more work than any wallet does")
    elif crypto["kdf"] == "pbkdf2":
        if how["prf"] != "hmac-sha256":
            raise ValueError("its prf is another one than hmac-sha256")
        _number(how["c"], "c", 1, _MAX_ITERATIONS)
    else:
        raise ValueError("its kdf is neither scrypt nor pbkdf2")


def _number(value: object, name: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is not a number from {low} to {high}")
    return value


def _hex(value: object, name: str, sizes: range) -> None:
    try:
        size = len(bytes.fromhex(str(value).lower().removeprefix("0x")))
    except ValueError:
        size = -1
    if not isinstance(value, str) or size not in sizes:
        raise ValueError(f"{name} is not what it should be")
