# SPDX-License-Identifier: Apache-2.0
"""Signs of life: who of those that offer to keep keys is there, and whether a seller still is.

An offer says what somebody once wanted. That a node runs behind it shows by what only a node does:
accepting, extending, delivering within the last day; or by its signed answer now. Publishing an
offer is done by hand, so it shows less: it puts a validator before those who were not seen at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from truthmark.market.asking import PATIENCE_SECONDS, ask_all
from truthmark.market.catalogue import Offer, Version
from truthmark.market.session import is_devnet

if TYPE_CHECKING:
    from truthmark.market.session import Session

RECENT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of a validator.

    Attributes:
        answers: Its node has just answered, by its operator's signature.
        has_acted: It accepted, extended or delivered within a day.
        has_offered: It published its offer within a day.
    """

    answers: bool = False
    has_acted: bool = False
    has_offered: bool = False

    @property
    def shows_life(self) -> bool:
        """Whether a node seems to run."""
        return self.answers or self.has_acted

    @property
    def rank(self) -> int:
        """The smaller, the sooner it is chosen."""
        return 0 if self.shows_life else 1 if self.has_offered else 2


def find_signs(
    session: "Session", offers: Sequence[Offer], *, patience: float = PATIENCE_SECONDS
) -> dict[str, Signs]:
    """Return what is known of validators, by address; `sync` the catalogue before.

    Args:
        session: Whose chain and index are read.
        offers: The validators' offers.
        patience: Seconds to wait for the answers of their nodes.
    """
    if not offers:
        return {}
    chain, now = session.chain, session.chain.time()
    answering = ask_all(
        offers,
        chain_id=session.profile.chain_id,
        staking=chain.staking.address,
        now=now,
        allow_private=is_devnet(session.settings),
        patience=patience,
    )
    acting, offering = _seen(session, now - RECENT_SECONDS)
    return {
        offer.validator.address: Signs(
            answers=offer.validator.address in answering,
            has_acted=offer.validator.address in acting,
            has_offered=offer.validator.address in offering,
        )
        for offer in offers
    }


def seller_seen_at(session: "Session", version: Version) -> int:
    """Return when the seller of a version last did something on the chain, Unix time.

    Listing, repricing, dealing the key, and delivering what they keep; `sync` the catalogue
    before.
    """
    index, catalogue = session.catalogue.follower.index, session.catalogue
    mine = catalogue.versions(seller=version.terms.seller)
    seen = max((v.listed_at for v in mine), default=version.listed_at)
    listed = index.table("registry", "VersionListed").c
    own = sa.select(listed.terms_id).where(listed.seller == version.terms.seller)
    opened = index.table("registry", "CustodyOpened").c
    direct = sa.select(opened.custody_id).where(
        opened.terms_id.in_(own), opened.custody_lock == sa.literal(0, opened.custody_lock.type)
    )
    for role, event, column, wanted in (
        ("registry", "VersionRepriced", "terms_id", own),
        ("registry", "VersionPaused", "terms_id", own),
        ("registry", "CustodyOpened", "terms_id", own),
        ("registry", "CustodyExtended", "custody_id", direct),
        ("market", "Delivered", "custody_id", direct),
    ):
        table, blocks = index.table(role, event), index.schema.blocks
        query = (
            sa.select(sa.func.max(blocks.c.timestamp))
            .join(table, blocks.c.number == table.c.block_number)
            .where(table.c[column].in_(wanted))
        )
        with index.read() as connection:
            seen = max(seen, connection.execute(query).scalar() or 0)
    return seen


def is_seller_silent(session: "Session", version: Version) -> bool:
    """Whether a seller did nothing on the chain for a day; `sync` the catalogue before."""
    return seller_seen_at(session, version) < session.chain.time() - RECENT_SECONDS


def _seen(session: "Session", since: int) -> tuple[set[str], set[str]]:
    """Return the validators whose nodes acted since a time, and those who published an offer."""
    index = session.catalogue.follower.index
    blocks = index.schema.blocks
    with index.read() as connection:
        first = connection.execute(
            sa.select(sa.func.min(blocks.c.number)).where(blocks.c.timestamp >= since)
        ).scalar()
    if first is None:
        return set(), set()
    after = (first - 1, 2**31)
    acting = {
        row.args["custodian"]
        for event in ("CustodyAccepted", "CustodyExtended")
        for row in index.events("registry", event, after=after)
    }
    delivered = index.events("market", "Delivered", after=after)
    table = index.table("market", "Delivered").c
    named = sa.select(table.custody_id).where(table.block_number >= first)
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
