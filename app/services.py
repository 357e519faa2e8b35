# SPDX-License-Identifier: Apache-2.0
"""The one place where the app calls the library; pages get `app.views` from it.

Reads come from the index and are cached for all visitors. Whatever needs a key happens in the
visitor's own session, and only where the app runs on the visitor's own machine (`is_local`).
Everything that others wrote is cleaned here: nothing that leaves this module holds a control
character or more than a page of text.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pyarrow as pa
import sqlalchemy as sa
import streamlit as st

from app import views
from app.views import Mark
from truthmark.cli.backups import is_covered, write_backup
from truthmark.cli.base import State
from truthmark.cli.output import clean, duration, moment, plural, size
from truthmark.codec import (
    CardPolicy,
    Container,
    File,
    Manifest,
    open_container,
    read_card,
    read_manifest,
)
from truthmark.config import format_units, load_settings
from truthmark.errors import (
    ConfigError,
    KeysError,
    MarketError,
    NotForSaleError,
    TruthmarkError,
)
from truthmark.market.buyer import Buyer, Quote, WrongKeyComplaint
from truthmark.market.buying import purchase_cost
from truthmark.market.catalogue import Epoch, EpochState, Purchase, Version
from truthmark.market.delivering import check_custody
from truthmark.market.packing import pack_dataset
from truthmark.market.records import (
    BPS,
    ZERO_ADDRESS,
    CustodyStatus,
    PurchaseStatus,
    VersionStatus,
    bits,
)
from truthmark.market.seller import Seller
from truthmark.market.session import Session, connect, is_devnet, known_passphrase
from truthmark.market.surface import dataset_uri, list_dataset
from truthmark.market.upkeep import Upkeep, overdue
from truthmark.testing.network import ROLES
from truthmark.types import Progress

__all__ = ["TruthmarkError"]

PAGE_SIZE: Final = 12
FIRST_ROWS: Final = 20
_MAX_FILES: Final = 50
_MAX_TABLES: Final = 10
_MAX_COLUMNS: Final = 200
_MAX_LINES: Final = 200
_SUMMARY: Final = 160
_SEARCHED: Final = 4_000  # characters of a description
_SYNC_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 0.5  # that a page waits for descriptions; the rest comes later
_RETRY_SECONDS: Final = 30.0
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

_SESSION, _ROLE, _ACCOUNT, _TYPED, _QUOTE, _COMPLAINT = (
    f"services.{name}" for name in ("session", "role", "account", "typed", "quote", "complaint")
)

_STATUS: Final = {
    VersionStatus.OPEN: "",
    VersionStatus.PAUSED: "paused by the seller",
    VersionStatus.RETIRED: "no longer sold",
    VersionStatus.CLOSED: "no longer sold",
    VersionStatus.DEAD: "its key was proven wrong: do not buy it",
}
# Whatever changes which versions there are, and how they stand.
_VERSION_EVENTS: Final = (
    "VersionListed",
    "VersionRepriced",
    "VersionPaused",
    "VersionRetired",
    "VersionKilled",
    "VersionWoundUp",
)
_CONTRACTS: Final = {
    "registry": ("Registry", "terms, versions, prices, bonds, custody"),
    "market": ("Market", "purchases, deliveries, buyers' money"),
    "proofs": ("Proofs", "decides complaints about wrong keys"),
    "staking": ("Staking", "what custodians have at stake"),
    "token": ("Stake token", "what is staked"),
}


# ------------------------------------------------------------------- the shared reader


def is_local() -> bool:
    """Whether this is the visitor's own machine, so that its keys may be used.

    It has to be said by `TRUTHMARK_APP_LOCAL=1`, and the server must be out of others' reach.
    """
    return (
        os.environ.get("TRUTHMARK_APP_LOCAL") == "1"
        and st.get_option("server.address") in _LOOPBACK
    )


@dataclass(frozen=True, slots=True)
class _Public:
    """What is kept in memory of a card."""

    title: str
    summary: str
    searched: str
    licence: str
    rows: int | None
    files: int | None
    bytes: int


class _Cards:
    """Reads the cards of versions in the background and remembers what a list of them needs.

    Args:
        session: Whose storage is read; each card is checked against the chain's terms.
    """

    def __init__(self, session: Session) -> None:
        """Start the readers, which end with the process."""
        self._buyer = Buyer(session)
        self._found: dict[bytes, _Public | None] = {}
        self._failed_at: dict[bytes, float] = {}
        self._wanted: deque[Version] = deque()
        self._queued: set[bytes] = set()
        self._change = threading.Condition()
        for _ in range(4):
            threading.Thread(target=self._work, name="cards", daemon=True).start()

    def read(self, versions: Sequence[Version], patience: float) -> dict[bytes, _Public | None]:
        """Return what is known of versions by now; None where a card cannot be read.

        Args:
            versions: Which, the most wanted first.
            patience: Seconds to wait for those that are missing.
        """
        until = time.monotonic() + patience
        wanted = [v.terms_id for v in versions]
        with self._change:
            due = [v for v in versions if v.terms_id not in self._queued and self._is_due(v)]
            self._queued.update(version.terms_id for version in due)
            # Before what was asked for earlier: somebody is waiting for these now.
            self._wanted.extendleft(reversed(due))
            self._change.notify_all()
            while not all(key in self._found for key in wanted):
                left = until - time.monotonic()
                if left <= 0 or not self._change.wait(left):
                    break
            return {key: self._found[key] for key in wanted if key in self._found}

    def _is_due(self, version: Version) -> bool:
        """Whether a card was never read, or could not be for a while."""
        key = version.terms_id
        if self._found.get(key) is not None:
            return False
        return time.monotonic() - self._failed_at.get(key, -_RETRY_SECONDS) >= _RETRY_SECONDS

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._wanted:
                    self._change.wait()
                version = self._wanted.popleft()
            found = self._read_one(version)
            with self._change:
                self._found[version.terms_id] = found
                self._queued.discard(version.terms_id)
                if found is None:
                    self._failed_at[version.terms_id] = time.monotonic()
                self._change.notify_all()

    def _read_one(self, version: Version) -> _Public | None:
        try:
            card = self._buyer.preview(version)
            manifest = self._buyer.manifest(version.terms.manifest)
        except (TruthmarkError, OSError, ValueError):
            return None
        counts = _counts(card)
        title = clean(card["title"], 200) or "Untitled"
        return _Public(
            title=title,
            summary=clean(" ".join(card["description"].split()), _SUMMARY),
            searched=f"{title} {card['description'][:_SEARCHED]}".lower(),
            licence=clean(card["licence"], 80),
            rows=sum(c.rows for c in counts) if counts else None,
            files=sum(c.files for c in counts) if counts else None,
            bytes=manifest.size,
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    """What all visitors read from; it has no account."""

    session: Session
    cards: _Cards


def _reader() -> _Reader:
    """Return the reader of the machine's settings, its index in step with the chain.

    Raises:
        ConfigError: The settings cannot be used.
        ChainError: The chain cannot be read.
    """
    settings = load_settings()
    key = repr((settings, settings.chain_profile()))
    reader = _open_reader(key)
    _sync(key, reader.session)
    return reader


@st.cache_resource(max_entries=4, show_spinner=False)
def _open_reader(key: str) -> _Reader:
    session = connect()
    return _Reader(session, _Cards(session))


@st.cache_resource(ttl=_SYNC_SECONDS, max_entries=4, show_spinner=False)
def _sync(key: str, _session: Session) -> float:
    _session.catalogue.sync()
    return time.monotonic()


def _now(session: Session) -> int:
    """Return chain time as far as the index knows it."""
    return session.catalogue.follower.index.tip().timestamp


def _versions(session: Session) -> tuple[Version, ...]:
    """Return every version, the newest listing first; they are read anew when one has changed."""
    index = session.catalogue.follower.index
    blocks = index.schema.blocks
    with index.read() as connection:
        tops = (
            connection.execute(
                sa.select(sa.func.max(index.table("registry", event).c.block_number))
            ).scalar()
            for event in _VERSION_EVENTS
        )
        newest = max((top for top in tops if top is not None), default=-1)
        # A block's hash commits to all before it, so nothing else needs to be compared.
        mark = connection.execute(
            sa.select(blocks.c.hash).where(blocks.c.number == newest)
        ).scalar()
    return _read_versions(f"{session.home} {session.profile.name}", bytes(mark or b""), session)


@st.cache_resource(max_entries=4, show_spinner=False)
def _read_versions(place: str, mark: bytes, _session: Session) -> tuple[Version, ...]:
    return tuple(_session.catalogue.versions())


def _find_version(session: Session, ref: str) -> Version:
    for version in _versions(session):
        if ref in (str(version.listing_id), version.ref):
            return version
    raise NotForSaleError(f"there is no data set {clean(ref, 40)} here; look on the market page")


def _version_of(session: Session, terms_id: bytes) -> Version:
    for version in _versions(session):
        if version.terms_id == terms_id:
            return version
    raise NotForSaleError("this data set is not on the chain any more; reload the page")


# --------------------------------------------------------------------------- market


def tokens() -> tuple[str, ...]:
    """Return the symbols of the tokens that something may be sold for."""
    profile = _reader().session.profile
    stake = profile.contracts["token"].address if "token" in profile.contracts else ""
    return tuple(t.symbol for t in profile.tokens if t.address != stake)


def search(
    text: str = "",
    *,
    token: str | None = None,
    max_price: Decimal | None = None,
    seller: str = "",
    licence: str | None = None,
    cheapest_first: bool = False,
    page: int = 1,
) -> views.Found:
    """Return a page of what is for sale; of each listing the newest version that is open.

    Args:
        text: Words that title or description must contain, in any case.
        token: Symbol of the sale token.
        max_price: In units of `token`; ignored without it.
        seller: How the seller's address begins.
        licence: As the card has it.
        cheapest_first: Else the newest come first; counts only with `token`.
        page: From 1; the last one where there are fewer.
    """
    reader = _reader()
    session = reader.session
    wanted = session.profile.token(token) if token else None
    limit = None
    if wanted is not None and max_price is not None:
        _, limit = session.profile.parse_amount(f"{max_price:f} {wanted.symbol}")
    candidates: list[Version] = []
    seen: set[int] = set()
    for version in _versions(session):
        if version.status is not VersionStatus.OPEN or version.listing_id in seen:
            continue
        seen.add(version.listing_id)
        candidates.append(version)
    cards = reader.cards.read(candidates, _PATIENCE_SECONDS)
    words = text.lower().split()
    fitting: list[tuple[Version, _Public]] = []
    for version in candidates:
        card = cards.get(version.terms_id)
        if card is None:
            continue
        if wanted is not None and version.terms.token.lower() != wanted.address.lower():
            continue
        if limit is not None and version.price > limit:
            continue
        if seller and not version.terms.seller.lower().startswith(seller.strip().lower()):
            continue
        if licence and card.licence != licence:
            continue
        if all(word in card.searched for word in words):
            fitting.append((version, card))
    if cheapest_first and wanted is not None:
        fitting.sort(key=lambda entry: entry[0].price)
    pages = max(1, -(-len(fitting) // PAGE_SIZE))
    page = min(max(page, 1), pages)
    shown = fitting[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return views.Found(
        listings=tuple(
            _listing(session, version, card, keeping)
            for (version, card), keeping in zip(
                shown, _keepings(session, [version for version, _ in shown]), strict=True
            )
        ),
        total=len(fitting),
        pages=pages,
        page=page,
        pending=sum(v.terms_id not in cards for v in candidates),
        hidden=sum(card is None for card in cards.values()),
        licences=tuple(sorted({card.licence for card in cards.values() if card is not None})),
    )


def _listing(
    session: Session, version: Version, card: _Public, keeping: tuple[str, bool, bool]
) -> views.Listing:
    terms, show = version.terms, session.profile.format_amount
    text, is_kept, is_direct = keeping
    return views.Listing(
        ref=version.ref,
        title=card.title,
        summary=card.summary,
        licence=card.licence,
        price=show(version.price, terms.token),
        rows=card.rows,
        files=card.files,
        size=size(card.bytes),
        bond=show(terms.bond, terms.token) if terms.bond else None,
        custody=text,
        is_kept=is_kept,
        is_direct=is_direct,
    )


def _keepings(session: Session, versions: list[Version]) -> list[tuple[str, bool, bool]]:
    """Return who keeps each key now, whether anybody does, and whether it is the seller."""
    epochs = [list(reversed(session.catalogue.epochs(v.terms_id))) for v in versions]
    states = iter(session.catalogue.states([epoch for each in epochs for epoch in each]))
    now = _now(session)
    return [
        _keeping(version, [(epoch, next(states)) for epoch in each], now)
        for version, each in zip(versions, epochs, strict=True)
    ]


def _keeping(
    version: Version, epochs: list[tuple[Epoch, EpochState]], now: int
) -> tuple[str, bool, bool]:
    windows = version.terms.delivery_seconds + version.terms.inspection_seconds
    for epoch, state in epochs:
        custody = epoch.custody
        if state.status is CustodyStatus.LIVE and now + windows <= state.end:
            if custody.is_direct:
                return "seller keeps the key", True, True
            return f"{custody.threshold} of {custody.count} custodians", True, False
    for epoch, state in epochs:
        if state.status is CustodyStatus.OPENED and now <= epoch.custody.accept_until:
            return "waiting for custodians", False, False
    return "nobody keeps the key", False, False


# -------------------------------------------------------------------------- data set


@st.cache_resource(max_entries=64, show_spinner=False)
def _public_part(
    key: str, terms_id: bytes, _session: Session, _version: Version
) -> tuple[Manifest, dict[str, Any]]:
    buyer = Buyer(_session)
    return buyer.manifest(_version.terms.manifest), buyer.preview(_version)


def dataset(ref: str) -> views.Dataset:
    """Return all that is public of a version.

    Raises:
        NotForSaleError: There is none of this name.
        ChainError: The chain cannot be read.
    """
    session = _reader().session
    version = _find_version(session, ref)
    terms, profile = version.terms, session.profile
    show = profile.format_amount
    card: dict[str, Any] = {"title": "", "description": "", "licence": ""}
    manifest: Manifest | None = None
    problem = ""
    try:
        manifest, card = _public_part(profile.name, version.terms_id, session, version)
    except (TruthmarkError, OSError, ValueError) as error:
        problem = clean(error)
    epochs = session.catalogue.epochs(version.terms_id)
    states = session.catalogue.states(epochs)
    quote, why_not = _try_quote(session, version)
    return views.Dataset(
        ref=version.ref,
        title=clean(card["title"], 200) or "Untitled",
        description=_paragraphs(card["description"]),
        licence=clean(card["licence"], 256) or "unknown",
        status=_STATUS[version.status],
        size=size(manifest.size) if manifest else "unknown",
        seller=terms.seller,
        listed=_day(version.listed_at),
        problem=problem,
        counts=_counts(card),
        tables=_tables(card),
        price=_price(session, quote) if quote else None,
        why_not=why_not,
        listed_price=show(version.price, terms.token),
        delivery=duration(terms.delivery_seconds),
        inspection=duration(terms.inspection_seconds),
        bond=show(terms.bond, terms.token) if terms.bond else None,
        gate=None if terms.gate.lower() == ZERO_ADDRESS else terms.gate,
        custody=tuple(
            _custody(session, version, epoch, state)
            for epoch, state in reversed(list(zip(epochs, states, strict=True)))
        ),
        versions=tuple(
            views.Sibling(
                v.ref,
                _day(v.listed_at),
                show(v.price, v.terms.token),
                _STATUS[v.status] or "for sale",
            )
            for v in _versions(session)
            if v.listing_id == version.listing_id
        ),
        sold=_sold(session, version),
        uri=dataset_uri(session, version),
        evidence=_evidence(session, version, manifest, epochs),
    )


def _try_quote(session: Session, version: Version) -> tuple[Quote | None, str]:
    try:
        return Buyer(session).quote(version), ""
    except NotForSaleError as error:
        return None, clean(error)


def _price(session: Session, quote: Quote) -> views.Price:
    show, token = session.profile.format_amount, quote.version.terms.token
    custody = quote.epoch.custody
    protocol = quote.price * quote.version.terms.fee_bps // BPS
    return views.Price(
        price=show(quote.price, token),
        keepers=custody.keepers,
        fee=show(custody.fee, token) if custody.fee else None,
        custodians=custody.threshold,
        fees=show(quote.total - quote.price, token),
        total=show(quote.total, token),
        protocol_fee=show(protocol, token) if protocol else None,
    )


def _custody(session: Session, version: Version, epoch: Epoch, state: EpochState) -> views.Custody:
    custody, now = epoch.custody, _now(session)
    show = session.profile.format_amount
    is_good = state.status is CustodyStatus.LIVE and now <= state.end
    details: list[str] = []
    if state.status is CustodyStatus.OPENED and now <= custody.accept_until:
        missing = custody.count - len(bits(state.accepted))
        headline = f"Waiting for {plural(missing, 'custodian')} to accept"
        details.append(f"until {moment(custody.accept_until, now)}")
    elif not is_good:
        headline = "Ended: nothing can be bought from these keepers"
    elif custody.lock == 0:
        headline = "The seller keeps the key"
        details.append(f"until {moment(state.end, now)}")
        details.append("He hands it over himself, so his own program has to run.")
    else:
        headline = f"{custody.threshold} of {custody.count} custodians hand over the key"
        details.append(f"until {moment(state.end, now)}")
        details.append("Each has only a part of it. The seller may be offline.")
    if custody.lock:
        stake = session.profile.contracts["token"].address
        details.append(
            f"Each has {show(custody.lock, stake)} at stake; one who stays silent loses "
            f"{show(custody.penalty, stake)}."
        )
    try:
        check_custody(version.terms, custody, epoch.custodians, epoch.share_keys)
    except KeysError as error:
        is_good = False
        details.append(f"Do not buy from these: {clean(error)}")
    custodians = epoch.custodians if custody.lock else ()
    return views.Custody(headline, tuple(details), custodians, is_good)


def _sold(session: Session, version: Version) -> int:
    index = session.catalogue.follower.index
    table = index.table("market", "Purchased")
    query = sa.select(sa.func.count()).where(table.c.terms_id == version.terms_id)
    with index.read() as connection:
        return int(connection.execute(query).scalar_one())


def _evidence(
    session: Session, version: Version, manifest: Manifest | None, epochs: Sequence[Epoch]
) -> tuple[tuple[str, str], ...]:
    terms = version.terms
    return (
        ("Registry contract: terms, price, status, bond", session.chain.registry.address),
        ("Market contract: purchases, deliveries", session.chain.market.address),
        ("Id of the terms", f"0x{version.terms_id.hex()}"),
        ("Manifest", str(manifest.cid) if manifest else f"sha256 0x{terms.manifest.hex()}"),
        *(
            (("Container", str(manifest.container)), ("Card", str(manifest.card)))
            if manifest
            else ()
        ),
        (f"Root over {plural(terms.shard_count, 'shard')}", f"0x{terms.root.hex()}"),
        ("Dataset key", f"0x{terms.public_key.x:064x}"),
        ("Protocol fee", f"{terms.fee_bps} basis points of the price"),
        *((f"Custody, epoch {e.custody.epoch}", f"0x{e.custody_id.hex()}") for e in epochs),
    )


# ------------------------------------------------------------------ the visitor's account


def roles() -> tuple[str, ...]:
    """Return the roles of a local development network, whose homes lie beside each other."""
    if not is_local():
        return ()
    session = _reader().session
    folder = session.home.parent
    if not is_devnet(session.settings) or not (folder / "devnet.json").is_file():
        return ()
    return tuple(role for role in ROLES if (folder / role / "config.toml").is_file())


def role() -> str:
    """Return the role that the visitor plays; that of the machine's settings at first."""
    known = roles()
    chosen = st.session_state.get(_ROLE, load_settings().home.name)
    return chosen if chosen in known else (known[0] if known else "")


