# SPDX-License-Identifier: Apache-2.0
"""What custodies need from storages: their shares, manifests, samples and bytes.

All of it is fetched beside the rounds: a round asks, and comes again for what is not there yet.
"""

import logging
import math
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, cast

from truthmark.errors import KeysError, UnableError
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import own_encryption_keys
from truthmark.market.preview import Preview, blocks_of_older
from truthmark.node.job_pool import Job, JobPool
from truthmark.node.keeping import PinnedSet, fetch_manifest, take_share
from truthmark.node.policy import version_bytes
from truthmark.node.rounds import reason_of
from truthmark.node.samples import Samples
from truthmark.node.status import Metrics, Notifier
from truthmark.node.view import CustodyView
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.codec import Manifest

log = logging.getLogger(__name__)


class Holdings:
    """What a validator keeps for its custodies, and is about to.

    Args:
        session: Its account is the validator's operator (or owner).
        validator: The validator's address.
        metrics: Counts problems.
        notifier: Tells the operator.
    """

    def __init__(
        self, session: Session, validator: str, *, metrics: Metrics, notifier: Notifier
    ) -> None:
        """Fetch nothing before it is asked for."""
        self._session, self._validator = session, validator
        self._metrics, self._notifier = metrics, notifier
        # Shares are small and needed at once, bytes may take hours: they must not wait for these.
        self._shares = JobPool(2, "shares")
        self._bytes = JobPool(2, "bytes")
        # Nor must a look, without which no custody is extended in time, wait for bytes.
        self._looks = JobPool(2, "samples")
        self._samples = Samples(session, self._looks)
        self._pinned = PinnedSet(session.home / "node" / "kept")
        self._keys: tuple[tuple[bytes, ...], list[bytes]] = (), []
        self._told_errors: dict[str, Exception] = {}
        self._leaving: dict[bytes, bytes] = {}
        """custodies whose bytes are to be dropped, and their versions"""

    def close(self) -> None:
        """End the work beside the rounds."""
        self._shares.close()
        self._bytes.close()
        self._looks.close()

    def manifest(self, held: CustodyView) -> "Manifest | None":
        """Return a version's manifest once it was fetched."""
        storage, version = self._session.storage, held.version
        # One at a time for each seller, here and with shares: what one of them does not give out
        # must not hold all threads, each time for as long as a storage is waited for.
        job = self._shares.ask(
            ("manifest", version.terms_id),
            lambda: fetch_manifest(storage, version),
            group=version.terms.seller,
        )
        return cast("Manifest", job.result) if self._is_done(job, held, "manifest") else None

    def sample(self, held: CustodyView) -> Preview | None:
        """Return how a version's sample stands now; None until it was looked at."""
        job = self._samples.ask(held.version)
        if not self._is_done(job, held, "sample"):
            return None
        return self._samples.current(held.version, job)

    def has_bytes(
        self, held: CustodyView, manifest: "Manifest", *, most: int | None = None
    ) -> bool:
        """Whether all bytes of a version are here and pinned; else sees to it that they come.

        What must stay of older versions for it comes after that, and holds up nothing.

        Args:
            held: The custody.
            manifest: Of its version.
            most: Bytes to keep, with those of older versions, if there is a limit.
        """
        session, version, terms = self._session, held.version, held.version.terms_id

        def work() -> None:
            self._pinned.keep(session.storage, terms, manifest, self._bytes.check)

        job = self._bytes.ask(("bytes", terms), work, group=version.terms.seller)
        if not self._is_done(job, held, "bytes"):
            return False
        room = math.inf if most is None else most - version_bytes(manifest)

        def work_on_older() -> None:
            blocks = blocks_of_older(session, version, most=room)
            self._pinned.keep_older(session.storage, terms, blocks, self._bytes.check)

        older = self._bytes.ask(("older", terms), work_on_older, group=version.terms.seller)
        self._is_done(older, held, "older versions")
        return True

    def has_share(self, held: CustodyView) -> bool:
        """Whether our share of the key is on the disk; else sees to it that it comes."""
        session, version, slot = self._session, held.version, held.slot
        custody_id, share_key = slot.epoch.custody_id, slot.epoch.share_keys[slot.index - 1]
        if session.vault.find_share(custody_id, slot.index, share_key) is not None:
            return True
        work = partial(take_share, session, version, slot, self._encryption_keys)
        job = self._shares.ask(("share", custody_id), work, group=version.terms.seller)
        if job.is_done:  # and gone from the disk since
            self._shares.forget(("share", custody_id))
            return False
        return self._is_done(job, held, "share")

    def _is_done(self, job: "Job[object]", held: CustodyView, what: str) -> bool:
        """Whether a job is done; tells the operator where it fails."""
        matter = f"{what} {held.name}"
        if job.is_done:
            self._notifier.resolve("problem", matter)
            return True
        if job.error is not None and self._told_errors.get(matter) is not job.error:
            self._told_errors[matter] = job.error
            self._metrics.problems.labels(what).inc()
            text = f"{held.title}: {reason_of(job.error)}"
            if held.is_accepted:
                self._notifier.notify("problem", text, about=matter)
            elif isinstance(job.error, KeysError | UnableError):  # of which this computer is short
                self._notifier.notify("refused", text, about=matter)
            else:  # a stranger's data that cannot be had is the stranger's problem
                log.info("%s", text)
        return False

    def _encryption_keys(self) -> list[bytes]:
        """Return the private keys of all keys that the validator has registered, newest first."""
        registered = tuple(Catalogue.of(self._session).encryption_keys(self._validator))
        if self._keys[0] != registered:
            found = own_encryption_keys(self._session, self._validator)
            # The newest first: almost every share is sealed to it.
            keys = [found[key] for key in reversed(registered) if key in found]
            self._keys = registered, keys
            if registered[-1] not in found:
                self._notifier.notify(
                    "problem",
                    "the newest registered encryption key is not this operator's, so no new share "
                    "can be opened; register one with `truthmark stake rotate-key`",
                )
        return self._keys[1]

    def let_go(self, held: CustodyView) -> None:
        """Have a custody's bytes dropped, unless another one needs them."""
        self._samples.forget(held.version)
        self._leaving[held.slot.epoch.custody_id] = held.version.terms_id

    def drop(self, custodies: Iterable[CustodyView]) -> None:
        """Free what was let go; a store that is being written to is asked again.

        Args:
            custodies: All that the validator is in, which need what they hold.
        """
        needed = {held.version.terms_id for held in custodies}
        for custody_id, terms_id in list(self._leaving.items()):
            name = "drop", custody_id
            if terms_id not in needed:
                # What is still being fetched would be pinned after this.
                if not all(self._bytes.forget((what, terms_id)) for what in ("older", "bytes")):
                    continue
                work = partial(self._pinned.drop, self._session.storage, terms_id)
                if not self._bytes.ask(name, work).is_done:
                    continue
            self._bytes.forget(name)
            del self._leaving[custody_id]
