# SPDX-License-Identifier: Apache-2.0
"""Who is to keep a version's key, and what they are offered."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from truthmark.config.profile import TokenInfo, Windows
from truthmark.errors import ConfigError, NotForSaleError
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.custody import DIRECT, CustodyRequest, Validator
from truthmark.market.entries import Epoch, ValidatorOffer
from truthmark.market.life import find_signs
from truthmark.session import Session

USUAL_COUNT = 4
"""How many custodians are chosen where nobody says how many, and as many show life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyWish:
    """Whom a seller wants to keep the key, as people write it.

    Attributes:
        custodians: How many validators, chosen by their published offers; or their addresses; or 0
            to keep the key oneself; or None for as many as show life, up to four.
        threshold: How many of them make the key.
        fee: What each who delivers a sale gets at the least, in the sale token.
        keeping_fee: Per custodian and period, at the least.
        lock: Stake that each risks; "100 TMK" if not given.
        penalty: What silence costs; a tenth of `lock` if not given.
        period_seconds: Length of a period.
        max_periods: How many periods at most.
    """

    custodians: int | Sequence[str] | None = 0
    threshold: int = 2
    fee: str | None = None
    keeping_fee: str | None = None
    lock: str | None = None
    penalty: str | None = None
    period_seconds: int = 90 * 86_400
    max_periods: int = 4


@dataclass(frozen=True, slots=True)
class CustodyChoice:
    """Who is to keep a key, and for what.

    Attributes:
        validators: Who; none in direct mode.
        offer: What they are offered.
        silent: Addresses of those who show no sign of life: they may never accept.
    """

    validators: tuple[Validator, ...]
    offer: CustodyRequest
    silent: tuple[str, ...] = ()

    @property
    def keeping(self) -> int:
        """What all get at once for keeping the key, in the sale token's smallest unit."""
        return len(self.validators) * self.offer.keeping_fee


def choose_custody(
    session: Session,
    token: TokenInfo,
    windows: Windows,
    size: int,
    wish: CustodyWish,
    *,
    is_sampled: bool = True,
    fresh: Epoch | None = None,
) -> CustodyChoice:
    """Return who is to keep a version's key and what they are offered.

    Args:
        session: Who sells.
        token: The sale token.
        windows: Of the terms.
        size: Bytes that each custodian is to keep.
        wish: Whom the seller wants.
        is_sampled: Whether buyers will have seen a sample of it; else only those who take
            unsampled data keep its key.
        fresh: A custody that was dealt a moment ago (`Seller.fresh_custody`); where it is what is
            asked its custodians are chosen again, though their stake is locked for it by now.

    Raises:
        ConfigError: An amount cannot be understood, or an address is not a validator's.
        NotForSaleError: There are not enough custodians.
    """
    custodians = wish.custodians
    if isinstance(custodians, (str, bool)) or (isinstance(custodians, int) and custodians < 0):
        raise ConfigError(
            f"custodians {custodians!r}: write how many, such as 3, or a list of their addresses"
        )
    if custodians is not None and not custodians:
        return CustodyChoice((), DIRECT)
    profile = session.profile
    stake = profile.stake_token
    locked = profile.read_amount(wish.lock or "100 TMK", stake)
    offer = CustodyRequest(
        threshold=wish.threshold,
        fee=profile.read_amount(wish.fee, token.address),
        keeping_fee=profile.read_amount(wish.keeping_fee, token.address),
        lock=locked,
        penalty=profile.read_amount(wish.penalty, stake) if wish.penalty else locked // 10,
        period_seconds=wish.period_seconds,
        max_periods=wish.max_periods,
    )
    known = {v.address.lower(): v for v in Catalogue.of(session).validators()}
    if custodians is None or isinstance(custodians, int):
        if fresh and custodians in (None, len(fresh.custodians)):
            dealt = CustodyRequest.of(fresh.custody)
            if dealt.satisfies(offer):
                return CustodyChoice(tuple(known[a.lower()] for a in fresh.custodians), dealt)
        return choose_by_offers(
            session, token.address, windows, offer, custodians, size, is_sampled=is_sampled
        )
    missing = [address for address in custodians if address.lower() not in known]
    if missing:
        raise ConfigError(f"{missing[0]} is not a validator here; choose another one")
    named = tuple(known[address.lower()] for address in custodians)
    addresses = {validator.address for validator in named}
    offers = [o for o in Catalogue.of(session).offers() if o.validator.address in addresses]
    signs = find_signs(session, offers)
    # Without an offer no node accepts anything, however much it does.
    silent = (v.address for v in named if not (v.address in signs and signs[v.address].shows_life))
    return CustodyChoice(named, offer, tuple(silent))


