# SPDX-License-Identifier: Apache-2.0
"""What this computer has found of samples and exposures, kept in a file.

Whatever stands here follows from what sellers have committed to, and from nothing that this
computer was short of, so it never becomes wrong by itself; it can be removed, and is then found
again. What was found by other rules than today's is forgotten: it might not be found any more.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from truthmark.market.preview.facts import MARK_SIZE
from truthmark.market.preview.states import PreviewState
from truthmark.session import Session
from truthmark.storage.cache_file import open_cache

_MAX_VALUES: Final = 500
_TABLES: Final = (
    # By manifest: others may list the same root with an index that says something else of it.
    # Of each unit that somebody opened, what could be tried of it then.
    "tried (manifest BLOB, unit INTEGER, mark INTEGER, PRIMARY KEY (manifest, unit))",
    # Of units that could not be tried, in which order that was.
    "late (place INTEGER PRIMARY KEY, manifest BLOB, unit INTEGER, UNIQUE (manifest, unit))",
    "broken (manifest BLOB PRIMARY KEY, why TEXT, publisher TEXT)",
    "shown_since (terms_id BLOB PRIMARY KEY, block INTEGER, names BLOB)",
    "stands (terms_id BLOB PRIMARY KEY, state TEXT, why TEXT)",
    "seen (terms_id BLOB PRIMARY KEY, events INTEGER, block INTEGER)",
    "marks (mark BLOB, terms_id BLOB, PRIMARY KEY (mark, terms_id)) WITHOUT ROWID",
)
_NAME_SIZE: Final = 32
_BY_RULES: Final = ("tried", "late", "broken", "shown_since", "stands", "seen")

RULES_VERSION: Final = 2
"""Of the rules of looking; raise it where what was found by the older ones may be wrong."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A container of which somebody has opened something rotten.

    Attributes:
        why: What is rotten.
        publisher: Who opened it.
    """

    why: str
    publisher: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A version that is SHOWN.

    Attributes:
        block: In which the last of the keys that it takes was published.
        names: Of the segments that its draws could meet.
    """

    block: int
    names: frozenset[bytes]


class Remembered:
    """The file.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; it is made when something is kept."""
        self._path = path

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return that of a session."""
        path = session.index_folder / "previews.sqlite"
        return session.part(cls, lambda: cls(path))

    def tried(self, manifest: bytes) -> dict[int, int]:
        """Return the units of a container that were tried, with what could be tried then."""
        with self._open() as file:
            rows = file.execute("SELECT unit, mark FROM tried WHERE manifest = ?", (manifest,))
            return dict(rows)

    def note_tried(self, manifest: bytes, units: Iterable[tuple[int, int]]) -> None:
        """Keep which units were tried and found right."""
        with self._open() as file:
            file.executemany(
                "INSERT OR REPLACE INTO tried VALUES (?, ?, ?)",
                [(manifest, unit, mark) for unit, mark in units],
            )

    def late(self, manifest: bytes) -> list[int]:
        """Return the units of a container that could not be tried, the longest ago first."""
        with self._open() as file:
            rows = file.execute(
                "SELECT unit FROM late WHERE manifest = ? ORDER BY place", (manifest,)
            )
            return [unit for (unit,) in rows]

    def note_late(self, manifest: bytes, unit: int) -> None:
        """Keep that a unit could not be tried: it says nothing but that others come first."""
        with self._open() as file:
            file.execute(
                "INSERT OR REPLACE INTO late (place, manifest, unit) "
                "SELECT 1 + coalesce(max(place), 0), ?, ? FROM late",
                (manifest, unit),
            )

    def broken(self, manifest: bytes) -> Broken | None:
        """Return what is rotten in a container, if that was found."""
        with self._open() as file:
            row = file.execute(
                "SELECT why, publisher FROM broken WHERE manifest = ?", (manifest,)
            ).fetchone()
        return None if row is None else Broken(*row)

    def note_broken(self, manifest: bytes, broken: Broken) -> None:
        """Keep what is rotten."""
        with self._open() as file:
            file.execute(
                "INSERT OR IGNORE INTO broken VALUES (?, ?, ?)",
                (manifest, broken.why, broken.publisher),
            )

    def shown(self, terms_id: bytes) -> Shown | None:
        """Return what the draws of a version could meet, if it is SHOWN."""
        with self._open() as file:
            row = file.execute(
                "SELECT block, names FROM shown_since WHERE terms_id = ?", (terms_id,)
            ).fetchone()
        if row is None:
            return None
        block, names = row
        return Shown(
            block, frozenset(names[at : at + _NAME_SIZE] for at in range(0, len(names), _NAME_SIZE))
        )

    def note_shown(self, terms_id: bytes, shown: Shown) -> None:
        """Keep that a version is SHOWN, and what its draws could meet."""
        names = b"".join(sorted(shown.names))
        with self._open() as file:
            file.execute(
                "INSERT OR REPLACE INTO shown_since VALUES (?, ?, ?)",
                (terms_id, shown.block, names),
            )

    def stands(self, terms_ids: Sequence[bytes]) -> dict[bytes, tuple[PreviewState, str]]:
        """Return how versions stood when they were last looked at, and why; for lists."""
        query = "SELECT terms_id, state, why FROM stands WHERE terms_id IN ({})"
        return {
            bytes(terms_id): (PreviewState(state), why)
            for terms_id, state, why in self._rows_with(query, terms_ids)
        }

    def note_stands(self, terms_id: bytes, state: PreviewState, why: str) -> None:
        """Keep how a version stands."""
        with self._open() as file:
            file.execute(
                "INSERT OR REPLACE INTO stands VALUES (?, ?, ?)", (terms_id, state.value, why)
            )

    def seen(self, terms_id: bytes) -> tuple[int, int] | None:
        """Return what was published at the last look, as `count_published` counts it."""
        with self._open() as file:
            row = file.execute(
                "SELECT events, block FROM seen WHERE terms_id = ?", (terms_id,)
            ).fetchone()
        return None if row is None else (row[0], row[1])

    def note_seen(self, terms_id: bytes, published: tuple[int, int]) -> None:
        """Keep what was published before a look began."""
        with self._open() as file:
            file.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (terms_id, *published))

    def note_marks(self, terms_id: bytes, marks: Iterable[bytes]) -> None:
        """Keep marks of a version's sampled rows."""
        with self._open() as file:
            file.executemany(
                "INSERT OR IGNORE INTO marks VALUES (?, ?)",
                [(mark, terms_id) for mark in marks if len(mark) == MARK_SIZE],
            )

    def with_marks(self, marks: Collection[bytes]) -> dict[bytes, int]:
        """Return the versions whose samples have some of these rows, and how many."""
        found = Counter[bytes]()
        query = "SELECT terms_id, count(*) FROM marks WHERE mark IN ({}) GROUP BY terms_id"
        for terms_id, count in self._rows_with(query, list(set(marks))):
            found[bytes(terms_id)] += count
        return found

    def _rows_with(self, query: str, values: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query for some values, which stand for its {}, a part at a time."""
        with self._open() as file:
            for start in range(0, len(values), _MAX_VALUES):
                some = values[start : start + _MAX_VALUES]
                yield from file.execute(query.format(", ".join("?" * len(some))), some)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with open_cache(self._path, *_TABLES) as file:
            (found,) = file.execute("PRAGMA user_version").fetchone()
            if found != RULES_VERSION:
                for name in _BY_RULES:
                    file.execute(f"DELETE FROM {name}")  # noqa: S608
                file.execute(f"PRAGMA user_version = {RULES_VERSION}")
            yield file
