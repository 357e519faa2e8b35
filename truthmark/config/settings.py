# SPDX-License-Identifier: Apache-2.0
"""Settings: who and where I am.

From `config.toml` in the home folder, with environment variables `TRUTHMARK_*` above it.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from truthmark.config.files import read_toml, write_atomically
from truthmark.config.profile import ChainProfile, home_folder, load_profile
from truthmark.errors import ConfigError, did_you_mean

_FILE_NAME = "config.toml"
DEVNET_PASSPHRASE = "devnet"  # noqa: S105
"""Of all keystore files of a devnet, whose keys everybody knows anyway."""


@dataclass(frozen=True)
class Settings:
    """What one person or machine has chosen; see `load_settings`.

    Attributes:
        home: Folder of everything kept: profiles, keystore, journal, index, blocks.
        profile: Name of the chain profile in use.
        rpc: Endpoints to use instead of the profile's.
        storage: Storages in the order they are asked, such as "local" or a Kubo address.
        account: Name or address of the keystore file that signs.
        keystore: Folder of keystore files; name `~/.ape/accounts` here to share Ape's.
        confirmations: Instead of the profile's.
        index_url: Of SQLite or PostgreSQL; a SQLite file in the home folder if not given.
        rpc_timeout: Seconds to wait for one answer of an endpoint.
        max_gas_price_gwei: Never offer more for a unit of gas, whatever an endpoint advises.
        private_hosts: IP addresses, or networks such as 192.168.1.0/24, of one's own, which may be
            asked where a stranger's document or offer names them.
        named: Which of these were chosen, and not left at their defaults.
    """

    home: Path
    profile: str = "devnet"
    rpc: tuple[str, ...] = ()
    storage: tuple[str, ...] = ("local",)
    account: str | None = None
    keystore: Path = Path("accounts")
    confirmations: int | None = None
    index_url: str | None = None
    rpc_timeout: float = 20.0
    max_gas_price_gwei: float = 200.0
    private_hosts: tuple[str, ...] = ()
    named: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    def __post_init__(self) -> None:
        """Place a relative keystore folder in the home folder."""
        object.__setattr__(self, "home", self.home.expanduser())
        object.__setattr__(self, "keystore", self.home / self.keystore.expanduser())

    def chain_profile(self) -> ChainProfile:
        """Return the chosen profile, with these settings' endpoints and confirmations.

        Raises:
            ConfigError: There is no such profile, or its file cannot be used.
        """
        profile = load_profile(self.profile, self.home)
        if self.rpc:
            profile = replace(profile, rpc=self.rpc)
        if self.confirmations is not None:
            profile = replace(profile, confirmations=self.confirmations)
        return profile


def load_settings(home: Path | None = None, **overrides: object) -> Settings:
    """Read the settings: arguments, then `TRUTHMARK_*`, then `config.toml`, then defaults.

    Args:
        home: The home folder; `home_folder()` if not given.
        overrides: Settings by name; None means not given.

    Raises:
        ConfigError: A setting is unknown or cannot be used.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    unknown = set(given) - set(_READERS)
    if unknown:
        raise ConfigError(f"there is no setting {min(unknown)!r}")
    folder = (home or home_folder()).expanduser().absolute()
    file = folder / _FILE_NAME
    kept = read_toml(file)
    if unknown := set(kept) - set(_READERS):
        hint = did_you_mean(min(unknown), _READERS)
        raise ConfigError(f"setting {min(unknown)}: there is none of that name in {file}{hint}")
    named = {name: os.environ.get(f"TRUTHMARK_{name.upper()}") for name in _READERS}
    chosen = {**kept, **{k: v for k, v in named.items() if v is not None}, **given}
    values: dict[str, Any] = {}
    for name, value in chosen.items():
        kind, read = _READERS[name]
        try:
            values[name] = read(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"setting {name}: {value!r} is not {kind}; correct {file} or "
                f"TRUTHMARK_{name.upper()}"
            ) from error
    return Settings(home=folder, named=frozenset(values), **values)


def save_settings(home: Path, chosen: Mapping[str, object]) -> None:
    """Put settings into a home's `config.toml`, and leave the others there alone.

    Raises:
        ConfigError: The file there cannot be read, or a setting cannot be written.
    """
    path = home / _FILE_NAME
    merged = {**read_toml(path), **chosen}
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, b"".join(_toml_line(*setting) for setting in merged.items()))


def _toml_line(name: str, value: object) -> bytes:
    """Write a setting as TOML.

    JSON's texts, numbers and lists of texts are TOML's too, but it knows no surrogate pairs as
    escapes, and wants one for DEL.

    Raises:
        ConfigError: The value holds what is not a text, as a path may.
    """
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    try:
        return f"{name} = {text}\n".encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"setting {name} holds bytes that are no UTF-8; choose another path or name"
        ) from error


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _read_path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_read_text(value))


def _read_texts(value: object) -> tuple[str, ...]:
    """Environment variables list several, separated by commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, (list, tuple)):
        raise TypeError
    return tuple(map(_read_text, value))


def _read_networks(value: object) -> tuple[str, ...]:
    texts = _read_texts(value)
    if texts:
        import ipaddress  # not in every command

        for text in texts:
            ipaddress.ip_network(text, strict=False)
    return texts


def _read_whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError
    return int(value)


def _read_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


# Each setting with what it is and what reads it. Done by hand: loading pydantic would take a fifth
# of a short command's time.
_READERS: Mapping[str, tuple[str, Callable[[object], Any]]] = MappingProxyType(
    {
        "profile": ("a text", _read_text),
        "rpc": ("a list of addresses", _read_texts),
        "storage": ("a list of storages", _read_texts),
        "account": ("a text", _read_text),
        "keystore": ("a folder", _read_path),
        "confirmations": ("a whole number", _read_whole),
        "index_url": ("a text", _read_text),
        "rpc_timeout": ("a number", _read_number),
        "max_gas_price_gwei": ("a number", _read_number),
        "private_hosts": ("a list of IP addresses and networks", _read_networks),
    }
)
