# SPDX-License-Identifier: Apache-2.0
"""The last look, right before money is paid or stake is locked.

How a sample stands changes by what is published, and who downloads or waits for others may have
looked hours ago. So it is asked whether any keys came since; only then everything is looked at once
more.
"""

from truthmark.errors import NotForSaleError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.preview.looking import look
from truthmark.market.preview.public import published_of
from truthmark.market.preview.remembered import Remembered
from truthmark.market.preview.states import RULES, OnGet, PreviewState
from truthmark.session import Session


def has_news(session: Session, version: Version) -> bool:
    """Whether keys were published since this computer last looked; `sync` the catalogue before.

    What was never looked at has none.
    """
    seen = Remembered.of(session).seen(version.terms_id)
    return seen is not None and seen != published_of(session, version)


def require_still(session: Session, version: Version, agreed: PreviewState | None = None) -> None:
    """Refuse to pay for what stands worse than when it was agreed to buy it.

    Each time it is called: also where another look, perhaps of another process, has seen the news.

    Args:
        session: Who pays.
        version: For what.
        agreed: How its sample stood then; as it stood at the last look if not given. Without
            either, nobody has looked, and it is not held back.

    Raises:
        NotForSaleError: It stands otherwise now, and not better.
        ChainError: The chain cannot be read.
    """
    known = Remembered.of(session).stands([version.terms_id]).get(version.terms_id)
    if known is None and agreed is None:
        return
    # One endpoint that hides what was opened must not have it bought.
    Catalogue.of(session).sync_agreed()
    agreed = agreed or (known[0] if known is not None else None)

    def may_be_paid(state: PreviewState) -> bool:
        on_get = RULES[state].on_get
        return on_get is OnGet.GO or (on_get is OnGet.ASK and state is agreed)

    # What was found may be gone since: its file was removed, or other rules count.
    if known is None or not may_be_paid(known[0]) or has_news(session, version):
        found = look(session, version)
        known = found.state, found.why
    before, why = known
    if not may_be_paid(before):
        raise NotForSaleError(
            f"{version.ref} is not bought, for since you looked something of it was opened: "
            f"{RULES[before].meaning} {why}"
        )
