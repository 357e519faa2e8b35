# SPDX-License-Identifier: Apache-2.0
"""Amounts as a person reads them, where it is the most that something may cost."""

from decimal import ROUND_UP, Decimal

from truthmark.config.units import Amount

_PLACES = 4
_DIGITS = 3


def rounded_up(amount: Amount) -> str:
    """Return an amount with four digits behind the point, or three that tell; never less.

    >>> rounded_up(Amount(3_977_444, "", "TUSD", 6))
    '3.9775 TUSD'
    """
    if amount.symbol is None:
        return str(amount)
    value = Decimal(amount.units).scaleb(-amount.decimals)
    places = max(_PLACES, _DIGITS - 1 - value.adjusted()) if value else 0
    short = value.quantize(Decimal(1).scaleb(-min(places, amount.decimals)), rounding=ROUND_UP)
    text = f"{short:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {amount.symbol}"
