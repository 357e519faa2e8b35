# SPDX-License-Identifier: Apache-2.0
"""What people write and the chain counts: addresses, amounts, durations."""

import re
from dataclasses import dataclass
from functools import lru_cache

from truthmark.errors import ConfigError
from truthmark.hashing import keccak256

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_DURATION = re.compile(r"([0-9]{1,12})\s*(s|min|m|h|d|)")
_SECONDS = {"s": 1, "": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_LONGEST = 100 * 365 * 86_400


@lru_cache(maxsize=4_096)  # a page of the app asks for the same ones hundreds of times
def to_checksum_address(address: str) -> str:
    """Return an address with the capitals of ERC-55.

    Raises:
        ConfigError: It is not an address, or its capitals are those of another one.
    """
    if not _ADDRESS.fullmatch(address):
        raise ConfigError(f"{address!r} is not an address; write 0x and 40 hexadecimal digits")
    digits = address[2:].lower()
    marks = keccak256(digits.encode()).hex()
    cased = "".join(
        digit.upper() if int(mark, 16) >= 8 else digit
        for digit, mark in zip(digits, marks, strict=False)
    )
    if address[2:] not in (cased, digits, digits.upper()):
        raise ConfigError(f"{address} is mistyped: its capitals do not fit; copy it again")
    return "0x" + cased


def parse_units(number: str, decimals: int) -> int:
    """Turn a decimal number into base units, exactly.

    Raises:
        ConfigError: It has more places than the token, or does not fit 256 bits.
    """
    whole, _, places = number.partition(".")
    if len(whole) > 78:
        raise ConfigError("this number is more than any token can hold; write a smaller one")
    if len(places.rstrip("0")) > decimals:
        shorter = f"{whole}.{places[:decimals]}" if decimals else whole
        raise ConfigError(
            f"{number[:100]} has more than the token's {decimals} decimal places; write "
            f"{shorter} or another number"
        )
    units = int(whole + places[:decimals].ljust(decimals, "0"))
    if units >= 2**256:
        raise ConfigError(f"{number} is more than any token can hold; write a smaller one")
    return units


def format_units(units: int, decimals: int) -> str:
    """Turn base units into the shortest decimal number that says the same."""
    sign = "-" if units < 0 else ""
    whole, rest = divmod(abs(units), 10**decimals)
    places = str(rest).rjust(decimals, "0").rstrip("0") if rest else ""
    return f"{sign}{whole}.{places}" if places else f"{sign}{whole}"


def about(units: int) -> int:
    """Return an amount that is only estimated: three digits say it as well as it is known.

    >>> about(597_705_183_246_800)
    598000000000000
    """
    return round(units, 3 - len(str(units)))


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of a token's base units; as text it is what people read, such as `25.5 USDC`.

    Attributes:
        units: In the token's smallest unit.
        token: Its address; empty for what gas is paid in.
        symbol: None where the profile does not list the token.
        decimals: Of the token; 0 where it is not known.
    """

    units: int
    token: str
    symbol: str | None
    decimals: int = 0

    def __str__(self) -> str:
        """Write it in token units, or say that the token is unknown."""
        if self.symbol is None:
            return f"{self.units} base units of unknown token {to_checksum_address(self.token)}"
        return f"{format_units(self.units, self.decimals)} {self.symbol}"


def parse_duration(text: object) -> int:
    """Return the seconds of a duration that is written as `90d`, `12h`, `30min`, `20s` or `3600`.

    Raises:
        ConfigError: It is none, or longer than a hundred years.
    """
    match = _DURATION.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if not match:
        raise ConfigError(f"{text!r} is not a duration; write 90d, 12h, 30min or 3600")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= _LONGEST:
        raise ConfigError(f"{text!r} is out of range; write 1s to 36500d")
    return seconds
