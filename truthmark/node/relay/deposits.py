# SPDX-License-Identifier: Apache-2.0
"""What labelers leave with a watch node: a signed commit, a sealed file, perhaps a secret."""

from truthmark.bounty.commits import Commit
from truthmark.bounty.relay_models import DepositRequest, DepositState
from truthmark.bounty.terms import Terms
from truthmark.keys.abi_hash import address_bytes
from truthmark.node.relay.lookup import Lookup, parse_file, require_labeling
from truthmark.node.relay.policy import RelayPolicy
from truthmark.node.relay.refusals import (
    ForbiddenError,
    MissingError,
    RefusedError,
    UnsettledError,
)
from truthmark.node.relay.store import RelayStore
from truthmark.session import Session


class Deposits:
    """A watch node's desk.

    Args:
        session: Whose account watches.
        store: Where deposits are.
        policy: The operator's.
        lookup: Finds bounties.
    """

    def __init__(
        self, session: Session, store: RelayStore, policy: RelayPolicy, lookup: Lookup
    ) -> None:
        """Take nothing yet."""
        self._session, self._store, self._policy, self._lookup = session, store, policy, lookup
        self._account = session.address

    def put(self, bounty_id: int, worker: int, request: DepositRequest) -> DepositState:
        """Keep what a labeler leaves.

        Raises:
            RefusedError: It is not theirs, or this node must not have it.
        """
        if not self._policy.watches:
            raise ForbiddenError("this node takes no deposits; ask one with the role watch")
        view = self._lookup.find(bounty_id)
        record, row = self._lookup.settled_row(view, worker)
        if request.sealed_secret is None:  # that is of use until the end
            require_labeling(view)
        terms = record.terms
        parties = {address_bytes(one) for one in (terms.relay, terms.receiver, terms.requester)}
        if not terms.is_team and address_bytes(self._account) in parties:
            raise ForbiddenError("this node is a party of the bounty; leave it with another one")
        self._require_worth_watching(terms, request.seats)
        commit = Commit(worker, request.seats, request.commitment)
        self._lookup.require_commit(record, row, commit, request.signature)
        file = parse_file(request.file)
        if (file.ref, file.worker, file.seats, file.run.commitment) != (
            record.ref,
            worker,
            commit.seats,
            commit.commitment,
        ):
            raise RefusedError("this file does not belong to the commit beside it")
        kept = self._store.put_deposit(bounty_id, record.seed, worker, request)
        return DepositState(
            commitment=kept.commit.commitment,
            has_secret=kept.sealed_secret is not None,
            state=kept.state,
        )

    def _require_worth_watching(self, terms: Terms, seats: int) -> None:
        """Refuse what this node would have to pay for out of its own pocket."""
        fees, token = self._policy.watch_fees, terms.token
        if fees and terms.post_fee(seats) < fees.get(token, terms.post_fee(seats) + 1):
            raise ForbiddenError(
                "this bounty pays too little to who posts labels on chain; ask another node"
            )
        if self._session.chain.balance(self._account) < self._policy.gas_reserve:
            raise UnsettledError("this node is low on gas and takes nothing new; ask another one")

    def state(self, bounty_id: int, worker: int) -> DepositState:
        """Return what is here of a worker.

        Raises:
            MissingError: Nothing.
        """
        kept = self._store.deposit(bounty_id, self._lookup.find(bounty_id).record.seed, worker)
        if kept is None:
            raise MissingError(f"worker {worker} has left nothing here")
        return DepositState(
            commitment=kept.commit.commitment,
            has_secret=kept.sealed_secret is not None,
            state=kept.state,
        )
