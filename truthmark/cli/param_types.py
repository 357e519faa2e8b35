# SPDX-License-Identifier: Apache-2.0
"""Types of arguments: what can be known to be wrong is refused before anything is asked or sent.

What depends on the chain is checked by the commands; these look at the chain profile at most.
"""

import re
from collections.abc import Sequence
from typing import Any

import click

from truthmark.cli.command import State
from truthmark.config.profile import ChainProfile
from truthmark.config.units import parse_duration, to_checksum_address
from truthmark.errors import ConfigError, did_you_mean
from truthmark.keys.accounts import Wallet
from truthmark.market.names import local_name


class Duration(click.ParamType):
    """Seconds, written as `90d`, `12h`, `30min`, `20s` or `3600`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(str(value))
        except ConfigError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()


class Choice(click.Choice):
    """One of a few words; a mistyped one is told what was meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word."""
        if value in self.choices:
            return value
        hint = did_you_mean(str(value), self.choices)
        known = ", ".join(map(str, self.choices))
        raise click.BadParameter(f"{value!r} is none of {known}{hint}", ctx, param)


class Amount(click.ParamType):
    """An amount such as "25 TUSD", which is passed on as it was written.

    Args:
        zero: What to say of zero where that makes no sense.
    """

    name = "amount"

    def __init__(self, zero: str | None = None) -> None:
        """Allow zero if nothing is to be said of it."""
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text.

        Raises:
            ConfigError: It is not an amount in a token of the profile.
        """
        _, units = _profile(ctx).parse_amount(str(value))
        if not units and self._zero is not None:
            raise ConfigError(f"{value} is nothing; {self._zero}")
        return str(value)


class Units(Amount):
    """The same, or base units as a bare number, of a token that the profile does not list."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text.

        Raises:
            ConfigError: It is neither.
        """
        text = str(value)
        if not (text.isascii() and text.isdecimal()):
            return super().convert(value, param, ctx)
        if not int(text) and self._zero is not None:
            raise ConfigError(f"{value} is nothing; {self._zero}")
        return text


class DatasetName(click.ParamType):
    """The name of a data set, which is passed on as it was written."""

    name = "dataset"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text.

        Raises:
            ConfigError: It is no such name, or that of another market.
        """
        local_name(str(value), _profile(ctx))
        return str(value)


class BountyNumber(click.ParamType):
    """The number of a bounty."""

    name = "bounty"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        text = str(value)
        if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**63):
            self.fail(f"{text!r} is no bounty's number; write one such as 12", param, ctx)
        return int(text)


class Token(click.ParamType):
    """The symbol of a token of the profile, or any address, which is passed on as written."""

    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text.

        Raises:
            ConfigError: It is neither.
        """
        text = str(value)
        if text.lower().startswith("0x"):
            to_checksum_address(text)
        else:
            _profile(ctx).token(text)
        return text


class AccountName(click.ParamType):
    """An account of this home or an address, which is passed on as written."""

    name = "account"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text.

        Raises:
            ConfigError: It is neither.
        """
        known_account(_state(ctx), str(value))
        return str(value)


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


class Percent(click.ParamType):
    """A part of a price, such as "2.5%", in hundredths of a percent."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return hundredths of a percent.

        Raises:
            ConfigError: It is no such part.
        """
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,3})(?:\.(\d{1,2}))?\s*%", str(value).strip(), re.ASCII)
        if match is None:
            raise ConfigError(
                f"{value!r} is no part of a price; write it with a percent sign, such as 5% or 2.5%"
            )
        return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


class Windows(click.ParamType):
    """The name of windows that the profile has."""

    name = "windows"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name.

        Raises:
            ConfigError: There are none of that name.
        """
        profile = _profile(ctx)
        if value not in profile.windows:
            raise ConfigError(
                f"there are no windows {value!r} on {profile.name}, only "
                f"{', '.join(profile.windows)}{did_you_mean(str(value), profile.windows)}"
            )
        return str(value)


def _state(ctx: click.Context | None) -> State:
    assert ctx is not None  # arguments are converted for a command
    return ctx.ensure_object(State)


def _profile(ctx: click.Context | None) -> ChainProfile:
    return _state(ctx).profile


AMOUNT = Amount()
UNITS = Units("without --amount all of it is paid out")
BOUNTY = BountyNumber()
DATASET = DatasetName()
TOKEN = Token()
ACCOUNT = AccountName()
PERCENT = Percent()
WINDOWS = Windows()
