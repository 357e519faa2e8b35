# SPDX-License-Identifier: Apache-2.0
"""The items of a bounty in storage: are they there, and what document and list say of them."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from truthmark.bounty.document import Document
from truthmark.bounty.items import DATA_NAME, MANIFEST_NAME, Items, manifest_bytes
from truthmark.errors import BountyError, IntegrityError, LimitError, MalformedError, TruthmarkError
from truthmark.session import Session
from truthmark.types import Bar, no_bar
from truthmark.waiting import Deadline

CHECK_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class ItemsCheck:
    """What became of checking the items.

    Attributes:
        count: How many were held against the list; 0 where that was not done.
        problem: What is wrong with them, if anything.
        unchecked: Why they were not checked, if they were not.
    """

    count: int = 0
    problem: str = ""
    unchecked: str = ""


def check_items(session: Session, document: Document | None, *, bar: Bar = no_bar) -> ItemsCheck:
    """Read list and items from the storage by the CIDs of a document, and hold all together.

    Args:
        session: Whose storage, and whose home has room for them meanwhile.
        document: The bounty's, which fits its terms; None where it is not to be had.
        bar: Shows how far reading is.
    """
    if document is None:
        return ItemsCheck(unchecked="the document is in no storage that can be reached")
    info, deadline = document.items, Deadline(CHECK_SECONDS)
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".items-", dir=session.home) as name,
            bar("fetching items", "bytes") as progress,
        ):

            def watch(done: int, total: int) -> None:
                if progress is not None:
                    progress(done, total)
                if deadline.is_over:
                    raise _SlowError("the storage gives them too slowly")

            folder, storage = Path(name), session.storage
            most = manifest_bytes(info.count + info.shown)
            storage.get(info.manifest, folder / MANIFEST_NAME, progress=watch, max_size=most)
            size = _size(folder, document)
            storage.get(info.data, folder / DATA_NAME, progress=watch, max_size=size)
            with Items.open(folder) as items:
                for number in range(items.count + items.shown):
                    items.stored(number)
            return ItemsCheck(count=info.count)
    except (BountyError, IntegrityError, LimitError, MalformedError) as error:
        return ItemsCheck(problem=f"the items in storage are not those of the terms: {error}")
    except (TruthmarkError, OSError, _SlowError) as error:
        return ItemsCheck(unchecked=f"{error}")


class _SlowError(Exception):
    """It takes too long."""


def _size(folder: Path, document: Document) -> int:
    items = Items((folder / MANIFEST_NAME).read_bytes(), lambda _offset, _length: b"")
    items.require_fits(document.items)
    return items.size