def choose_by_offers(
    session: Session,
    terms_token: str,
    windows: Windows,
    offer: CustodyRequest,
    count: int | None,
    size: int,
    *,
    is_sampled: bool = True,
    most: int = USUAL_COUNT,
    without: Collection[str] = (),
) -> CustodyChoice:
    """Choose validators whose published offers fit, and what they ask.

    Those who show life come first, by price; then those whose offer is of the last day, then the
    others.

    Args:
        session: Who sells.
        terms_token: The sale token.
        windows: Of the terms.
        offer: What is asked; its fees are lower bounds of what will be paid.
        count: How many custodians (n); None: as many as show life, up to `most`, and no fewer than
            the threshold needs.
        size: Bytes that each is to keep.
        is_sampled: As for `choose_custody`.
        most: How many at most, where `count` leaves it open.
        without: Addresses of validators that are not wanted.

    Raises:
        NotForSaleError: There are not as many.
    """
    token = terms_token.lower()
    unwanted = {address.lower() for address in (*without, session.address)}
    fitting: list[tuple[int, int, ValidatorOffer]] = []
    insisting = 0
    for found in Catalogue.of(session).offers():
        fees = {address.lower(): amounts for address, amounts in found.fees.items()}.get(token)
        if (
            fees is not None
            and found.validator.address.lower() not in unwanted
            and _fits(found, windows, offer, size)
        ):
            if not (is_sampled or found.takes_unsampled):
                insisting += 1
                continue
            fitting.append((fees[0] + fees[1], fees[1], found))
    signs = find_signs(session, [entry[2] for entry in fitting])
    fitting.sort(
        key=lambda entry: (
            signs[entry[2].validator.address].rank,
            entry[0],
            int(entry[2].validator.address, 16),
        )
    )
    living = sum(sign.shows_life for sign in signs.values())
    if count is None:
        count = max(min(living, most), 2 * offer.threshold - 1)
    if len(fitting) < count:
        few = (
            f"{len(fitting)} of {count} custodians offer this ({living} of them "
            f"{'shows' if living == 1 else 'show'} life)"
        )
        if insisting:
            # What would help is not to be cheaper, but to let buyers see some of it.
            few += (
                f"; {insisting} more would, if a sample could be drawn from it: without one they "
                "keep no key"
            )
        raise NotForSaleError(
            f"{few}; take fewer, lower the lock, shorten the period, widen the windows, or "
            "deliver yourself (--custodians direct)",
            page=f"{few}; take fewer, fewer days or longer time limits, or keep the key yourself",
        )
    chosen = fitting[:count]
    asked = replace(
        offer,
        fee=max(offer.fee, *(total - keeping for total, keeping, _ in chosen)),
        keeping_fee=max(offer.keeping_fee, *(keeping for _, keeping, _ in chosen)),
    )
    validators = tuple(entry[2].validator for entry in chosen)
    silent = tuple(v.address for v in validators if not signs[v.address].shows_life)
    return CustodyChoice(validators, asked, silent)


def _fits(found: ValidatorOffer, windows: Windows, offer: CustodyRequest, size: int) -> bool:
    return (
        found.is_available
        and found.free_stake >= offer.lock
        and found.max_lock >= offer.lock
        and found.max_bytes >= size
        and found.max_period_seconds >= offer.period_seconds
        and found.min_delivery_seconds <= windows.delivery
        and found.min_inspection_seconds <= windows.inspection
    )
