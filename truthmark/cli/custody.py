# SPDX-License-Identifier: Apache-2.0
"""Who keeps the key of a data set, and for how much: what `list` and `renew` share."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from truthmark.cli.command import option_group, resolve_address
from truthmark.cli.output import ask, info
from truthmark.cli.param_types import AMOUNT, DURATION, amount_type
from truthmark.errors import ConfigError
from truthmark.market.choosing import CustodyWish
from truthmark.market.flows import listing
from truthmark.session import Session
from truthmark.text import format_duration, plural

custody_options = option_group(
    click.option(
        "--custodians",
        default="auto",
        show_default=True,
        metavar="auto|direct|ADDRESS,…",
        help="Who keeps the key: those whose offers fit best, you yourself, or these.",
    ),
    click.option(
        "--count",
        type=click.IntRange(1, 16),
        help="With auto: how many custodians.  [default: all that answer, up to 4]",
    ),
    click.option(
        "--threshold",
        type=click.IntRange(1, 8),
        default=2,
        show_default=True,
        help="How many of them are needed to deliver.",
    ),
    click.option(
        "--fee",
        type=AMOUNT,
        help="The least to pay a custodian for each delivery to a buyer.",
    ),
    click.option(
        "--keeping-fee", type=AMOUNT, help="The least to pay a custodian for each period."
    ),
    click.option(
        "--max-keeping",
        type=AMOUNT,
        help="The most to pay all custodians at once for keeping the key; with --yes "
        "nothing if left out.",
    ),
    click.option(
        "--lock",
        type=amount_type(zero="custodians risk something, or need not be trusted at all"),
        help="Stake that each risks.  [default: 100 TMK]",
    ),
    click.option(
        "--penalty",
        type=AMOUNT,
        help="What a custodian loses who does not deliver.  [default: a tenth of the lock]",
    ),
    click.option(
        "--deal-again",
        is_flag=True,
        help="If not all accept within 10 minutes, give the key to others on the same "
        "conditions, at most twice.",
    ),
    click.option(
        "--period",
        "period_seconds",
        type=DURATION,
        default="90d",
        show_default=True,
        help="How long one period of custody is.",
    ),
    click.option(
        "--max-periods",
        type=click.IntRange(1, 1_000),
        default=4,
        show_default=True,
        help="How many periods they may stay, at most.",
    ),
)
"""Who keeps the key; `custody_wish` takes them out."""


def custody_wish(session: Session, options: dict[str, Any]) -> CustodyWish:
    """Take the options of `custody_options` out."""
    text = options.pop("custodians").strip()
    count = options.pop("count")
    names = ("threshold", "fee", "keeping_fee", "lock", "penalty", "period_seconds", "max_periods")
    arguments = {name: options.pop(name) for name in names}
    custodians: int | Sequence[str] | None
    if text == "auto":
        custodians = count
    elif text == "direct":
        custodians = 0
    else:
        custodians = [resolve_address(session, part.strip()) for part in text.split(",")]
        if len(set(custodians)) < len(custodians):
            raise ConfigError("a custodian is named twice; name each once")
    threshold = arguments["threshold"]
    if custodians is None:  # as many as there are, and at least those that the threshold needs
        return CustodyWish(custodians=None, **arguments)
    many = custodians if isinstance(custodians, int) else len(custodians)
    if many and 2 * threshold - 1 > many:
        given = f"{many} {'is' if many == 1 else 'are'} {'chosen' if text == 'auto' else 'named'}"
        raise ConfigError(
            f"a threshold of {threshold} needs at least {2 * threshold - 1} custodians, and "
            f"{given}; take more, or lower it with --threshold {(many + 1) // 2}"
        )
    return CustodyWish(custodians=custodians, **arguments)


def agree(session: Session, costs: listing.Costs, *, yes: bool) -> bool:
    """Show what is paid now, and what custodians cost each buyer, and ask."""
    show = partial(session.profile.amount, token_address=costs.token)
    count, offer = len(costs.choice.validators), costs.choice.offer
    if count:
        info(
            f"{plural(count, 'custodian')} for {format_duration(offer.period_seconds)}: you pay "
            f"{show(costs.choice.keeping)} at once for keeping the key"
        )
        info(f"each buyer pays {show(offer.fee)} more for each of {offer.threshold} of them")
    if costs.choice.silent:
        info(
            f"no sign of life for a day from {', '.join(costs.choice.silent)}: nothing can be "
            "bought before they accept, too"
        )
    if costs.bond:
        info(f"you put up a bond of {show(costs.bond)}, which is lost if the key turns out wrong")
    paid = f"pay {show(costs.total)} now and " if costs.total else ""
    return ask(f"{paid}go on?", yes=yes)
