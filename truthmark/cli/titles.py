# SPDX-License-Identifier: Apache-2.0
"""What data sets are called, where only their numbers are known."""

from collections.abc import Sequence

from truthmark.market.cards import Cards
from truthmark.market.entries import Version
from truthmark.session import Session
from truthmark.text import clean
from truthmark.waiting import Deadline

_PATIENCE = 3.0
"""Seconds to wait for cards that were not read before; a title is not worth more."""


def titles(session: Session, versions: Sequence[Version]) -> dict[bytes, str]:
    """Return titles by terms, safe to show; those that are not to be had are left out."""
    cards = Cards.of(session).read(versions, Deadline(_PATIENCE))
    return {terms_id: clean(card.title, 100) for terms_id, card in cards.items() if card}
