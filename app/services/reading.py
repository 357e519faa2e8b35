# SPDX-License-Identifier: Apache-2.0
"""What all visitors read alike: one session without keys, its index, and cards of listings."""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import streamlit as st

from app.services.texts import counts_of
from truthmark.config.settings import load_settings
from truthmark.errors import (
    NotForSaleError,
    TruthmarkError,
)
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.purchase import Buyer
from truthmark.session import Session, open_session
from truthmark.text import clean
from truthmark.waiting import Deadline

_SUMMARY: Final = 160
_SEARCHED: Final = 4_000  # characters of a description
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


def is_local() -> bool:
    """Whether this is the visitor's own machine, so that its keys may be used.

    It has to be said by `TRUTHMARK_APP_LOCAL=1`, and the server must be out of others' reach.
    """
    return (
        os.environ.get("TRUTHMARK_APP_LOCAL") == "1"
        and st.get_option("server.address") in _LOOPBACK
    )


@dataclass(frozen=True, slots=True)
class Public:
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
        self._found: dict[bytes, Public | None] = {}
        self._failed_at: dict[bytes, float] = {}
        self._wanted: deque[Version] = deque()
        self._queued: set[bytes] = set()
        self._change = threading.Condition()
        for _ in range(4):
            threading.Thread(target=self._work, name="cards", daemon=True).start()

    def read(self, versions: Sequence[Version], patience: float) -> dict[bytes, Public | None]:
        """Return what is known of versions by now; None where a card cannot be read.

        Args:
            versions: Which, the most wanted first.
            patience: Seconds to wait for those that are missing.
        """
        deadline = Deadline(patience)
        wanted = [v.terms_id for v in versions]
        with self._change:
            due = [v for v in versions if v.terms_id not in self._queued and self._is_due(v)]
            self._queued.update(version.terms_id for version in due)
            # Before what was asked for earlier: somebody is waiting for these now.
            self._wanted.extendleft(reversed(due))
            self._change.notify_all()
            while not all(key in self._found for key in wanted):
                if deadline.is_over or not self._change.wait(deadline.left):
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

    def _read_one(self, version: Version) -> Public | None:
        try:
            card = self._buyer.preview(version)
            manifest = self._buyer.manifest(version.terms.manifest)
        except (TruthmarkError, OSError, ValueError):
            return None
        counts = counts_of(card)
        title = clean(card["title"], 200) or "Untitled"
        return Public(
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
    return _Reader(session, _Cards(session))


@st.cache_resource(ttl=_SYNC_SECONDS, max_entries=4, show_spinner=False)
def _sync(key: str, _session: Session) -> float:
    Catalogue.of(_session).sync()
    return time.monotonic()


def chain_now(session: Session) -> int:
    """Return chain time as far as the index knows it."""
    return Catalogue.of(session).index.tip().timestamp


def listed_versions(session: Session) -> tuple[Version, ...]:
    """Return every version, the newest listing first; they are read again when one has changed."""
    index = Catalogue.of(session).index
    with index.read() as connection:
        tops = (
            connection.scalar(f"SELECT max(block_number) FROM {index.table('registry', event)}")  # noqa: S608
            for event in _VERSION_EVENTS
        )
        newest = max((top for top in tops if top is not None), default=-1)
        # A block's hash commits to all before it, so nothing else needs to be compared.
        mark = connection.scalar("SELECT hash FROM blocks WHERE number = ?", (newest,))
    return _read_versions(f"{session.home} {session.profile.name}", bytes(mark or b""), session)


@st.cache_resource(max_entries=4, show_spinner=False)
def _read_versions(place: str, mark: bytes, _session: Session) -> tuple[Version, ...]:
    return tuple(Catalogue.of(_session).versions())


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
