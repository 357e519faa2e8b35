# SPDX-License-Identifier: Apache-2.0
"""Which bounty is meant, whether it is served, and what may be acted on of it."""

from typing import Final

from truthmark.bounty.commits import Commit
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.labeler import commit_message
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.roster import Row
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes
from truthmark.keys.typed import TypedData
from truthmark.node.relay.kept import Served
from truthmark.node.relay.policy import RelayPolicy
from truthmark.node.relay.refusals import (
    ConflictError,
    ForbiddenError,
    MissingError,
    RefusedError,
    UnsettledError,
)
from truthmark.node.relay.signatures import is_signed_by
from truthmark.node.relay.store import RelayStore
from truthmark.node.relay.views import View, Views
from truthmark.session import Session

_NO_SEED: Final = bytes(32)


class Lookup:
    """Finds bounties for those who ask a relay.

    Args:
        session: Whose account relays.
        store: What was accepted.
        policy: The operator's.
        views: How bounties stand.
    """

    def __init__(
        self, session: Session, store: RelayStore, policy: RelayPolicy, views: Views
    ) -> None:
        """Ask nothing yet."""
        self._session, self._store, self._policy, self._views = session, store, policy, views
        self._account = session.address

    def view(self, bounty_id: int) -> View:
        """Return a bounty that is served.

        Raises:
            UnsettledError: Its terms name this relay, but it was not offered yet.
            MissingError: It is none of this relay's.
        """
        return self.served(bounty_id)[1]

    def served(self, bounty_id: int) -> tuple[Served, View]:
        """Return a bounty that is served, with its offer; errors as of `view`."""
        served = self._store.served(bounty_id)
        if served is None:
            raise self._unserved(bounty_id)
        view = self._views.get(bounty_id)
        if view.terms.hash != served.terms_hash:
            raise UnsettledError("the chain has another bounty of this number now; ask again later")
        return served, view

    def _unserved(self, bounty_id: int) -> RefusedError:
        """Return why a bounty is not served: others are to wait for its offer, or go elsewhere."""
        if self._policy.relays:
            view = self.find(bounty_id)
            is_ours = address_bytes(view.terms.relay) == address_bytes(self._account)
            if is_ours and not view.record.status.has_ended:
                return UnsettledError(
                    f"bounty {bounty_id} was not offered to this relay yet; ask again in a moment"
                )
        return MissingError(f"bounty {bounty_id} is not served here; look for its relay")

    def find(self, bounty_id: int) -> View:
        """Return any bounty of the board, also one that is a moment old.

        Raises:
            MissingError: There is none.
        """
        try:
            return self._views.get(bounty_id)
        except BountyError:
            self._views.refresh()
        try:
            return self._views.get(bounty_id)
        except BountyError as error:
            raise MissingError(str(error)) from error

    def settled_row(self, view: View, worker: int) -> tuple[Record, Row]:
        """Return the record that will not change any more under a worker, and their row.

        What is signed, and which items are whose, hangs on seed and roster; one that a
        reorganisation may still take back must not be acted on.

        Args:
            view: How the bounty stands.
            worker: Row of the roster, from 0.

        Raises:
            UnsettledError: It is not confirmed yet.
            ConflictError: Labeling has not begun.
            MissingError: There is no such worker.
        """
        record = view.final
        if record is None or not view.is_settled:
            raise UnsettledError("this is not confirmed on chain yet; ask again in a moment")
        if record.seed == _NO_SEED:
            raise ConflictError("labeling has not begun; wait for the seed")
        if worker >= len(record.roster) or record.roster.rows[worker].is_gap:
            raise MissingError(f"the roster has no worker {worker}")
        return record, record.roster.rows[worker]

    def require_commit(self, record: Record, row: Row, commit: Commit, signature: bytes) -> None:
        """Refuse a commit that its row does not allow, or that its signer has not signed.

        Args:
            record: The bounty.
            row: The worker's.
            commit: What they are said to commit to.
            signature: Of the row's signer.

        Raises:
            RefusedError: It is none.
        """
        if commit.seats > row.seats:
            raise RefusedError(f"the row of worker {commit.worker} has {row.seats} seats")
        if commit.commitment == bytes(32):
            raise RefusedError("a commitment is not zero")
        if not self.is_signed(commit_message(record, commit), signature, row.signer):
            raise ForbiddenError("this commit is not signed by the row's signer")

    def is_signed(self, message: TypedData, signature: bytes, account: str) -> bool:
        """Return whether an account, a contract too, has signed a message."""
        return is_signed_by(self._session.chain, message, signature, account)


def require_labeling(view: View) -> None:
    """Refuse what would change nothing any more.

    Raises:
        ConflictError: Labeling is over.
    """
    if view.record.status is not Status.LABEL:
        raise ConflictError("labeling is over; what comes now changes nothing")


def parse_file(data: bytes) -> LabelFile:
    """Return the label file that somebody sends.

    Raises:
        RefusedError: It is none.
    """
    try:
        return LabelFile.from_bytes(data)
    except BountyError as error:
        raise RefusedError(str(error)) from error
