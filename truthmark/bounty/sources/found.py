# SPDX-License-Identifier: Apache-2.0
"""One after the other, the items of a source, with what is wrong with any of them."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field
from typing import Final

from truthmark.bounty.document import Kind
from truthmark.bounty.items import Item, ItemsWriter
from truthmark.errors import BountyError
from truthmark.hashing import sha256
from truthmark.types import Progress

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Found:
    """An item of a source, or why it is none.

    Attributes:
        name: What the source calls it: a path, or the number or id of a row.
        item: What is labeled; None where it cannot be used.
        problem: Why not; empty where it can.
        has_place: Whether the picture says where it was taken, which its copy does not.
    """

    name: str
    item: Item | None
    problem: str = ""
    has_place: bool = False


class ItemSource(ABC):
    """Where items come from; may be read several times.

    Attributes:
        kind: What each item is.
        total: How many there are, as far as that is known before they are read.
        fingerprint: Changes when what would be read changes.
        skipped: Files that are no items, such as a text among pictures.
    """

    kind: Kind
    total: int | None
    fingerprint: str
    skipped: list[str]

    @abstractmethod
    def __iter__(self) -> Generator[Found, None, None]:
        """Yield all items in their order."""


class ReadBefore(ItemSource):
    """Stands for items that were read into a folder before, whatever became of where they were.

    Args:
        kind: What each item is.
        fingerprint: Of the source, as it was read.
    """

    def __init__(self, kind: Kind, fingerprint: str) -> None:
        """Take what names it."""
        self.kind, self.fingerprint = kind, fingerprint
        self.total, self.skipped = None, []

    def __iter__(self) -> Generator[Found, None, None]:
        """Refuse to be read again.

        Raises:
            BountyError: What was read is not there any more.
        """
        raise BountyError("what was read of the items is not there any more; begin again")
        yield


@dataclass
class Reading:
    """What became of a source when it was read.

    Attributes:
        names: Of the items that were taken, in their order.
        broken: Names of what cannot be used, and why.
        equal: Names of what is the same as an item before it, and that item's.
        with_place: Names of pictures that say where they were taken; their copies do not.
        skipped: Files that are no items.
        shown: Names of the items that everyone may read, in their order.
    """

    names: list[str] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    equal: list[tuple[str, str]] = field(default_factory=list)
    with_place: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        """How many were not taken."""
        return len(self.broken) + len(self.equal)

    def lines(self) -> list[str]:
        """Return in words what people should know before they go on."""
        broken = [f"{name} ({why})" for name, why in self.broken]
        equal = [f"{name} (as {first})" for name, first in self.equal]
        return [
            *_listed("cannot be used", broken),
            *_listed("the same as another", equal),
            *_listed("no item, so left out", self.skipped),
            *_listed("with a place (GPS), which the copy does not have", self.with_place),
        ]


def read_into(
    source: ItemSource,
    writer: ItemsWriter,
    *,
    shown: Collection[str] = (),
    progress: Progress | None = None,
) -> Reading:
    """Write all items that can be used, each once.

    Args:
        source: Where they come from.
        writer: Where they go.
        shown: Names of items that everyone may read, and that are not labeled.
        progress: Told items read and in all.

    Raises:
        BountyError: The source cannot be read on, or none can be used.
        StorageError: They cannot be written.
    """
    reading = Reading(skipped=list(source.skipped))
    for found in _distinct(source, reading, progress):
        assert found.item is not None  # `_distinct` leaves the others out
        if found.name in shown:
            writer.show(found.item)
            reading.shown.append(found.name)
            continue
        writer.add(found.item)
        reading.names.append(found.name)
    if not reading.names:
        why = f": {reading.broken[0][0]}: {reading.broken[0][1]}" if reading.broken else ""
        raise BountyError(f"the source has no item that can be used{why}")
    return reading


def take(
    source: ItemSource, progress: Progress | None = None, reading: Reading | None = None
) -> Iterator[Found]:
    """Yield the items of a source that `read_into` would write, in its order.

    Args:
        source: Where the items are.
        progress: Called with items done and items in all.
        reading: Is told of what cannot be used.
    """
    return _distinct(source, Reading() if reading is None else reading, progress)


def _distinct(source: ItemSource, reading: Reading, progress: Progress | None) -> Iterator[Found]:
    seen: dict[bytes, str] = {}
    # Closed by a reader that stops in the middle, so that work that was begun ahead ends.
    with contextlib.closing(iter(source)) as items:
        for number, found in enumerate(items, 1):
            if progress is not None:
                progress(number, max(number, source.total or 0))
            if found.has_place:
                reading.with_place.append(found.name)
            if found.item is None:
                reading.broken.append((found.name, found.problem))
                continue
            digest = sha256(found.item.to_bytes())
            if digest in seen:
                reading.equal.append((found.name, seen[digest]))
                continue
            seen[digest] = found.name
            yield found


def _listed(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{len(names)} {what}: {', '.join(names[:_SHOWN])}{more}"]
