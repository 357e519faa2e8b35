# SPDX-License-Identifier: Apache-2.0
"""The last look, right before money is paid or stake is locked.

How a sample stands changes by what is published, and who downloads or waits for others may have
looked hours ago. So it is asked whether any keys came since; only then everything is looked at once
more.
"""

from typing import TYPE_CHECKING

from truthmark.errors import NotForSaleError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.preview.looking import look
from truthmark.market.preview.public import roots_of
from truthmark.market.preview.published import count_published
from truthmark.market.preview.remembered import Remembered
from truthmark.market.preview.states import OnGet

if TYPE_CHECKING:
    from truthmark.session import Session


def has_news(session: "Session", version: Version) -> bool:
    """Whether keys were published since this computer last looked; `sync` the catalogue before.

    Costs two questions to the index. What was never looked at has none.
    """
    seen = Remembered.of(session).seen(version.terms_id)
    index = Catalogue.of(session).index
    return seen is not None and seen != count_published(index, roots_of(session, version))


def require_still(session: "Session", version: Version) -> None:
    """Refuse to pay for what has turned rotten since this computer last looked at it.

    Raises:
        NotForSaleError: It stands otherwise now, and not better.
        ChainError: The chain cannot be read.
    """
    Catalogue.of(session).sync()
    if not has_news(session, version):
        return
    before = Remembered.of(session).stands([version.terms_id])
    found = look(session, version)
    is_as_before = before[version.terms_id][0] is found.state
    if found.rule.on_get is OnGet.GO or (found.rule.on_get is OnGet.ASK and is_as_before):
        return
    raise NotForSaleError(
        f"{version.ref} is not bought, for since you looked something of it was opened: "
        f"{found.rule.meaning} {found.why}"
    )
