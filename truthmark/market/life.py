# SPDX-License-Identifier: Apache-2.0
"""Signs of life: who of those that offer to keep keys is there, and whether a seller still is.

An offer says what somebody once wanted. That a node runs behind it shows by what only a node does:
accepting, extending, delivering within the last day; or by its signed answer now. Where an offer
names an address and nothing answers there, the node has stopped since, whatever it did before.
Publishing an offer is done by hand, so it shows less: it puts a validator before those who were not
seen at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from truthmark.index.sql import Sql, is_one_of, quoted
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import ValidatorOffer, Version
from truthmark.session import Session, private_networks

RECENT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of a validator.

    Attributes:
        answers: Its node has just answered, by its operator's signature.
        has_acted: It accepted, extended or delivered within a day.
        has_offered: It published its offer within a day.
        is_silent: Its offer names an address, and nothing answered there just now.
    """

    answers: bool = False
    has_acted: bool = False
    has_offered: bool = False
    is_silent: bool = False

    @property
    def shows_life(self) -> bool:
        """Whether a node seems to run."""
        return self.answers or (self.has_acted and not self.is_silent)

    @property
    def rank(self) -> int:
        """The smaller, the sooner it is chosen."""
        signs = (self.shows_life, self.has_acted, self.has_offered, True)
        return signs.index(True)


def find_signs(
    session: Session, offers: Sequence[ValidatorOffer], *, patience: float | None = None
) -> dict[str, Signs]:
    """Return what is known of validators, by address; `sync` the catalogue before.

    Args:
        session: Whose chain and index are read.
        offers: The validators' offers.
        patience: Seconds to wait for the answers of their nodes; four if not given.
    """
    if not offers:
        return {}
    # Who asks nobody does not wait until an HTTP client is loaded.
    from truthmark.market.asking import PATIENCE_SECONDS, ask_all, who_is_asked

    chain, now = session.chain, session.chain.time()
    answering = ask_all(
        offers,
        chain_id=session.profile.chain_id,
        staking=chain.staking.address,
        now=now,
        private=private_networks(session.settings),
        patience=PATIENCE_SECONDS if patience is None else patience,
    )
    silent = {o.validator.address for o in who_is_asked(offers)} - answering
    acting, offering = _seen(session, now - RECENT_SECONDS)
    return {
        offer.validator.address: Signs(
            answers=offer.validator.address in answering,
            has_acted=offer.validator.address in acting,
            has_offered=offer.validator.address in offering,
            is_silent=offer.validator.address in silent,
        )
        for offer in offers
    }


def seller_seen_at(session: Session, version: Version) -> int:
    """Return when the seller of a version last did something on the chain, Unix time.

    Listing, repricing, dealing the key, and delivering what they keep; `sync` the catalogue
    before.
    """
    index, catalogue = Catalogue.of(session).index, Catalogue.of(session)
    mine = catalogue.versions(seller=version.terms.seller)
    seen = max((v.listed_at for v in mine), default=version.listed_at)
    listed = index.table("registry", "VersionListed")
    own = Sql(f"SELECT terms_id FROM {listed} WHERE seller = ?", (version.terms.seller,))  # noqa: S608
    opened = index.table("registry", "CustodyOpened")
    direct = Sql(
        f"SELECT custody_id FROM {opened} WHERE custody_lock = 0 AND terms_id IN ({own.text})",  # noqa: S608
        own.values,
    )
    for role, event, column, wanted in (
        ("registry", "VersionRepriced", "terms_id", own),
        ("registry", "VersionPaused", "terms_id", own),
        ("registry", "CustodyOpened", "terms_id", own),
        ("registry", "CustodyExtended", "custody_id", direct),
        ("market", "Delivered", "custody_id", direct),
    ):
        among = is_one_of(f"e.{quoted(column)}", wanted)
        query = (
            "SELECT max(b.timestamp) FROM blocks b "  # noqa: S608
            f"JOIN {index.table(role, event)} e ON b.number = e.block_number WHERE {among.text}"
        )
        with index.read() as connection:
            seen = max(seen, connection.scalar(query, among.values) or 0)
    return seen


def is_seller_silent(session: Session, version: Version) -> bool:
    """Whether a seller did nothing on the chain for a day; `sync` the catalogue before."""
    return seller_seen_at(session, version) < session.chain.time() - RECENT_SECONDS


def _seen(session: Session, since: int) -> tuple[set[str], set[str]]:
    """Return the validators whose nodes acted since a time, and those who published an offer."""
    index = Catalogue.of(session).index
    with index.read() as connection:
        first = connection.scalar("SELECT min(number) FROM blocks WHERE timestamp >= ?", (since,))
    if first is None:
        return set(), set()
    after = (first - 1, 2**31)
    acting = {
        row.args["custodian"]
        for event in ("CustodyAccepted", "CustodyExtended")
        for row in index.events("registry", event, after=after)
    }
    delivered = index.events("market", "Delivered", after=after)
    table = index.table("market", "Delivered")
    named = Sql(f"SELECT custody_id FROM {table} WHERE block_number >= ?", (first,))  # noqa: S608
    custodians = {
        bytes(row.args["custody_id"]): row.args["custodians"]
        for row in index.events("registry", "CustodyOpened", custody_id=named)
    }
    acting |= {
        custodians[bytes(row.args["custody_id"])][row.args["index"] - 1]
        for row in delivered
        if bytes(row.args["custody_id"]) in custodians
    }
    offering = {
        row.args["validator"] for row in index.events("staking", "OfferPublished", after=after)
    }
    return acting, offering
