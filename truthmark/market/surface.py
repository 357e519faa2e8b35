# SPDX-License-Identifier: Apache-2.0
"""The stable surface of the library: a function for each thing that people come for.

Each takes an open `Session`, or opens one with the settings of this machine (`truthmark.connect`).
Amounts are texts such as "25 USDC"; datasets are named `17`, `17@2` or, with their market,
`truthmark://<chain id>/<market>/17@2`.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthmark import codec
from truthmark.config.profile import TokenInfo
from truthmark.config.units import parse_duration
from truthmark.errors import (
    CodecError,
    ConfigError,
    MarketError,
    StorageError,
)
from truthmark.market.cards import Cards
from truthmark.market.catalogue import Catalogue
from truthmark.market.choosing import CustodyWish
from truthmark.market.drafts.terms import NO_ASSURANCE, NO_ROYALTY, Assurance, Royalty
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.market.flows import listing, purchasing
from truthmark.market.flows.source import SaleSource
from truthmark.market.preview import Preview, look
from truthmark.market.preview.opening import MAX_DOWNLOAD
from truthmark.market.purchase import NO_ADMISSION, Buyer, Opened
from truthmark.market.quote import NO_VOUCHER
from truthmark.market.records import ZERO_ADDRESS
from truthmark.market.seller_secret import pack_dataset
from truthmark.session import Session, given_or_own, open_session
from truthmark.types import Progress, bar_of
from truthmark.waiting import Deadline

if TYPE_CHECKING:
    from truthmark.codec import Container, Packed
    from truthmark.index.database import EventRow

log = logging.getLogger(__name__)

_SEARCH_STEP = 200
"""Listings that are looked at together."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A version that `search` found.

    Attributes:
        version: What is for sale.
        card: Its public card, checked against the chain.
        price: In token units, such as "25 USDC"; `version.price` is in the token's smallest unit.
    """

    version: Version
    card: dict[str, Any]
    price: str

    @property
    def ref(self) -> str:
        """Its name, such as `17@2`."""
        return self.version.ref

    @property
    def title(self) -> str:
        """As the seller wrote it; not to be trusted."""
        return str(self.card["title"])

    def __repr__(self) -> str:
        """Show what a buyer would ask for first."""
        return f"<Hit {self.ref} at {self.price}: {self.title!r}>"


def dataset_uri(session: Session, version: Version) -> str:
    """Return the name of a version that says on which chain and market it is."""
    return f"truthmark://{session.profile.chain_id}/{session.chain.market.address}/{version.ref}"


class Hits(list[Hit]):
    """What `search` found, the newest first.

    Attributes:
        is_cut: Whether more would fit; `search(..., older_than=hits[-1].version.listing_id)` goes
            on behind these.
        pending: How many more there may be, whose cards did not come in time; they are looked for
            again by a later search.
    """

    def __init__(
        self, found: Iterable[Hit] = (), *, is_cut: bool = False, pending: int = 0
    ) -> None:
        """Hold what was found."""
        super().__init__(found)
        self.is_cut = is_cut
        self.pending = pending


def search(
    text: str = "",
    *,
    token: str | None = None,
    max_price: str | None = None,
    seller: str | None = None,
    limit: int | None = None,
    older_than: int | None = None,
    patience: float = 20.0,
    session: Session | None = None,
) -> Hits:
    """Return what is for sale, the newest first; only the newest open version of each listing.

    What has no card to show, or another one than it committed to, is left out.

    Args:
        text: Words that title or description must contain, in any case.
        token: Symbol or address of the sale token.
        max_price: Such as "25 USDC"; says the token too.
        seller: Address of the seller.
        limit: How many at most.
        older_than: Only listings with a lower number, to go on behind an earlier search.
        patience: Seconds to wait for cards that were not read before.
        session: Where to look.

    Raises:
        ConfigError: A token, an amount or an address cannot be understood.
        ChainError: The chain cannot be read.
    """
    if not isinstance(text, str):
        raise ConfigError(f"{text!r} is not a text to search for; write the words as one text")
    if limit is not None and (not isinstance(limit, int) or limit < 0):
        raise ConfigError(f"limit {limit!r}: write how many at most, such as 20")
    with given_or_own(session) as here:
        highest: int | None = None
        wanted: TokenInfo | None = here.profile.token(token) if token else None
        if max_price is not None:
            asked, highest = here.profile.parse_amount(max_price)
            if wanted is not None and wanted != asked:
                raise ConfigError(f"{max_price} is not in {wanted.symbol}; name one token only")
            wanted = asked
        catalogue = Catalogue.of(here)
        catalogue.sync()
        offered = catalogue.offered(
            seller=seller,
            token=None if wanted is None else wanted.address,
            max_price=highest,
            older_than=older_than,
        )
        cards = Cards.of(here)
        deadline = Deadline(patience)
        words = text.lower().split()
        hits = Hits()
        for start in range(0, len(offered), _SEARCH_STEP):
            some = offered[start : start + _SEARCH_STEP]
            known = cards.known(some)
            if missing := [terms_id for terms_id in some if terms_id not in known]:
                known |= cards.fetch(catalogue.versions(terms_ids=missing), deadline)
            hits.pending += sum(terms_id not in known for terms_id in some)
            fitting = {
                terms_id: card
                for terms_id in some
                if (card := known.get(terms_id)) and all(word in card.searched for word in words)
            }
            for version in catalogue.versions(terms_ids=list(fitting)) if fitting else ():
                if len(hits) == limit:
                    hits.is_cut = True
                    return hits
                content = fitting[version.terms_id].content
                with contextlib.suppress(StorageError, CodecError):
                    shown = here.profile.amount(version.price, version.terms.token)
                    hits.append(Hit(version, content or Fetcher(here).preview(version), str(shown)))
        return hits


def preview(
    ref: str, *, max_download: int = MAX_DOWNLOAD, session: Session | None = None
) -> Preview:
    """Look at the sample of a version: parts that chance picked, checked by this computer.

    `tables` of what is returned has the rows by path, `state` and `why` say how it stands. Costs
    nothing; nobody is told of it.

    Args:
        ref: Such as `17@2`.
        max_download: Bytes of the sample that may be fetched.
        session: Where to look.

    Raises:
        NotForSaleError: There is no such version.
        ChainError: The chain cannot be read, or two endpoints disagree.
    """
    with given_or_own(session) as here:
        return look(here, Catalogue.of(here).find(ref), max_download=max_download)


def card(ref: str, *, session: Session | None = None) -> dict[str, Any]:
    """Return the public card of a version: title, licence, schema, counts, examples.

    Args:
        ref: Such as `17@2`.
        session: Where to look.

    Raises:
        NotForSaleError: There is no such version.
        StorageError: Its card cannot be fetched.
        CodecError: Its card is not the one that the seller committed to.
    """
    with given_or_own(session) as here:
        return Fetcher(here).preview(Catalogue.of(here).find(ref))


def pack(
    source: Any, target: Path | str, *, session: Session | None = None, **options: Any
) -> "Packed":
    """Pack data under a fresh secret, which the session's vault keeps.

    Args:
        source: A file, a folder, a pandas or pyarrow table, or a dict of splits.
        target: A folder that does not exist yet, or is empty.
        session: Whose vault is used.
        options: As `truthmark.codec.pack` takes them, such as `licence="CC-BY-4.0"` (required).

    Raises:
        CodecError: The source cannot be packed.
        KeysError: The vault cannot be written.
    """
    # Packing needs no chain.
    with contextlib.nullcontext(session) if session else open_session() as here:
        return pack_dataset(source, _folder(target), here.vault, **options)


def list_dataset(
    folder: Path | str,
    *,
    price: str,
    custodians: int | Sequence[str] | None = 0,
    threshold: int = 2,
    fee: str | None = None,
    max_keeping: str | None = None,
    lock: str | None = None,
    penalty: str | None = None,
    period: str = "90d",
    max_periods: int = 4,
    windows: str = "careful",
    accept_within: str | None = None,
    bond: str | None = None,
    gate: str = ZERO_ADDRESS,
    payee: str | None = None,
    royalty: Royalty = NO_ROYALTY,
    assurance: Assurance = NO_ASSURANCE,
    update: str | None = None,
    wait: bool = False,
    session: Session | None = None,
    progress: Progress | None = None,
) -> Version:
    """Put a packed version up for sale.

    It can be bought once all custodians have accepted, without custodians at once.

    Args:
        folder: What `pack` made, with the same vault.
        price: Such as "25 USDC".
        custodians: How many validators keep the key, chosen by their published offers; or their
            addresses; or 0 to keep it oneself and deliver by `truthmark deliver`; or None for as
            many as show life, up to four. Who shows life is taken first, others are logged.
        threshold: How many of them make the key.
        fee: What each custodian who delivers a sale gets at the least, in the sale token.
        max_keeping: The most to pay all custodians at once for keeping the key and the bytes, such
            as "3 USDC"; nothing if not given.
        lock: Stake that each custodian risks, such as "100 TMK".
        penalty: What silence costs a custodian; a tenth of `lock` if not given.
        period: Length of a period of custody, such as "90d" or "12h".
        max_periods: How many periods the custodians may stay at most.
        windows: Preset of delivery, inspection and acceptance windows of the chain's profile.
        accept_within: How long custodians have to accept, such as "10min"; as the preset has it if
            not given.
        bond: What the seller loses if the key is proven wrong, in the sale token.
        gate: Address that admits buyers.
        payee: Who is paid; the seller if not given.
        royalty: What each sale owes the labelers of a bounty; the bounty must cite the seller
            (`truthmark.flows.royalties.cite_for_sale`).
        assurance: The share of the price that a buyer may burn, and the arbiter; none if not given.
        update: Name of the listing of which this is the next version.
        wait: Return only when it can be bought, at the latest when the time to accept is over.
            Else nobody has seen its sample yet: it is opened by the same call again, once chance
            has picked (some minutes), or by `truthmark deliver --follow`. Until then buyers and
            custodians wait.
        session: Who sells.
        progress: Called with bytes stored and to be stored.

    Raises:
        ConfigError: An amount or preset cannot be understood.
        NotForSaleError: There are not enough custodians, or with `wait` not all accepted in time.
        PriceError: They ask more for keeping than `max_keeping`.
        ChainError: The registry refuses.
    """
    packed = _folder(folder)
    wish = CustodyWish(
        custodians=custodians,
        threshold=threshold,
        fee=fee,
        lock=lock,
        penalty=penalty,
        period_seconds=parse_duration(period),
        max_periods=max_periods,
    )
    ask = listing.Ask(
        price=price,
        custody=wish,
        max_keeping=max_keeping,
        unattended=True,
        windows=windows,
        acceptance_seconds=None if accept_within is None else parse_duration(accept_within),
        bond=bond,
        gate=gate,
        payee=payee,
        royalty=royalty,
        assurance=assurance,
        update=update,
    )
    with given_or_own(session) as here:
        version, _ = listing.list_dataset(
            here,
            SaleSource(here, packed),
            ask,
            agree=_log_silent,
            bar=bar_of(progress),
            waits=wait,
        )
        return version


def _log_silent(costs: listing.Costs) -> bool:
    if costs.choice.silent:
        log.warning(
            "no sign of life for a day: %s; they may accept late, or never",
            ", ".join(costs.choice.silent),
        )
    return True


def get(
    ref: str,
    *,
    max_price: str,
    voucher: Sequence[Any] = NO_VOUCHER,
    admission: Sequence[Any] = NO_ADMISSION,
    again: bool = False,
    blind: bool = False,
    session: Session | None = None,
    on_fetch: Progress | None = None,
    on_parts: Progress | None = None,
) -> Opened:
    """Look at the sample, fetch, verify, pay, wait for the key; repeated, it goes on.

    Args:
        ref: Such as `17@2`.
        max_price: The most to pay, fees included, such as "25 USDC".
        voucher: A price that the seller signed for this account (`Seller.write_voucher`).
        admission: The signed leave of the gate, where the version has one.
        again: Pay also where this account bought it before; each such call pays.
        blind: Buy also what nobody, or hardly anyone, but its seller has seen anything of.
        session: Who buys.
        on_fetch: Called with bytes fetched and in all.
        on_parts: Called with parts of the key delivered and needed.

    Raises:
        PriceError: It costs more.
        NotForSaleError: It cannot be bought now, or its sample is bad or not to be had.
        UnsampledError: Too little of it could be seen, and `blind` is not given.
        BoughtBeforeError: It was bought before, and it is not sure that the money came back.
        DeliveryError: It was not delivered in time, or the key is wrong.
    """
    with given_or_own(session) as here:
        return purchasing.get(
            here,
            Catalogue.of(here).find(ref),
            agree=lambda quote: True,
            max_price=max_price,
            unattended=True,
            voucher=voucher,
            admission=admission,
            again=again,
            blind=blind,
            bar=lambda what, unit: contextlib.nullcontext(
                on_parts if unit == "parts" else on_fetch
            ),
        )


def load(
    ref: str,
    *,
    max_price: str | None = None,
    blind: bool = False,
    session: Session | None = None,
) -> "Container":
    """Open a dataset that was bought before, or buy it for at most `max_price`.

    Args:
        ref: Such as `17@2` or `truthmark://<chain id>/<market>/17@2`.
        max_price: The most to pay, fees included; without it nothing is bought.
        blind: As for `get`.
        session: Whose purchase it is.

    Returns:
        The open container: `to_pandas()`, `to_table()`, `read_bytes()`, `extract()`.

    Raises:
        MarketError: It was not bought, and may not be.

    Usage example::

        >>> truthmark.load("17@2").to_pandas()  # doctest: +SKIP
    """
    with given_or_own(session) as here:
        version = Catalogue.of(here).find(ref)
        purchase = Buyer(here).find_purchase(version)
        if purchase is not None:
            folder = purchasing.fetch(here, version)
            opened = purchasing.receive(here, version, purchase, folder)
        elif max_price is not None:
            opened = get(version.ref, max_price=max_price, blind=blind, session=here)
        else:
            raise MarketError(
                f"{version.ref} was not bought by this account; say how much it may cost with "
                "max_price"
            )
        return codec.open_container(opened.folder, cek=opened.cek)


def follow(*, session: Session | None = None, poll: float | None = None) -> "Iterator[EventRow]":
    """Yield the market's events as they happen, beginning with the next one.

    Where a reorganisation takes events back, those that stand in their place are yielded.

    Args:
        session: Where to look.
        poll: Seconds between looks; from the chain's block time if not given.
    """
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(given_or_own(session))
        # Now, and not when the first event is asked for.
        Catalogue.of(here).sync()
        number = Catalogue.of(here).index.tip().number
        return _events(here, number, poll, stack.pop_all())


def _events(
    session: Session, number: int, poll: float | None, stack: contextlib.ExitStack
) -> "Iterator[EventRow]":
    with stack:
        follower = Catalogue.of(session).follower
        index = follower.index
        for update in follower.follow(poll):
            if update.rolled_back_to is not None:
                number = min(number, update.rolled_back_to)
            rows = [
                row
                for role, event in index.schema.events
                for row in index.events(
                    role, event, after=(number, 2**31), until_block=update.tip.number
                )
            ]
            number = update.tip.number
            yield from sorted(rows, key=lambda r: (r.block_number, r.log_index))


def _folder(value: object) -> Path:
    if isinstance(value, (str, Path)):
        return Path(value)
    raise ConfigError(f"{value!r} names no folder; write its path as a text")