def choose_role(name: str) -> None:
    """Play another role from now on."""
    st.session_state[_ROLE] = name
    st.session_state.pop(_ACCOUNT, None)


def account_names() -> tuple[str, ...]:
    """Return the accounts of this machine by name."""
    return tuple(account.alias for account in _mine().wallet.accounts())


def choose_account(name: str) -> None:
    """Act as another account of this machine from now on."""
    st.session_state[_ACCOUNT] = name


def account() -> views.Account | None:
    """Return who acts; None where no account can: on a server of others, or before there is one.

    Raises:
        ConfigError: The settings name an account that is not there.
        ChainError: The chain cannot be read.
    """
    if not is_local():
        return None
    session = _mine()
    if session.settings.account is None:
        return None
    profile, address = session.profile, session.address
    held = session.chain.batch(
        [session.token(token.address).functions.balanceOf(address) for token in profile.tokens]
    )
    amounts = [
        f"{format_units(units, token.decimals)} {token.symbol}"
        for units, token in zip(held, profile.tokens, strict=True)
    ]
    return views.Account(
        name=session.settings.account,
        address=address,
        balances=(*amounts, profile.format_native(session.chain.balance(address))),
        is_locked=_is_locked(session),
    )


def unlock(passphrase: str) -> None:
    """Open the account's file for this visit.

    Raises:
        PassphraseError: It is not the one.
    """
    st.session_state[_TYPED] = passphrase
    try:
        _ = _mine().signer
    finally:
        del st.session_state[_TYPED]


