# SPDX-License-Identifier: Apache-2.0
"""Types of arguments: what can be known to be wrong is refused before anything is asked or sent.

What depends on the chain is checked by the commands; these look at the chain profile at most.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from truthmark.cli.command import State
from truthmark.config.units import parse_duration, to_checksum_address
from truthmark.errors import ConfigError, did_you_mean
from truthmark.keys.accounts import Wallet
from truthmark.market.names import local_name

_SIZES: Final[dict[str, int]] = {"": 1} | {
    f"{letter}{way}b": base**power
    for power, letter in enumerate("kmgt", 1)
    for way, base in (("", 1_000), ("i", 1_024))
}


class Place(click.Path):
    """A file or folder; `~/` is the home folder where the shell left it, as in quotes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        is_home = isinstance(value, str) and value.startswith("~/")
        return super().convert(Path.home() / value[2:] if is_home else value, param, ctx)


SOURCE = Place(exists=True, path_type=Path)
"""A file or folder that is read."""
FILE = Place(exists=True, dir_okay=False, path_type=Path)
"""A file that is read."""
NEW_FILE = Place(dir_okay=False, path_type=Path)
"""A file that may not be there yet."""
FOLDER = Place(file_okay=False, path_type=Path)
"""A folder that may not be there yet."""
PLACE = Place(path_type=Path)
"""A file or folder that may not be there yet."""


class Read(click.ParamType):
    """A text that is read when the command line is.

    Args:
        name: What it is.
        read: Returns what is passed on. Raises `ConfigError`, which is said as it is, or
            `click.BadParameter`, where the name of the option belongs before it.
    """

    def __init__(self, name: str, read: Callable[[str, State], Any]) -> None:
        """Take what reads it."""
        self.name, self._read = name, read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what was read; what is no text was read before."""
        if not isinstance(value, str):
            return value
        assert ctx is not None  # arguments are converted for a command
        return self._read(value, ctx.ensure_object(State))


def checked(name: str, check: Callable[[str, State], object]) -> Read:
    """Return the type of a text that is passed on as it was written, if it can be read."""

    def read(text: str, state: State) -> str:
        check(text, state)
        return text

    return Read(name, read)


class Choice(click.Choice):
    """One of a few words; a mistyped one is told what was meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word."""
        if value in self.choices:
            return value
        hint = did_you_mean(str(value), self.choices)
        known = ", ".join(map(str, self.choices))
        raise click.BadParameter(f"{value!r} is none of {known}{hint}", ctx, param)


def amount_type(zero: str | None = None, *, bare: bool = False) -> Read:
    """Return the type of an amount such as "25 TUSD".

    Args:
        zero: What to say of zero where that makes no sense.
        bare: Whether it may be base units as a bare number, of a token that the profile does not
            list.
    """

    def check(text: str, state: State) -> None:
        if bare and text.isascii() and text.isdecimal():
            units = int(text)
        else:
            _, units = state.profile.parse_amount(text)
        if not units and zero is not None:
            raise ConfigError(f"{text} is nothing; {zero}")

    return checked("amount", check)


def known_account(state: State, text: str, also: Sequence[str] = ()) -> str | None:
    """Return the address of an account of this home, or the one that is written.

    Args:
        state: Whose home.
        text: What was written.
        also: Other names that may stand there.

    Returns:
        None for one of `also`, and where the account's file does not say its address.

    Raises:
        ConfigError: It is neither.
    """
    known = {a.alias: a.address for a in Wallet(state.settings.keystore).accounts()}
    if text in known:
        return known[text]
    if text in also:
        return None
    if text.lower().startswith("0x"):
        return to_checksum_address(text)
    hint = did_you_mean(text, [*known, *also]) or "; write 0x and 40 digits"
    raise ConfigError(f"{text!r} is neither an account of this home nor an address{hint}")


def _read_duration(text: str, state: State) -> int:
    try:
        return parse_duration(text)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


def _read_size(text: str, state: State) -> int:
    found = text.strip().lower()
    unit = found.lstrip("0123456789")
    digits = found.removesuffix(unit)
    if not digits or unit.strip() not in _SIZES or len(digits) > 18:
        raise click.BadParameter(f"{text!r} is not a size; write 10GiB, 500MB or 1000000")
    return int(digits) * _SIZES[unit.strip()]


def _read_bounty(text: str, state: State) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**63):
        raise click.BadParameter(f"{text!r} is no bounty's number; write one such as 12")
    return int(text)


def _read_percent(text: str, state: State) -> int:
    match = re.fullmatch(r"(\d{1,3})(?:\.(\d{1,2}))?\s*%", text.strip(), re.ASCII)
    if match is None:
        raise ConfigError(
            f"{text!r} is no part of a price; write it with a percent sign, such as 5% or 2.5%"
        )
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def _check_token(text: str, state: State) -> None:
    if text.lower().startswith("0x"):
        to_checksum_address(text)
    else:
        state.profile.token(text)


def _check_windows(text: str, state: State) -> None:
    profile = state.profile
    if text not in profile.windows:
        raise ConfigError(
            f"there are no windows {text!r} on {profile.name}, only "
            f"{', '.join(profile.windows)}{did_you_mean(text, profile.windows)}"
        )


DURATION = Read("duration", _read_duration)
"""Seconds, written as `90d`, `12h`, `30min`, `20s` or `3600`."""
SIZE = Read("size", _read_size)
"""Bytes, written as `10GiB`, `500MB` or `1000000`."""
PERCENT = Read("percent", _read_percent)
"""Hundredths of a percent, written as `2.5%`."""
BOUNTY = Read("bounty", _read_bounty)
"""The number of a bounty."""
AMOUNT = amount_type()
UNITS = amount_type("without --amount all of it is paid out", bare=True)
DATASET = checked("dataset", lambda text, state: local_name(text, state.profile))
"""The name of a data set of this market."""
TOKEN = checked("token", _check_token)
"""The symbol of a token of the profile, or any address."""
ACCOUNT = checked("account", lambda text, state: known_account(state, text))
"""An account of this home, or an address."""
WINDOWS = checked("windows", _check_windows)
"""The name of windows that the profile has."""
