# SPDX-License-Identifier: Apache-2.0
"""Looks at samples of what a node may keep: beside the rounds, and again before it is bound.

What was found right stays so only until somebody opens more of it, and the bytes of a custody may
take hours to come.
"""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from truthmark.market.entries import Version
from truthmark.market.preview import OnAccept, Preview, look, published_of
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.node.job_pool import Job, JobPool

FRESH_SECONDS: Final = 60.0
"""For which a look counts whatever comes: else who publishes for ever keeps a node looking."""


@dataclass(frozen=True, slots=True)
class _Looked:
    found: Preview
    ended: float
    published: tuple[int, int]
    """Before the look; what other commands of this home have seen since says nothing of it."""


class Samples:
    """What a node has seen of versions.

    Args:
        session: The node's.
        pool: Does what waits for storages.
    """

    def __init__(self, session: Session, pool: "JobPool") -> None:
        """Look at nothing yet."""
        self._session, self._pool = session, pool

    def ask(self, version: Version) -> "Job[object]":
        """Return how far looking at a version is, having begun it if it was not."""
        return self._pool.ask(
            _name(version), lambda: self._look(version), group=version.terms.seller
        )

    def current(self, version: Version, job: "Job[object]") -> Preview | None:
        """Return what a look has found; None where it is to be looked at once more.

        Called in the round in which something is bound by it, with a catalogue that is in step.

        Args:
            version: Which.
            job: Of `ask`, done.
        """
        looked = cast("_Looked", job.result)
        is_old = time.monotonic() > looked.ended + FRESH_SECONDS
        if is_old and published_of(self._session, version) != looked.published:
            self.forget(version)
            return None
        if looked.found.rule.on_accept is not OnAccept.ACCEPT:
            # A seller may open it yet: look again, later.
            self._pool.forget(_name(version), rest=self._session.profile.block_time)
        return looked.found

    def forget(self, version: Version) -> None:
        """Look again when it is asked for next."""
        self._pool.forget(_name(version))

    def _look(self, version: Version) -> _Looked:
        published = published_of(self._session, version)
        # Only what follows is kept: the rows may take 128 MiB.
        found = replace(look(self._session, version), tables={}, files={})
        return _Looked(found, time.monotonic(), published)


def _name(version: Version) -> tuple[str, bytes]:
    return "sample", version.terms_id
