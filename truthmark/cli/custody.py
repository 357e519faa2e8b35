# SPDX-License-Identifier: Apache-2.0
"""Who keeps the key of a data set, and for how much: what `list` and `renew` share."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from truthmark.cli.command import resolve_address
from truthmark.cli.output import ask, info
from truthmark.cli.param_types import AMOUNT, DURATION, Amount
from truthmark.errors import ConfigError, NotForSaleError, PriceError
from truthmark.text import format_duration, format_time, plural

if TYPE_CHECKING:
    from truthmark.market.entries import Epoch, Version
    from truthmark.market.seller import CustodyChoice
    from truthmark.session import Session

_QUIET_SECONDS = 20.0
"""Before those are named who have not accepted, where nobody has."""

_F = TypeVar("_F", bound=Callable[..., Any])


def custody_options(function: _F) -> _F:
    """Add the options that say who keeps the key; they arrive as `choose_custody` takes them."""
    for option in reversed(
        (
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
                help="With auto: how many custodians.  [default: as many as show life, up to 4]",
            ),
            click.option(
                "--threshold",
                type=click.IntRange(1, 8),
                default=2,
                show_default=True,
                help="How many of them it takes to deliver.",
            ),
            click.option("--fee", type=AMOUNT, help="For each delivery to a buyer, at the least."),
            click.option(
                "--keeping-fee", type=AMOUNT, help="For each custodian and period, at the least."
            ),
            click.option(
                "--max-keeping",
                type=AMOUNT,
                help="The most to pay all custodians at once for keeping the key; with --yes "
                "nothing if left out.",
            ),
            click.option(
                "--lock",
                type=Amount(zero="custodians risk something, or need not be trusted at all"),
                help="Stake that each risks.  [default: 100 TMK]",
            ),
            click.option(
                "--penalty", type=AMOUNT, help="What silence costs.  [default: a tenth of the lock]"
            ),
            click.option(
                "--deal-again",
                is_flag=True,
                help="Where not all accept within 10 minutes, deal the key to others on the same "
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
    ):
        function = option(function)
    return function


def custody_arguments(session: "Session", options: dict[str, Any]) -> dict[str, Any]:
    """Take the options of `custody_options` out, as `choose_custody` takes them."""
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
        return {"custodians": None, **arguments}
    many = custodians if isinstance(custodians, int) else len(custodians)
    if many and 2 * threshold - 1 > many:
        given = f"{many} {'is' if many == 1 else 'are'} {'chosen' if text == 'auto' else 'named'}"
        raise ConfigError(
            f"a threshold of {threshold} needs at least {2 * threshold - 1} custodians, and "
            f"{given}; take more, or lower it with --threshold {(many + 1) // 2}"
        )
    return {"custodians": custodians, **arguments}


def keeping_limit(
    session: "Session", max_keeping: str | None, token: str, *, yes: bool
) -> int | None:
    """Return the most that custodians may be paid at once, if it was said; with `yes` nothing.

    Raises:
        PriceError: It is in another token.
    """
    from truthmark.market.surface import read_amount

    return read_amount(session, max_keeping, token) if yes or max_keeping is not None else None


def agree(
    session: "Session",
    token: str,
    choice: "CustodyChoice",
    *,
    limit: int | None,
    bond: int = 0,
    credit: int = 0,
    yes: bool,
    is_asked: bool = True,
) -> bool:
    """Show what is paid now, and what custodians cost each buyer, and ask.

    Args:
        session: Who pays.
        token: In which is paid.
        choice: Who is to keep the key, and what they get.
        limit: The most to pay them at once, if that was said.
        bond: What the seller puts up.
        credit: What comes back before it is paid.
        yes: Whether it was agreed to before.
        is_asked: Without, only checks that it can be paid.

    Raises:
        PriceError: Keeping costs more than the limit, or all more than the account has.
    """
    from truthmark.market.seller import Seller

    count, offer = len(choice.validators), choice.offer
    if not count and not bond:
        return True
    show = partial(session.profile.format_amount, token_address=token)
    keeping = count * offer.keeping_fee
    if limit is not None and keeping > limit:
        raise PriceError(
            f"keeping costs {show(keeping)} at once with {plural(count, 'custodian')}; allow it "
            f'with --max-keeping "{show(keeping)}", or choose others'
        )
    parts = [f"a bond of {show(bond)}"] if bond else []
    parts += [f"{show(keeping)} for keeping the key"] if keeping else []
    Seller(session).require_funds(token, max(0, keeping + bond - credit), " and ".join(parts))
    if not is_asked:
        return True
    if count:
        info(
            f"{plural(count, 'custodian')} for {format_duration(offer.period_seconds)}: you pay "
            f"{show(keeping)} at once for keeping the key"
        )
        info(f"each buyer pays {show(offer.fee)} more for each of {offer.threshold} of them")
    if choice.silent:
        info(
            f"no sign of life for a day from {', '.join(choice.silent)}: nothing can be bought "
            "before they accept, too"
        )
    if bond:
        info(f"you put up a bond of {show(bond)}, which is lost if the key turns out wrong")
    paid = f"pay {show(keeping + bond)} now and " if keeping + bond else ""
    return ask(f"{paid}go on?", yes=yes)


def wait_until_live(session: "Session", version: "Version", epoch: "Epoch") -> None:
    """Wait until all custodians have accepted; in direct mode that is at once."""
    from truthmark.market.seller import Seller

    seller = Seller(session)
    begun = time.monotonic()
    if seller.is_live(epoch):
        return
    count, until = epoch.custody.count, epoch.custody.accept_until
    info(
        f"waiting for {plural(count, 'custodian')} to accept, which may take until "
        f"{format_time(until, session.chain.time())}; Ctrl-C stops only the waiting, and "
        f"`truthmark show {version.ref}` tells how it stands"
    )
    told: int | None = None

    def tell(accepted: list[int]) -> None:
        nonlocal told
        # At first it is too early to name anyone.
        is_soon = not accepted and time.monotonic() - begun < _QUIET_SECONDS
        if len(accepted) not in (told, count) and not is_soon:
            left = [who for j, who in enumerate(epoch.custodians, 1) if j not in accepted]
            info(f"{len(accepted)} of {count} have accepted; not yet: {', '.join(left)}")
            told = len(accepted)

    seller.wait_until_live(epoch, tell)
    info(f"{'all ' if count > 1 else ''}{plural(count, 'custodian')} accepted")


def wait_or_deal_again(
    session: "Session",
    version: "Version",
    epoch: "Epoch",
    *,
    is_agreed: bool,
    max_keeping: int | None = None,
    first: int = 0,
) -> "Epoch":
    """Wait until all custodians have accepted, dealing again to others where that was agreed.

    Args:
        session: The seller's.
        version: What is sold.
        epoch: The custody that waits.
        is_agreed: Whether the key may be dealt again.
        max_keeping: The most to pay for keeping then; what was paid before if not given.
        first: Number of the first custody that counts for how often this was done.

    Returns:
        The custody that was accepted.

    Raises:
        NotForSaleError: They did not, and others were not asked or did not, either.
    """
    from truthmark.market.redealing import MOST_AGAIN, deal_again, find_lapsed

    while True:
        try:
            wait_until_live(session, version, epoch)
            return epoch
        except NotForSaleError as error:
            lapsed = {e.custody_id for e, _ in find_lapsed(session, version)}
            done = epoch.custody.epoch - first
            if not is_agreed or done >= MOST_AGAIN or epoch.custody_id not in lapsed:
                raise
            info(f"{str(error).partition(';')[0]}; dealing the key to others, as agreed")
        epoch = deal_again(session, version, epoch, max_keeping=max_keeping).epoch


def acceptance_seconds(given: int | None, preset: int, *, deals_again: bool) -> int:
    """Return how long custodians have to accept: what was said, or ten minutes if dealt again."""
    from truthmark.market.redealing import AGAIN_SECONDS

    if given is not None:
        return given
    return min(preset, AGAIN_SECONDS) if deals_again else preset
