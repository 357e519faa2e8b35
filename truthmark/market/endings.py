# SPDX-License-Identifier: Apache-2.0
"""Why a version was revoked, as the chain tells it."""

from typing import Final

from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.session import Session

REVOKED_TEXT: Final = "its key or its sealing was proven wrong, or its arbiter ended it"
"""Where it is not looked up which of them it was."""

_WHY: Final = {
    "KeyDisputed": "its key was proven wrong",
    "SealingDisputed": "a part of it was proven not to be sealed under its key",
    "Ruled": "its arbiter ended its sale",
}


def why_revoked(session: Session, version: Version) -> str:
    """Return in words why a revoked version is; `sync` the catalogue before."""
    index = Catalogue.of(session).index
    for event, why in _WHY.items():
        known = ("market", event) in index.schema.events  # not all networks have all of them
        if known and index.events("market", event, limit=1, terms_id=version.terms_id):
            return why
    return REVOKED_TEXT