def _mine() -> Session:
    """Return the visitor's own session, which may open keys of this machine.

    Raises:
        ConfigError: This is not the visitor's own machine.
    """
    if not is_local():
        raise ConfigError("this server holds nobody's keys; run the app on your own machine")
    home = load_settings().home
    if name := role():
        home = home.parent / name
    chosen = st.session_state.get(_ACCOUNT)
    wanted = (home, chosen)
    held = st.session_state.get(_SESSION)
    if held is not None:
        if held[0] == wanted:
            return held[1]  # type: ignore[no-any-return]
        held[1].close()
    session = connect(home, ask_passphrase=_passphrase, account=chosen)
    if session.settings.account is None and (known := session.wallet.accounts()):
        session = connect(home, ask_passphrase=_passphrase, account=known[0].alias)
    st.session_state[_SESSION] = (wanted, session)
    return session


def _passphrase(_: str) -> str:
    typed = st.session_state.get(_TYPED)
    if passphrase := typed or known_passphrase(_reader().session.settings):
        return str(passphrase)
    raise ConfigError("the account is locked; type its passphrase under your account's name")


def _is_locked(session: Session) -> bool:
    if "signer" in session.__dict__ or known_passphrase(session.settings):
        return False
    names = {n for a in session.wallet.accounts() for n in (a.alias, a.address)}
    return session.settings.account in names


