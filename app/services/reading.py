# SPDX-License-Identifier: Apache-2.0
"""What all visitors read alike: one session without keys, its index, and cards of listings."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import streamlit as st

from truthmark.bounty import reader
from truthmark.bounty.flows.board import Brief, Past, indexed_briefs, pasts_of
from truthmark.bounty.headings import Headings
from truthmark.config.settings import load_settings
from truthmark.errors import ConfigError, MarketError, NotForSaleError
from truthmark.market.cards import Cards
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase, Version
from truthmark.session import Session, open_session
from truthmark.text import clean

_SYNC_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 0.5  # that a page waits for descriptions; the rest comes later
_RETRY_SECONDS: Final = 30.0
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
# Whatever changes which versions there are, and how they stand.
_VERSION_EVENTS: Final = (
    "VersionListed",
    "VersionRepriced",
    "VersionPaused",
    "VersionRetired",
    "VersionRevoked",
    "VersionClosed",
)
_BOARD_EVENTS: Final = (
    *("BountyCreated", "Enrolled", "JoiningClosed", "SeedFixed", "Committed", "CommitOverridden"),
    *("Scored", "BountyEnded", "PaidOut"),
)


def is_local() -> bool:
    """Whether this is the visitor's own machine, so that its keys may be used.

    It has to be said by `TRUTHMARK_APP_LOCAL=1`, and the server must be out of others' reach.
    """
    return (
        os.environ.get("TRUTHMARK_APP_LOCAL") == "1"
        and st.get_option("server.address") in _LOOPBACK
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """What all visitors read from; it has no account."""

    session: Session
    cards: Cards
    headings: Headings


def shared_session() -> Session:
    """Return the reader's session, without a look whether its index is in step with the chain.

    Raises:
        ConfigError: The settings cannot be used.
    """
    settings = load_settings()
    return _open_reader(repr((settings, settings.chain_profile()))).session


def shared_reader() -> _Reader:
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
    session = open_session()
    return _Reader(
        session,
        Cards.of(session, retry_seconds=_RETRY_SECONDS),
        Headings.of(session, retry_seconds=_RETRY_SECONDS),
    )


@st.cache_resource(ttl=_SYNC_SECONDS, max_entries=4, show_spinner=False)
def _sync(key: str, _session: Session) -> float:
    Catalogue.of(_session).sync()
    return time.monotonic()


def forget_sync() -> None:
    """Look at the chain again at once, as something was just done."""
    _sync.clear()


def chain_now(session: Session) -> int:
    """Return chain time as far as the index knows it."""
    return Catalogue.of(session).index.tip().timestamp


def listed_versions(session: Session) -> tuple[Version, ...]:
    """Return every version, the newest listing first; they are read again when one has changed."""
    mark = mark_of(session, [("registry", event) for event in _VERSION_EVENTS])
    return _read_versions(f"{session.home} {session.profile.name}", mark, session)


def mark_of(session: Session, events: Iterable[tuple[str, str]]) -> bytes:
    """Return what changes when one of some events comes, or is taken back by the chain."""
    index = Catalogue.of(session).index
    with index.read() as connection:
        tops = (
            connection.scalar(f"SELECT max(block_number) FROM {index.table(*event)}")  # noqa: S608
            for event in events
        )
        newest = max((top for top in tops if top is not None), default=-1)
        # A block's hash commits to all before it, so nothing else needs to be compared.
        mark = connection.scalar("SELECT hash FROM blocks WHERE number = ?", (newest,))
    return bytes(mark or b"")


@st.cache_resource(max_entries=4, show_spinner=False)
def _read_versions(place: str, mark: bytes, _session: Session) -> tuple[Version, ...]:
    return tuple(Catalogue.of(_session).versions())


@dataclass(frozen=True, slots=True)
class Board:
    """All bounties, and what became of each requester's.

    Attributes:
        briefs: By number, the newest first.
        pasts: By requester.
    """

    briefs: Mapping[int, Brief]
    pasts: Mapping[str, Past]


def board(session: Session) -> Board:
    """Return all bounties; they are read again when one has changed.

    Raises:
        ConfigError: This network has no bounties.
    """
    if reader.BOARD not in session.profile.contracts:
        raise ConfigError("this network has no bounties; choose another network")
    mark = mark_of(session, [(reader.BOARD, event) for event in _BOARD_EVENTS])
    return _read_board(f"{session.home} {session.profile.name}", mark, session)


@st.cache_resource(max_entries=4, show_spinner=False)
def _read_board(place: str, mark: bytes, _session: Session) -> Board:
    index = Catalogue.of(_session).index
    briefs = {brief.bounty_id: brief for brief in indexed_briefs(index)}
    return Board(briefs, pasts_of(index))


def find_version(session: Session, ref: str) -> Version:
    """Return the version that a page names: 17 is the newest of listing 17."""
    for version in listed_versions(session):
        if ref in (str(version.listing_id), version.ref):
            return version
    raise NotForSaleError(f"there is no data set {clean(ref, 40)} here; look on the market page")


def version_of(session: Session, terms_id: bytes) -> Version:
    """Return the version with these terms."""
    for version in listed_versions(session):
        if version.terms_id == terms_id:
            return version
    raise NotForSaleError("this data set is not on the chain any more; reload the page")


def find_purchase(session: Session, key: str) -> Purchase:
    """Return the purchase that a page names, as the chain has it now.

    Raises:
        MarketError: It is not on the chain any more.
    """
    Catalogue.of(session).sync()
    found = Catalogue.of(session).purchases(purchase_id=bytes.fromhex(key))
    if not found:
        raise MarketError("the purchase is not on the chain any more; reload the page")
    return found[0]
