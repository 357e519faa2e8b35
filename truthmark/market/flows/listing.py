# SPDX-License-Identifier: Apache-2.0
"""From packed data, or data to pack, to what can be bought; and its custody again later."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from truthmark import codec
from truthmark.config.profile import ChainProfile, TokenInfo, Windows
from truthmark.errors import ConfigError, MarketError, NotForSaleError, PriceError
from truthmark.market import redealing
from truthmark.market.catalogue import Catalogue
from truthmark.market.choosing import CustodyChoice, CustodyWish, choose_custody
from truthmark.market.drafts.terms import NO_ASSURANCE, NO_ROYALTY, Assurance, Royalty
from truthmark.market.entries import Epoch, Version
from truthmark.market.fetch import Fetcher
from truthmark.market.flows.sampling import asks_for_sample, open_sample, will_be_shown
from truthmark.market.flows.source import SaleSource
from truthmark.market.preview import OnAccept
from truthmark.market.records import ZERO_ADDRESS, CustodyStatus, bits
from truthmark.market.seller import Seller, is_dealt
from truthmark.session import Session
from truthmark.text import format_duration, format_time, plural
from truthmark.types import Bar, Say, no_bar, quiet
from truthmark.waiting import Deadline

RENEW_SECONDS = 3_600
"""What `renew` grants custodians to accept."""

_QUIET_SECONDS = 20.0
"""Before those are named who have not accepted, where nobody has."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a seller pays at once, and who keeps the key for it.

    Attributes:
        token: Address of the sale token, in whose smallest unit amounts are.
        choice: Who keeps the key.
        bond: What is put up, and lost if the key is wrong.
        credit: What comes back before it is paid.
    """

    token: str
    choice: CustodyChoice
    bond: int = 0
    credit: int = 0

    @property
    def total(self) -> int:
        """What is paid for keeping, with the bond."""
        return self.choice.keeping + self.bond


Agree = Callable[[Costs], bool]
"""Asked before anything is paid or given to custodians; a no, or what it raises, ends the flow."""

Secure = Callable[["codec.Manifest | None"], None]
"""Makes sure that the key is in a backup, or raises; given None before it is packed, it refuses
what it would refuse afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a seller asks, as people write it.

    Attributes:
        price: Such as "25 USDC"; says the sale token.
        custody: Whom they want to keep the key.
        max_keeping: The most to pay all custodians at once, such as "3 USDC"; if not given as much
            as is agreed to, and where it is unattended nothing.
        unattended: Nobody is there who could agree to pay more.
        windows: Name of the preset of delivery, inspection and acceptance windows.
        acceptance_seconds: How long custodians have to accept; as the preset has it if not given,
            at most ten minutes where the key may be dealt again.
        deals_again: Whether the key goes to others if some do not accept in time.
        bond: What is lost if the key is proven wrong, in the sale token.
        gate: Address that admits buyers.
        payee: Who is paid; the seller if not given.
        update: Name of the listing of which this is the next version.
        royalty: What each sale owes the labelers of a bounty; the bounty cites the seller.
        assurance: The guarantee and the arbiter.
    """

    price: str
    custody: CustodyWish
    max_keeping: str | None = None
    unattended: bool = False
    windows: str = "careful"
    acceptance_seconds: int | None = None
    deals_again: bool = False
    bond: str | None = None
    gate: str = ZERO_ADDRESS
    payee: str | None = None
    update: str | None = None
    royalty: Royalty = NO_ROYALTY
    assurance: Assurance = NO_ASSURANCE


def list_dataset(
    session: Session,
    source: SaleSource,
    ask: Ask,
    *,
    agree: Agree,
    secure: Secure = lambda manifest: None,
    say: Say = quiet,
    bar: Bar = no_bar,
    waits: bool = True,
) -> tuple[Version, Epoch]:
    """Pack if need be, list, and wait until it can be bought.

    Repeated after a kill it goes on where it was, and nothing is paid twice.

    Args:
        session: Who sells.
        source: What.
        ask: For what, and on which conditions.
        agree: Asked what it costs.
        secure: Makes sure that the key is in a backup.
        say: Told what happens.
        bar: Shows how far storing is.
        waits: Return only when it can be bought.

    Returns:
        What is for sale, and its newest custody.

    Raises:
        ConfigError: An amount or preset cannot be understood.
        NotForSaleError: There are not enough custodians, or not all accepted in time.
        PriceError: They ask more for keeping than `max_keeping`, or all takes more than there is.
        MarketError: It was not agreed to, or was listed under other terms.
        ChainError: The registry refuses.
    """
    profile, seller, catalogue = session.profile, Seller(session), Catalogue.of(session)
    token, amount = profile.parse_amount(ask.price)
    times = _windows(profile, ask)
    secured = profile.read_amount(ask.bond, token.address)
    limit = _limit(profile, ask.max_keeping, token, ask.unattended)
    common: dict[str, Any] = {
        "token": token,
        "windows": times,
        "bond": secured,
        "gate": ask.gate,
        "payee": ask.payee,
        "royalty": ask.royalty,
        "assurance": ask.assurance,
    }
    # What an earlier run sent comes first: where it was listed, nothing is paid any more.
    session.journal.resume()
    catalogue.sync()
    siblings = catalogue.siblings(catalogue.find(ask.update)) if ask.update is not None else []
    previous = siblings[0] if siblings else None
    folder = source.find(siblings)
    if folder is None:
        # What would be refused later is refused before a large source is packed for nothing.
        catalogue.require_unpaused()
        choice = choose_custody(session, token, times, 0, ask.custody)
        _require_payable(session, Costs(token.address, choice, secured), limit)
        secure(None)
        folder = source.pack(previous)
    manifest = codec.read_manifest(folder)
    secure(manifest)
    if asks_for_sample(folder):
        common["windows"] = times = _with_time_for_chance(profile, times, ask)
    listed = seller.find_listed(manifest, **common)
    if listed is None:
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        is_sampled = will_be_shown(session, folder)
        choice = choose_custody(session, token, times, size, ask.custody, is_sampled=is_sampled)
        _require_agreed(session, Costs(token.address, choice, secured), limit, agree, "listed")
        with bar("storing", "bytes") as progress:
            listed = seller.list_dataset(
                folder,
                price=amount,
                offer=choice.offer,
                validators=choice.validators,
                previous=previous,
                progress=progress,
                **common,
            )
    else:
        with bar("storing", "bytes") as progress:
            seller.publish(folder, progress)
    version, epoch = catalogue.with_terms(listed.terms.terms_id), listed.epoch
    if not listed.receipts:
        seller.require_running(version)
        say("it was listed before; nothing was sent")
    # Before custodians are waited for: they accept what they have seen a sample of. Who does not
    # wait opens nothing yet, and all by the same call once chance has picked.
    open_sample(session, version, folder, waits=waits, say=say, bar=bar)
    if waits:
        epoch = wait_or_deal_again(
            session, version, epoch, is_agreed=ask.deals_again, max_keeping=limit, say=say
        )
    return version, epoch


def renew(
    session: Session,
    version: Version,
    custody: CustodyWish,
    *,
    agree: Agree,
    max_keeping: str | None = None,
    unattended: bool = False,
    acceptance_seconds: int | None = None,
    deals_again: bool = False,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> Epoch:
    """Give the key of a version to custodians again, and wait until it can be bought.

    Args:
        session: Who sells.
        version: What.
        custody: Whom they want to keep the key.
        agree: As for `list_dataset`, like the others.
        max_keeping: As in `Ask`, like the next three.
        unattended: As there.
        acceptance_seconds: As there; an hour if not given.
        deals_again: As there.
        say: As for `list_dataset`.
        bar: Shows how long it takes until chance has picked, where that is still due.

    Returns:
        The custody that was accepted.

    Raises:
        TruthmarkError: As `list_dataset`.
    """
    terms, seller = version.terms, Seller(session)
    # The token has a symbol here, or it could not have been written in `max_keeping` either.
    token = session.profile.token(terms.token)
    limit = _limit(session.profile, max_keeping, token, unattended)
    acceptance = acceptance_within(acceptance_seconds, RENEW_SECONDS, deals_again=deals_again)
    windows = Windows(terms.delivery_seconds, terms.inspection_seconds, acceptance)
    size = Fetcher(session).manifest(version).size
    fresh = seller.fresh_custody(version)
    if not fresh:
        Catalogue.of(session).require_unpaused()
    found = open_sample(session, version, say=say, bar=bar)
    is_sampled = found.rule.on_accept is not OnAccept.BY_OFFER
    choice = choose_custody(
        session, token, windows, size, custody, fresh=fresh, is_sampled=is_sampled
    )
    if not (fresh and is_dealt(fresh, choice.validators, choice.offer)):
        costs = Costs(token.address, choice, credit=redealing.fees_due(session, version))
        _require_agreed(session, costs, limit, agree, "changed")
    if returned := redealing.take_fees_back(session, version):
        shown = session.profile.amount(returned, token.address)
        say(f"{shown} came back: what was paid to custodians who did not accept")
    opened = seller.open_custody(
        version,
        offer=choice.offer,
        validators=choice.validators,
        acceptance_seconds=windows.acceptance,
    )
    if not opened.receipts:
        say("the key was dealt before; nothing was sent; name other custodians to deal it to them")
    return wait_or_deal_again(
        session,
        version,
        opened.epoch,
        is_agreed=deals_again,
        max_keeping=limit,
        first=opened.epoch.custody.epoch,
        say=say,
    )


def wait_or_deal_again(
    session: Session,
    version: Version,
    epoch: Epoch,
    *,
    is_agreed: bool,
    max_keeping: int | None = None,
    first: int = 0,
    say: Say = quiet,
) -> Epoch:
    """Wait until all custodians have accepted, dealing again to others where that was agreed.

    Args:
        session: The seller's.
        version: What is sold.
        epoch: The custody that waits.
        is_agreed: Whether the key may be dealt again.
        max_keeping: The most to pay for keeping then; what was paid before if not given.
        first: Number of the first custody that counts for how often this was done.
        say: Told what happens.

    Returns:
        The custody that was accepted.

    Raises:
        NotForSaleError: They did not, and others were not asked or did not, either.
    """
    while True:
        try:
            wait_until_live(session, version, epoch, say)
            return epoch
        except NotForSaleError as error:
            lapsed = {e.custody_id for e, _ in redealing.find_lapsed(session, version)}
            done = epoch.custody.epoch - first
            if not is_agreed or done >= redealing.MOST_AGAIN or epoch.custody_id not in lapsed:
                raise
            say(f"{str(error).partition(';')[0]}; dealing the key to others, as agreed")
        epoch = redealing.deal_again(session, version, epoch, max_keeping=max_keeping).epoch


def wait_until_live(
    session: Session,
    version: Version,
    epoch: Epoch,
    say: Say = quiet,
    on_look: Callable[[list[int]], object] = lambda accepted: None,
) -> None:
    """Wait until all custodians have accepted; in direct mode that is at once.

    Args:
        session: Whose chain is asked.
        version: What is sold.
        epoch: What they accept.
        say: Told what happens.
        on_look: Called at each look with the numbers of those who have.

    Raises:
        NotForSaleError: The epoch has ended, or lapsed because not all accepted.
    """
    seller, quiet_time = Seller(session), Deadline(_QUIET_SECONDS)
    state = seller.custody_state(epoch)
    if state.status is CustodyStatus.LIVE:
        return
    count, until = epoch.custody.count, epoch.custody.accept_until
    say(
        f"waiting for {plural(count, 'custodian')} to accept, which may take until "
        f"{format_time(until, session.chain.time())}; Ctrl-C stops only the waiting, and "
        f"`truthmark show {version.ref}` tells how it stands"
    )
    told: int | None = None
    while True:
        accepted = bits(state.accepted)
        on_look(accepted)
        # At first it is too early to name anyone.
        is_soon = not accepted and not quiet_time.is_over
        if len(accepted) not in (told, count) and not is_soon:
            left = [who for j, who in enumerate(epoch.custodians, 1) if j not in accepted]
            say(f"{len(accepted)} of {count} have accepted; not yet: {', '.join(left)}")
            told = len(accepted)
        time.sleep(session.profile.poll_seconds)
        state = seller.custody_state(epoch)
        if state.status is CustodyStatus.LIVE:
            break
    say(f"{'all ' if count > 1 else ''}{plural(count, 'custodian')} accepted")


def acceptance_within(given: int | None, preset: int, *, deals_again: bool) -> int:
    """Return how long custodians have to accept: what was said, or ten minutes if dealt again."""
    if given is not None:
        return given
    return min(preset, redealing.AGAIN_SECONDS) if deals_again else preset


def _windows(profile: ChainProfile, ask: Ask) -> Windows:
    if ask.windows not in profile.windows:
        raise ConfigError(
            f"{profile.name} has no windows {ask.windows!r}; choose one of "
            f"{', '.join(profile.windows)}"
        )
    times = profile.windows[ask.windows]
    acceptance = acceptance_within(
        ask.acceptance_seconds, times.acceptance, deals_again=ask.deals_again
    )
    return replace(times, acceptance=acceptance)


def _with_time_for_chance(profile: ChainProfile, times: Windows, ask: Ask) -> Windows:
    """Give custodians time to see the sample: three times what chance and finality take.

    Raises:
        ConfigError: It was said that they have less.
    """
    blocks = profile.beacon_blocks + profile.confirmations
    least = math.ceil(3 * blocks * profile.block_time)
    if times.acceptance >= least:
        return times
    if ask.acceptance_seconds is not None:
        raise ConfigError(
            f"custodians accept when they have seen the sample, which takes a while: give them "
            f"{format_duration(least)} at the least, or pack it without a sample (--blind)",
            page=f"custodians accept when they have seen the sample: give them "
            f"{format_duration(least)} at the least",
        )
    return replace(times, acceptance=least)


def _limit(
    profile: ChainProfile, max_keeping: str | None, token: TokenInfo, unattended: bool
) -> int | None:
    if max_keeping is None and not unattended:
        return None
    return profile.read_amount(max_keeping, token.address)


def _require_payable(session: Session, costs: Costs, limit: int | None) -> None:
    """Refuse what custodians may not be paid, or the account cannot pay.

    Raises:
        PriceError: It costs more than the limit, or than the account has.
    """
    show, keeping = session.profile.amount, costs.choice.keeping
    if limit is not None and keeping > limit:
        shown = show(keeping, costs.token)
        count = plural(len(costs.choice.validators), "custodian")
        asked = f"keeping costs {shown} at once with {count}"
        raise PriceError(
            f'{asked}; allow it with --max-keeping "{shown}", or choose others',
            page=f"{asked}; take fewer custodians or fewer days, or list it by `truthmark list`",
        )
    parts = [f"a bond of {show(costs.bond, costs.token)}"] if costs.bond else []
    parts += [f"{show(keeping, costs.token)} for keeping the key"] if keeping else []
    due = max(0, costs.total - costs.credit)
    Seller(session).require_funds(costs.token, due, " and ".join(parts))


def _require_agreed(
    session: Session, costs: Costs, limit: int | None, agree: Agree, what: str
) -> None:
    """Check that it can be paid, and ask; where nothing is paid or given away, nobody is asked.

    Raises:
        PriceError: It cannot.
        MarketError: It was not agreed to.
    """
    _require_payable(session, costs, limit)
    if (costs.choice.validators or costs.bond) and not agree(costs):
        raise MarketError(f"nothing was {what}")