# ---------------------------------------------------------------------------- buying


def prepare(ref: str, progress: Progress) -> views.Price:
    """Fetch a version, check every byte of it, and ask what it costs now; pays nothing.

    Raises:
        NotForSaleError: It cannot be bought now.
        PriceError: The account has not enough.
        TruthmarkError: It cannot be fetched, or is not what the seller committed to.
    """
    session = _mine()
    session.catalogue.sync()
    version = _find_version(session, ref)
    buyer = Buyer(session)
    buyer.fetch(version, progress)
    quote = buyer.quote(version)
    token = version.terms.token
    held = session.token(token).functions.balanceOf(session.address).call()
    if held < quote.total:
        shown = session.profile.format_amount
        raise MarketError(
            f"this costs {shown(quote.total, token)} and the account has {shown(held, token)}; "
            "send it more"
        )
    st.session_state[_QUOTE] = (session.address, version.ref, quote)
    return _price(session, quote)


def prepared(ref: str) -> views.Price | None:
    """Return the price that was asked for and not paid yet."""
    held = st.session_state.get(_QUOTE)
    if held is None or held[:2] != (_mine().address, ref):
        return None
    return _price(_mine(), held[2])


def forget_price() -> None:
    """Pay nothing after all."""
    st.session_state.pop(_QUOTE, None)


