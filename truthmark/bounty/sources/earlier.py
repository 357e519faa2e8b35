# SPDX-License-Identifier: Apache-2.0
"""Items of an earlier bounty of the same requester, as items of another one."""

from collections.abc import Generator, Sequence

from truthmark.bounty.items import item_key
from truthmark.bounty.secrets import RequesterSecrets
from truthmark.bounty.sources.found import Found, ItemSource
from truthmark.bounty.workspace import Workspace
from truthmark.hashing import sha256


class EarlierSource(ItemSource):
    """Some items of a bounty, under the names that they had.

    Args:
        workspace: Of the earlier bounty.
        secrets: Of it.
        chosen: Which items, ascending.
    """

    def __init__(
        self, workspace: Workspace, secrets: RequesterSecrets, chosen: Sequence[int]
    ) -> None:
        """Take a bounty; no item is read yet."""
        self.kind = workspace.document.kind
        self.total = len(chosen)
        self.skipped = []
        self.fingerprint = sha256(f"{workspace.folder.name} {list(chosen)}".encode()).hex()
        self._workspace, self._secrets, self._chosen = workspace, secrets, list(chosen)

    def __iter__(self) -> Generator[Found, None, None]:
        """Yield the items in their order."""
        names = self._workspace.names
        with self._workspace.open_items() as items:
            for number in self._chosen:
                key = item_key(self._secrets.items_secret, number) if items.is_encrypted else None
                yield Found(names[number], items.item(number, key))
