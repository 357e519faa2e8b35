# SPDX-License-Identifier: Apache-2.0
"""What a token is worth in what gas is paid in: nobody but the person can say."""

import re
from typing import Final

import click

from truthmark.config.profile import ChainProfile
from truthmark.config.units import parse_units
from truthmark.errors import ConfigError

_WORTH: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")

worth_option = click.option(
    "--worth",
    metavar="AMOUNT",
    help='What one token is worth in what gas is paid in, such as "0.0004 ETH"; to see whether'
    " fees cover gas.",
)


def read_worth(profile: ChainProfile, text: str | None, token: str) -> float | None:
    """Return what the smallest unit of a token is worth in wei.

    Raises:
        ConfigError: It is not an amount of what gas is paid in, or the token is not listed.
    """
    if text is None:
        return None
    native = profile.native_symbol
    match = _WORTH.fullmatch(text)
    if match is None or match.group(2).lower() != native.lower():
        raise ConfigError(f'{text!r} says no worth; write it like "0.0004 {native}"')
    wei = parse_units(match.group(1), 18)
    if not wei:
        raise ConfigError(f'{text!r} is worth nothing; write it like "0.0004 {native}"')
    decimals: int = profile.token(token).decimals
    return wei / float(10**decimals)
