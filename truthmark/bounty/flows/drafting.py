# SPDX-License-Identifier: Apache-2.0
"""A bounty before it is agreed to: items and names on disk, gold, practice; nothing is sent.

All of it hangs on secrets that are in the vault first, and stands in a workspace, where a command
that was killed finds it again by what it was made of. Items that were shown to anyone are never
written again under the same secret: nothing leaves this machine before the terms are fixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from truthmark.bounty.answers import Known, classes_by_item, draw_most
from truthmark.bounty.document import (
    MAX_EXAMPLES,
    MAX_PRACTICE,
    ItemsInfo,
    Kind,
    LabelClass,
    Practice,
)
from truthmark.bounty.gold import Gold
from truthmark.bounty.items import ItemsWriter
from truthmark.bounty.secrets import RequesterSecrets, find_secrets, new_secrets
from truthmark.bounty.sources.found import ItemSource, Reading, read_into
from truthmark.bounty.workspace import Workspace
from truthmark.cid import CID
from truthmark.errors import BountyError
from truthmark.keys.files import make_private_folder
from truthmark.session import Session
from truthmark.types import Bar, Point, no_bar

_PRACTICE_PART: Final = 10
"""One in so many known answers is for practice, unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a bounty is made of.

    Attributes:
        workspace: Where it is.
        secrets: On which it hangs.
        kind: What an item is.
        items: Where items are.
        reading: What became of the source.
        practice: Names of the items that everyone may read, in their order.
    """

    workspace: Workspace
    secrets: RequesterSecrets
    kind: Kind
    items: ItemsInfo
    reading: Reading
    practice: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """What the source calls each item."""
        return self.reading.names


def practice_names(
    known: Mapping[str, Known], classes: Sequence[LabelClass], count: int | None
) -> list[str]:
    """Return which known items are for practice: some of each class, always the same.

    Args:
        known: Answers by name.
        classes: Of the bounty.
        count: How many; a tenth of those that are known if not given, ten at most.
    """
    if count is None:
        count = min(10, len(known) // _PRACTICE_PART)
    count = min(count, MAX_PRACTICE, len(known))
    by_class = [
        sorted(name for name, entry in known.items() if entry.answer == one.name) for one in classes
    ]
    found: list[str] = []
    place = 0
    while len(found) < count and any(len(names) > place for names in by_class):
        found += [names[place] for names in by_class if len(names) > place]
        place += 1
    return found[:count]


def draft_bounty(
    session: Session,
    source: ItemSource,
    fingerprint: Mapping[str, Any],
    *,
    practice: Sequence[str] = (),
    encrypted: bool = True,
    bar: Bar = no_bar,
) -> Draft:
    """Read a source into a workspace, or find what an earlier run made of the same.

    Args:
        session: Whose home and vault.
        source: The items.
        fingerprint: Of all that it is made of, as JSON values.
        practice: Names of items that everyone may read, and that are not labeled.
        encrypted: Whether the others open only with keys.
        bar: Shows how far reading is.

    Raises:
        BountyError: Nothing of the source can be used.
        KeysError: The secrets cannot be kept.
        StorageError: Items cannot be written.
    """
    for workspace in Workspace.all(session.home):
        if workspace.is_blank:
            workspace.remove()  # of a run that was killed while it read
        elif workspace.draft.get("fingerprint") == fingerprint and workspace.ref is None:
            return read_draft(session, workspace)
    secrets = new_secrets(session.vault)
    workspace = Workspace.of_key(session.home, secrets.key)
    make_private_folder(workspace.folder)
    shown = list(practice)
    with ItemsWriter(workspace.folder, secrets.items_secret if encrypted else None) as writer:
        with bar("reading", "items") as progress:
            reading = read_into(source, writer, shown=shown, progress=progress)
        info = writer.finish()
    workspace.save_names(reading.names)
    # Last: what has a draft is whole.
    workspace.save_draft(
        {
            "fingerprint": dict(fingerprint),
            "key": [f"{part:064x}" for part in secrets.key],
            "kind": source.kind,
            "items": asdict(info) | {"manifest": str(info.manifest), "data": str(info.data)},
            "reading": asdict(reading) | {"names": []},
            "practice": reading.shown,
        }
    )
    return Draft(workspace, secrets, source.kind, info, reading, tuple(reading.shown))


def read_draft(session: Session, workspace: Workspace) -> Draft:
    """Return what a workspace holds of a bounty that was begun.

    Args:
        session: Whose chain, storage and home are used.
        workspace: The requester's folder of the bounty.

    Raises:
        BountyError: It is damaged.
        KeysError: The vault does not have its secrets.
    """
    draft = workspace.draft
    try:
        key = Point(*(int(part, 16) for part in draft["key"]))
        items = draft["items"]
        info = ItemsInfo(
            **items | {"manifest": CID.parse(items["manifest"]), "data": CID.parse(items["data"])}
        )
        reading = Reading(**draft["reading"])
        kind, practice = draft["kind"], tuple(draft["practice"])
    except (KeyError, TypeError, ValueError) as error:
        raise BountyError(f"{workspace.folder} is damaged; move it away and begin again") from error
    reading.names = workspace.names
    return Draft(workspace, find_secrets(session.vault, key), kind, info, reading, practice)


def practice_of(
    draft: Draft, known: Mapping[str, Known], classes: Sequence[LabelClass]
) -> tuple[Practice, ...]:
    """Return the practice of a draft, for its document.

    Args:
        draft: What was begun.
        known: Answers by name of the item.
        classes: Of the bounty, in order.
    """
    numbers = {entry.name: number for number, entry in enumerate(classes)}
    return tuple(
        Practice(place, numbers[known[name].answer], known[name].explanation)
        for place, name in enumerate(draft.practice)
        if name in known
    )


def examples_of(draft: Draft) -> tuple[int, ...]:
    """Return which of the items that everyone may read show what the bounty is about."""
    return tuple(range(min(MAX_EXAMPLES, len(draft.practice))))


def gold_of(
    draft: Draft,
    known: Mapping[str, Known],
    classes: Sequence[LabelClass],
    *,
    count: int | None,
    against: Mapping[str, str] | None,
    part: float = 1.0,
) -> Gold:
    """Draw the gold of a draft from what is known, practice left out.

    Args:
        draft: The bounty.
        known: Answers by name.
        classes: Of the bounty.
        count: G; as much as is balanced enough if not given.
        against: A model's answers by name: gold is drawn where it is no better than chance.
        part: Of what is known; the rest is kept for later waves.

    Raises:
        BountyError: There is too little, or it is too one-sided.
        ConfigError: An answer is no class.
    """
    names = [entry.name for entry in classes]
    shown = {*draft.practice}
    answers = {name: entry.answer for name, entry in known.items() if name not in shown}
    places = classes_by_item(draft.names, answers, names, what="known answers")
    guesses = None
    if against is not None:
        guesses = classes_by_item(draft.names, against, names, what="predictions")
        places[guesses < 0] = -1  # without a prediction nobody knows whether the model is right
    if part < 1:
        rng = np.random.default_rng(0)
        for number in range(len(names)):
            mine = rng.permutation(np.flatnonzero(places == number))
            places[mine[max(1, round(part * len(mine))) :]] = -1
    return draw_most(places, classes=len(names), count=count, against=guesses)