def pay(ref: str) -> None:
    """Pay what `prepare` said, and no more.

    Raises:
        MarketError: The price is not known.
        TruthmarkError: It cannot be bought, or the account is locked; nothing is paid twice.
    """
    session = _mine()
    held = st.session_state.get(_QUOTE)
    if held is None or held[:2] != (session.address, ref):
        raise MarketError("the price is not known any more; check the data set again")
    quote: Quote = held[2]
    Buyer(session).buy(quote, max_total=quote.total)
    forget_price()


def purchase_of(ref: str) -> views.Purchase | None:
    """Return the account's newest purchase of a version, refunded ones too, if there is any."""
    session = _synced_mine()
    version = _find_version(session, ref)
    found = session.catalogue.purchases(buyer=session.address, terms_id=version.terms_id)
    return _purchase(session, found[-1]) if found else None


def purchase_by_key(key: str) -> views.Purchase:
    """Return a purchase of the account as it is now.

    Raises:
        MarketError: It is not on the chain any more.
    """
    session = _mine()
    return _purchase(session, _find_purchase(session, key))


def purchases(page: int = 1) -> tuple[tuple[views.Purchase, ...], int]:
    """Return a page of the account's purchases, the newest first, and how many pages there are."""
    session = _synced_mine()
    found = session.catalogue.purchases(buyer=session.address)[::-1]
    pages = max(1, -(-len(found) // PAGE_SIZE))
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return tuple(_purchase(session, purchase) for purchase in shown), pages


def open_purchase(key: str, progress: Progress) -> views.Opened | views.WrongKey:
    """Combine the parts of a purchase's key, check it against all of the data, and open that.

    Raises:
        TruthmarkError: An endpoint lies, the data cannot be fetched, or a secret is missing.
    """
    session = _mine()
    purchase = _find_purchase(session, key)
    version = _version_of(session, purchase.terms_id)
    buyer = Buyer(session)
    folder = buyer.fetch(version, progress)
    try:
        opened = buyer.receive(version, purchase, folder)
    except WrongKeyComplaint as complaint:
        st.session_state[_COMPLAINT] = (key, complaint)
        return _wrong_key(session, complaint)
    with open_container(opened.folder, cek=opened.cek) as container:
        tables = [_first_rows(container, file) for file in container.tables[:_MAX_TABLES]]
        files = [file for file in container.files if not file.is_table]
        return views.Opened(
            tables=tuple(tables),
            files=tuple((clean(f.path, 200), size(f.size or 0)) for f in files[:_MAX_FILES]),
            file_count=len(files),
        )


def _first_rows(container: Container, file: File) -> views.Table:
    rows = range(min(FIRST_ROWS, file.rows or 0))
    table = container.to_table(file.path, rows=rows).slice(0, FIRST_ROWS)
    shown = views.Table(name=clean(file.path, 200), rows=file.rows)
    try:
        return replace(shown, sample=_rows(table.to_pylist()))
    except (ArithmeticError, LookupError, TypeError, ValueError, pa.ArrowException):
        # Arrow holds times, time zones and texts that Python has no value for.
        return replace(shown, note="its rows cannot be shown here; save it to use it elsewhere")


def save_purchase(key: str, folder: str, progress: Progress) -> str:
    """Write what was bought into a new folder as Parquet and files; return the folder.

    Raises:
        TruthmarkError: The folder cannot be made, or the data cannot be opened.
    """
    if not folder.strip():
        raise ConfigError("say where it should go; name a new folder")
    session = _mine()
    purchase = _find_purchase(session, key)
    version = _version_of(session, purchase.terms_id)
    buyer = Buyer(session)
    opened = buyer.receive(version, purchase, buyer.fetch(version))
    target = Path(folder.strip()).expanduser().absolute()
    with open_container(opened.folder, cek=opened.cek) as container:
        return str(container.extract(target, progress=progress))


def complain(key: str) -> str:
    """Prove on the chain that the key of a purchase is wrong; return what came back.

    Raises:
        MarketError: `open_purchase` has not found the key to be wrong.
        TruthmarkError: The market refuses, or the account is locked.
    """
    session = _mine()
    held = st.session_state.get(_COMPLAINT)
    if held is None or held[0] != key:
        raise MarketError("the key has to be checked first; open the purchase again")
    complaint: WrongKeyComplaint = held[1]
    Buyer(session).complain(complaint)
    token = complaint.opened.version.terms.token
    Upkeep(session).withdraw(token, session.address)
    st.session_state.pop(_COMPLAINT)
    return _brings(session, complaint)


def take_back(key: str) -> str:
    """Take the money of a purchase back that failed; return what came back.

    Raises:
        TruthmarkError: It cannot be refunded, or the account is locked.
    """
    session = _mine()
    purchase = _find_purchase(session, key)
    token = _version_of(session, purchase.terms_id).terms.token
    if not _is_refundable(session, purchase):
        raise MarketError("this purchase cannot be refunded now; reload the page")
    Upkeep(session).refund([purchase])
    Upkeep(session).withdraw(token, session.address)
    return _paid(session, purchase)


def owed() -> tuple[str, ...]:
    """Return what the contracts hold for the account, of each token that is listed."""
    session = _synced_mine()
    upkeep = Upkeep(session)
    amounts = (
        (sum(upkeep.owed(token.address, session.address).values()), token.address)
        for token in session.profile.tokens
    )
    return tuple(session.profile.format_amount(a, token) for a, token in amounts if a)


def withdraw() -> None:
    """Pay out to the account all that the contracts hold for it.

    Raises:
        TruthmarkError: A contract refuses, or the account is locked.
    """
    session = _mine()
    for token in session.profile.tokens:
        Upkeep(session).withdraw(token.address, session.address)


def _synced_mine() -> Session:
    session = _mine()
    session.catalogue.sync()
    return session


def _find_purchase(session: Session, key: str) -> Purchase:
    session.catalogue.sync()
    found = session.catalogue.purchases(purchase_id=bytes.fromhex(key))
    if not found:
        raise MarketError("the purchase is not on the chain any more; reload the page")
    return found[0]


def _paid(session: Session, purchase: Purchase) -> str:
    custody = session.catalogue.epoch(purchase.custody_id).custody
    token = _version_of(session, purchase.terms_id).terms.token
    return session.profile.format_amount(purchase_cost(purchase.receipt.price, custody), token)


def _is_refundable(session: Session, purchase: Purchase) -> bool:
    if overdue([purchase], _now(session)):
        return True
    version = _version_of(session, purchase.terms_id)
    is_open = purchase.status in (PurchaseStatus.PAID, PurchaseStatus.DELIVERED)
    return is_open and version.status is VersionStatus.DEAD


def _purchase(session: Session, purchase: Purchase) -> views.Purchase:
    version = _version_of(session, purchase.terms_id)
    threshold = session.catalogue.epoch(purchase.custody_id).custody.threshold
    card = _reader().cards.read([version], _PATIENCE_SECONDS).get(version.terms_id)
    can_refund = _is_refundable(session, purchase)
    has_key = purchase.status in (PurchaseStatus.DELIVERED, PurchaseStatus.SETTLED)
    return views.Purchase(
        key=purchase.purchase_id.hex(),
        ref=version.ref,
        title=card.title if card else "its description cannot be read now",
        paid=_paid(session, purchase),
        bought=moment(purchase.bought_at),
        steps=_steps(purchase, threshold, can_refund),
        note=_note(session, purchase, version, can_refund),
        can_open=has_key,
        can_refund=can_refund,
        is_over=purchase.status in (PurchaseStatus.SETTLED, PurchaseStatus.REFUNDED),
    )


def _steps(purchase: Purchase, threshold: int, is_failed: bool) -> tuple[views.Step, ...]:
    """Return paid → part 1 of t → ... → verified, each with how far it is."""
    came = min(len(purchase.delivered), threshold)
    is_verified = purchase.status in (PurchaseStatus.DELIVERED, PurchaseStatus.SETTLED)
    steps = [views.Step("Paid", Mark.DONE)]
    steps += [
        views.Step(f"Part {i} of {threshold}", Mark.DONE if i <= came else Mark.TODO)
        for i in range(1, threshold + 1)
    ]
    steps.append(views.Step("Verified", Mark.DONE if is_verified else Mark.TODO))
    if purchase.status is PurchaseStatus.REFUNDED:
        return (*(s for s in steps if s.mark is Mark.DONE), views.Step("Refunded", Mark.DONE))
    at = next((i for i, step in enumerate(steps) if step.mark is Mark.TODO), None)
    if at is not None:
        steps[at] = replace(steps[at], mark=Mark.FAILED if is_failed else Mark.NOW)
    return tuple(steps)


def _note(session: Session, purchase: Purchase, version: Version, can_refund: bool) -> str:
    now = _now(session)
    until = moment(purchase.deadline, now)
    if purchase.status is PurchaseStatus.REFUNDED:
        return "Your money was given back."
    if purchase.status is PurchaseStatus.SETTLED:
        return "Finished: the seller is paid, and the data is yours to open."
    if version.status is VersionStatus.DEAD:
        return "The key of this data set was proven wrong: take your money back."
    if can_refund:
        return "The key did not come in time: take your money back."
    if purchase.status is PurchaseStatus.PAID:
        return f"The key comes until {until}, or you can take your money back."
    if now > purchase.deadline:
        return "The contract has verified the key. The time for complaints is over."
    return (
        "The contract has verified the key. The seller is paid later; should the key not open the "
        f"data, you can complain until {until}."
    )


def _wrong_key(session: Session, complaint: WrongKeyComplaint) -> views.WrongKey:
    opened, now = complaint.opened, _now(session)
    cost = Buyer(session).complaint_cost(complaint)
    return views.WrongKey(
        cost="" if cost is None else session.profile.format_native(cost),
        brings=_brings(session, complaint),
        until=moment(opened.purchase.deadline, now),
        is_late=now > opened.purchase.deadline,
    )


def _brings(session: Session, complaint: WrongKeyComplaint) -> str:
    opened = complaint.opened
    token = opened.version.terms.token
    reward = session.profile.format_amount(complaint.reward, token)
    return f"{_paid(session, opened.purchase)} and {reward} of the seller's bond"


# --------------------------------------------------------------------------- selling


def sell_options() -> views.SellOptions:
    """Return what a seller may choose from on this network."""
    session = _reader().session
    return views.SellOptions(
        tokens=tokens(),
        windows=tuple(
            (
                name,
                f"{name}: the key comes within {duration(preset.delivery)}, then "
                f"{duration(preset.inspection)} to complain",
            )
            for name, preset in session.profile.windows.items()
        ),
        custodians=sum(offer.is_available for offer in session.catalogue.offers()),
    )


@contextlib.contextmanager
def uploaded(name: str, data: bytes) -> Iterator[str]:
    """Give the path of a file with these bytes on this machine, which is gone afterwards."""
    home = _mine().home
    with tempfile.TemporaryDirectory(prefix=".upload-", dir=home) as folder:
        path = Path(folder) / (Path(name).name or "data")
        path.write_bytes(data)
        yield str(path)


def pack(
    source: str,
    *,
    title: str,
    description: str,
    licence: str,
    samples: int,
    show_columns: bool,
    show_counts: bool,
    progress: Progress,
) -> views.Packed:
    """Encrypt a file or folder of this machine under a fresh key; nothing becomes public yet.

    Raises:
        ConfigError: There is no such file, or an option cannot be used.
        CodecError: It cannot be packed.
    """
    session = _mine()
    path = Path(source.strip()).expanduser()
    if not source.strip() or not path.exists():
        raise ConfigError(
            f"there is nothing at {clean(source, 200) or 'no path'}; correct the path"
        )
    folder = session.home / "packed" / f"{path.stem[:40] or 'data'}-{secrets.token_hex(4)}"
    packed = pack_dataset(
        path,
        folder,
        session.vault,
        licence=licence.strip(),
        title=" ".join(title.split()) or path.stem,
        description=description,
        card=CardPolicy(schema=show_columns, counts=show_counts, samples=samples),
        progress=progress,
    )
    return _packed(session, packed.folder, len(packed.skipped))


def discard(packed: views.Packed) -> None:
    """Forget what was packed and not listed; its key stays in the vault, where it does no harm."""
    folder = Path(packed.folder)
    if folder.parent == _mine().home / "packed":
        shutil.rmtree(folder, ignore_errors=True)


def _packed(session: Session, folder: Path, skipped: int) -> views.Packed:
    manifest = read_manifest(folder)
    card = read_card((folder / "card.json").read_bytes())
    return views.Packed(
        folder=str(folder),
        title=clean(card["title"], 200),
        description=_paragraphs(card["description"]),
        licence=clean(card["licence"], 256),
        size=size(manifest.size),
        counts=_counts(card),
        tables=_tables(card),
        skipped=skipped,
        needs_backup=not is_covered(session.home, "seller-secret", _secret_name(manifest)),
    )


def _secret_name(manifest: Manifest) -> str:
    return f"{manifest.public_key.x:064x}"


class _TypedPassphrase(State):
    """What `write_backup` asks for, typed into a page."""

    def __init__(self, home: Path, typed: str) -> None:
        super().__init__(home)
        self.typed = typed

    def new_passphrase(self, what: str) -> str:
        return self.typed


def back_up(file: str, passphrase: str) -> int:
    """Write all of the account's secrets into a new encrypted file; return how many.

    Raises:
        ConfigError: The file is there already, or there is no passphrase.
        KeysError: It cannot be written.
    """
    if not passphrase or not file.strip():
        raise ConfigError("a backup needs a file and a passphrase; choose both")
    session = _mine()
    target = Path(file.strip()).expanduser().absolute()
    return write_backup(_TypedPassphrase(session.home, passphrase), session.home, target)


def list_packed(
    packed: views.Packed,
    *,
    price: Decimal,
    token: str,
    windows: str,
    custodians: int,
    threshold: int,
    days: int,
    bond: Decimal,
    progress: Progress,
) -> str:
    """Put packed data up for sale and return its name, such as `17@1`.

    Args:
        packed: What `pack` returned.
        price: In units of `token`.
        token: Symbol of the sale token.
        windows: Name of a preset.
        custodians: How many keep the key; 0: the seller.
        threshold: How many of them make the key.
        days: How long they stay.
        bond: What the seller puts up, in units of `token`.
        progress: Called with bytes stored and to be stored.

    Raises:
        TruthmarkError: There are not enough custodians, a contract refuses, there is no backup,
            or the account is locked.
    """
    session = _mine()
    folder = Path(packed.folder)
    if not is_covered(session.home, "seller-secret", _secret_name(read_manifest(folder))):
        raise ConfigError("without a backup you could lose what you sell; make the backup first")
    version = list_dataset(
        folder,
        price=f"{price:f} {token}",
        custodians=custodians,
        threshold=threshold,
        windows=windows,
        term_days=days,
        bond=f"{bond:f} {token}" if bond else None,
        session=session,
        progress=progress,
    )
    return version.ref


def acceptance(ref: str) -> views.Acceptance:
    """Return how far the custodians of a version's newest custody are.

    Raises:
        ChainError: The chain cannot be read.
    """
    session = _synced_mine()
    epoch = session.catalogue.epochs(_find_version(session, ref).terms_id)[-1]
    problem, is_live = "", False
    try:
        is_live = Seller(session).is_live(epoch)
    except NotForSaleError as error:
        problem = clean(error)
    accepted = len(bits(session.catalogue.states([epoch])[0].accepted))
    return views.Acceptance(
        accepted, epoch.custody.count, is_live, epoch.custody.lock == 0, problem
    )


# --------------------------------------------------------------------------- network


def network() -> views.Network:
    """Return what the app is connected to, and how that is."""
    session = _reader().session
    profile, chain = session.profile, session.chain
    head = chain.block()
    tip = session.catalogue.follower.index.tip()
    counts = session.catalogue.follower.index.counts()
    return views.Network(
        name=profile.name,
        chain_id=profile.chain_id,
        height=head.number,
        time=moment(head.timestamp),
        indexed=tip.number,
        health=tuple(_health(session, head.number - tip.number, head.timestamp)),
        contracts=tuple(
            (*_CONTRACTS.get(name, (name.capitalize(), "")), info.address)
            for name, info in profile.contracts.items()
        ),
        tokens=tuple((token.symbol, token.address) for token in profile.tokens),
        parameters=_parameters(session),
        totals=(
            ("Versions listed", f"{counts['registry_version_listed']:,}"),
            ("Purchases", f"{counts['market_purchased']:,}"),
            ("Parts of keys delivered", f"{counts['market_delivered']:,}"),
            ("Refunds", f"{counts['market_refunded']:,}"),
        ),
    )


def _health(session: Session, lag: int, chain_time: int) -> Iterable[views.Health]:
    profile = session.profile
    hosts = ", ".join(urlsplit(url).hostname or "?" for url in profile.rpc)
    yield views.Health("Chain", True, f"answers, by way of {clean(hosts, 200)}")
    yield views.Health("Contracts", True, "their code is what the profile says")
    yield views.Health("Index", lag <= 3, f"{plural(max(lag, 0), 'block')} behind the chain")
    yield _storage_health(session)
    ahead = chain_time - int(time.time())
    # Where time is warped, deadlines still go by the chain.
    is_close = abs(ahead) <= max(120, 5 * profile.block_time)
    side = "ahead of" if ahead > 0 else "behind"
    text = "as this machine's"
    if not is_close:
        text = f"{duration(ahead)} {side} this machine's; deadlines go by the chain's"
    yield views.Health("Chain time", is_close, text)


def _storage_health(session: Session) -> views.Health:
    newest = _versions(session)[:1]
    try:
        for version in newest:
            Buyer(session).manifest(version.terms.manifest)
    except (TruthmarkError, OSError) as error:
        return views.Health("Storage", False, clean(error))
    text = "reads what was listed last" if newest else "nothing was listed yet"
    return views.Health("Storage", True, text)


def _parameters(session: Session) -> tuple[tuple[str, str], ...]:
    chain, profile = session.chain, session.profile
    registry, staking = chain.registry.functions, chain.staking.functions
    fee, most, low, high, ticket, unbonding = chain.batch(
        [
            registry.fee_bps(),
            registry.MAX_FEE_BPS(),
            registry.MIN_WINDOW(),
            registry.MAX_WINDOW(),
            staking.TICKET(),
            staking.UNBONDING_SECONDS(),
        ]
    )
    stake = profile.contracts["token"].address
    return (
        ("Protocol fee", f"{_percent(fee)} of the price, at most {_percent(most)}"),
        ("Windows of a sale", f"from {duration(low)} to {duration(high)}"),
        ("One ticket of stake", profile.format_amount(ticket, stake)),
        ("Stake comes back after", duration(unbonding)),
        ("Counts as final after", plural(profile.confirmations, "block")),
    )


# ---------------------------------------------------------------- what others have written


def _percent(share_bps: int) -> str:
    return f"{Decimal(share_bps) * 100 / BPS:f} %"


def _day(unix: int) -> str:
    return moment(unix).partition(" ")[0]


def _paragraphs(text: str) -> str:
    return "\n".join(clean(line) for line in text.split("\n")[:_MAX_LINES])


def _dicts(value: object) -> list[dict[str, Any]]:
    return [e for e in value if isinstance(e, dict)] if isinstance(value, list) else []


def _number(value: object) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return int(value) if is_number else 0  # type: ignore[call-overload]


def _counts(card: dict[str, Any]) -> tuple[views.Count, ...]:
    return tuple(
        views.Count(
            clean(entry.get("split") or "", 80),
            _number(entry.get("rows")),
            _number(entry.get("tables")),
            _number(entry.get("files")),
        )
        for entry in _dicts(card.get("counts"))[:_MAX_TABLES]
    )


def _tables(card: dict[str, Any]) -> tuple[views.Table, ...]:
    samples = card.get("samples")
    samples = samples if isinstance(samples, list) else []
    described = _dicts(card.get("tables"))[:_MAX_TABLES]
    tables = []
    for i in range(min(max(len(described), len(samples)), _MAX_TABLES)):
        entry = described[i] if i < len(described) else {}
        columns = tuple(
            (clean(c.get("name"), 120), clean(c.get("type"), 120))
            for c in _dicts(entry.get("columns"))[:_MAX_COLUMNS]
        )
        order = [name for name, _ in columns]
        sample = _rows(samples[i] if i < len(samples) else [], order)
        tables.append(views.Table(clean(entry.get("split") or "", 80), columns, sample=sample))
    return tuple(tables)


def _rows(rows: object, order: Sequence[str] = ()) -> tuple[dict[str, Any], ...]:
    """Return rows of which every column holds either numbers or texts.

    Args:
        rows: What should be a list of objects.
        order: Names of columns that come first, in this order.
    """
    kept = [
        {clean(key, 120): value for key, value in list(row.items())[:_MAX_COLUMNS]}
        for row in _dicts(rows)[:100]
    ]
    found = dict.fromkeys(name for row in kept for name in row)
    names = list(dict.fromkeys([*(name for name in order if name in found), *found]))
    numeric = {name for name in names if all(_is_number(row.get(name)) for row in kept)}
    return tuple(
        {name: row.get(name) if name in numeric else _text(row.get(name)) for name in names}
        for row in kept
    )


def _is_number(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**53
    return value is None or isinstance(value, float)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return clean(value, 200)
