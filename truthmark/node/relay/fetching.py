# SPDX-License-Identifier: Apache-2.0
"""Papers of a bounty that a relay brings itself from the storage, by the names that they have.

Terms name the document, the document the list of items and the items; so nobody has to bring them,
and what is lost comes back. What others may be slow to send is fetched beside the rounds.
"""

import logging
from typing import TYPE_CHECKING, Final

from truthmark.bounty.terms import Terms
from truthmark.cid import raw_cid
from truthmark.errors import StorageError
from truthmark.node.relay.papers import KINDS, Papers
from truthmark.types import Progress
from truthmark.waiting import Deadline

if TYPE_CHECKING:
    from truthmark.storage.block_storage import Storage

log = logging.getLogger(__name__)

FETCH_SECONDS: Final = 900.0
"""For all papers of a bounty at one try; what came by then is not fetched again."""


def fetch_papers(
    papers: Papers, storage: "Storage", bounty_id: int, terms: Terms, *, check: Progress
) -> None:
    """Bring what a relay lacks of a bounty from a storage.

    Args:
        papers: The relay's.
        storage: Where they are looked for.
        bounty_id: The bounty's number.
        terms: Its terms.
        check: Told how far each is; what it raises ends the work.

    Raises:
        RefusedError: One is not what it must be, or larger than this relay takes.
        StorageError: One is not to be had now, or does not come in time.
    """
    deadline = Deadline(FETCH_SECONDS)

    def watch(done: int, total: int) -> None:
        check(done, total)
        if deadline.is_over:
            raise StorageError(f"the papers of bounty {bounty_id} come too slowly; going on later")

    for kind in KINDS:
        if kind not in papers.missing(bounty_id, terms):
            continue
        limit = papers.limit(bounty_id, terms, kind)
        if kind == "document":
            cid = raw_cid(terms.document)
        else:
            document = papers.document(bounty_id, terms)
            assert document is not None  # `limit` was asked before
            cid = document.items.manifest if kind == "manifest" else document.items.data
        with papers.fetched(bounty_id, terms, kind) as path:
            storage.get(cid, path, progress=watch, max_size=limit)
        log.info("bounty %d: fetched its %s", bounty_id, kind)
