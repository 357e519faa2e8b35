# SPDX-License-Identifier: Apache-2.0
"""Keys of shards that anyone has published: those of the sample, and those of exposures.

A key says by its hash which shard it is of. What fits none is passed over, so that nobody can do
harm with it, nor can the same key be told from another: it counts no matter who published it.
"""

import json
import random
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truthmark.codec.shard_index import ShardIndex
from truthmark.hashing import sha256
from truthmark.index.sql import is_one_of

if TYPE_CHECKING:
    from truthmark.index.database import EventIndex

_EVENT = ("openings", "KeysPublished")
_PAGE = 64  # events that are held at once; each has up to 512 keys


@dataclass(slots=True)
class Published:
    """The keys of a container that are public.

    Attributes:
        keys: K_i by shard.
        blocks: By shard, in which block its key was first published.
        by: who published keys of which shards, the newest last. Also of those that others had
            published before: else a seller's friends could take a bad shard's place in the queue.
    """

    keys: dict[int, bytes] = field(default_factory=dict)
    blocks: dict[int, int] = field(default_factory=dict)
    by: dict[str, dict[int, None]] = field(default_factory=dict)


def read_published(index: "EventIndex", roots: Collection[bytes], shards: ShardIndex) -> Published:
    """Return the published keys that fit a container.

    Args:
        index: Of the chain's events.
        roots: Of the trees under which keys count.
        shards: The container's public index.
    """
    found = Published()
    if not _has_events(index):
        return found
    finder = _Finder(shards)
    for root in sorted(set(roots)):
        for block, publisher, keys in _events(index, root):
            for shard, key in finder.fitting(keys):
                found.keys[shard] = key
                found.blocks[shard] = min(block, found.blocks.get(shard, block))
                found.by.setdefault(publisher, {}).setdefault(shard)
    return found


def count_published(index: "EventIndex", roots: Collection[bytes]) -> tuple[int, int]:
    """Return what is another value after more was published: how often, and in which block last.

    Args:
        index: Of the chain's events.
        roots: As for `read_published`.
    """
    if not _has_events(index):
        return 0, 0
    where = is_one_of("root", sorted(roots))
    query = f"SELECT count(*), max(block_number) FROM {index.table(*_EVENT)} WHERE {where.text}"  # noqa: S608
    with index.read() as connection:
        ((count, last),) = connection.execute(query, where.values)
    return int(count), int(last or 0)


def in_turn(
    published: Published,
    readers: Collection[str],
    unit_of: Callable[[int], int],
    skipped: Collection[int],
) -> Iterator[int]:
    """Yield units of which somebody has published shards, in the order in which to try them.

    Those of buyers come first; of each publisher the newest first, and all publishers by turns, so
    that one with ten thousand good keys cannot keep the one bad key of another waiting. Who begins
    is left to chance, each time: in one look a large unit may leave room for no other, so it is
    tried only where it comes early, and the first publisher's good keys must not always do.

    Args:
        published: All keys.
        readers: Addresses, in lower case, of those who have bought the version.
        unit_of: The unit of a shard: what is tried together.
        skipped: Units that need not be tried.
    """
    seen = set(skipped)
    classes: tuple[list[str], list[str]] = ([], [])
    for publisher in published.by:
        classes[publisher.lower() not in readers].append(publisher)
    for publishers in classes:
        random.shuffle(publishers)
        queues = deque(deque(reversed(published.by[publisher])) for publisher in publishers)
        while queues:
            queue = queues.popleft()
            while queue:
                unit = unit_of(queue.popleft())
                if unit not in seen:
                    seen.add(unit)
                    yield unit
                    break
            if queue:
                queues.append(queue)


class _Finder:
    """Finds shards by their keys; holds sixteen bytes a shard, however many there are."""

    def __init__(self, shards: ShardIndex) -> None:
        import numpy as np

        self._shards = shards
        hashes = b"".join(shards.key_hash(i)[:8] for i in range(shards.count))
        beginnings = np.frombuffer(hashes, dtype=">u8").astype(np.uint64)
        self._order = np.argsort(beginnings, kind="stable")
        self._sorted = beginnings[self._order]

    def fitting(self, keys: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield the keys that fit, each with its shard; wrong ones cost next to nothing."""
        import numpy as np

        digests = [sha256(key) for key in keys]
        beginnings = b"".join(digest[:8] for digest in digests)
        wanted = np.frombuffer(beginnings, dtype=">u8").astype(np.uint64)
        lows = np.searchsorted(self._sorted, wanted, side="left")
        highs = np.searchsorted(self._sorted, wanted, side="right")
        for i in np.flatnonzero(highs > lows).tolist():
            for shard in self._order[lows[i] : highs[i]].tolist():
                if self._shards.key_hash(shard) == digests[i]:
                    yield shard, keys[i]


def _has_events(index: "EventIndex") -> bool:
    """Whether the network is not from before there were samples."""
    return _EVENT in index.schema.events


def _events(index: "EventIndex", root: bytes) -> Iterator[tuple[int, str, list[bytes]]]:
    """Yield in which block who published what, the oldest first; few at once, of however many.

    Read as the rows are: strangers may publish millions of keys, and to give each the type that it
    has in the interface takes ten times as long.
    """
    table = index.table(*_EVENT)
    query = (
        f"SELECT block_number, log_index, publisher, keys FROM {table} "  # noqa: S608
        "WHERE root = ? AND (block_number, log_index) > (?, ?) "
        f"ORDER BY block_number, log_index LIMIT {_PAGE}"
    )
    after = (-1, -1)
    while True:
        with index.read() as connection:
            rows = connection.execute(query, (root, *after))
        if not rows:
            return
        for block, _, publisher, text in rows:
            digits = "".join(key[2:] for key in json.loads(text))
            keys = bytes.fromhex(digits)
            yield int(block), str(publisher), [keys[at : at + 32] for at in range(0, len(keys), 32)]
        after = rows[-1][0], rows[-1][1]
