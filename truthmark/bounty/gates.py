# SPDX-License-Identifier: Apache-2.0
"""Gates that ship with Truthmark: deploys them, and tells them of people (docs/protocol.md).

The terms of a bounty name a gate, or none. The intake asks it whenever a relay enrolls somebody.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from truthmark.bounty.client import BountyClient
from truthmark.bounty.payouts import Status
from truthmark.bounty.royalties import chunk_to_draw
from truthmark.chain.abi import load_artifact
from truthmark.chain.transactions import Intent
from truthmark.errors import BountyError
from truthmark.hashing import keccak256
from truthmark.labels.scoring import ONE
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.contracts import Contract

MAX_ACCOUNTS: Final = 256
"""How many accounts one call may name."""

MAX_REQUESTERS: Final = 32


def deploy_allow_list(session: Session, accounts: Sequence[str]) -> str:
    """Deploy a gate that admits whom the session's account names; returns its address.

    Args:
        session: Whose account owns the gate for good.
        accounts: Those who may join from the beginning.

    Raises:
        ChainError: It was not deployed.
    """
    gate = _deploy(session, "AllowListGate", session.address, accounts[:MAX_ACCOUNTS])
    if len(accounts) > MAX_ACCOUNTS:
        set_allowed(session, gate, accounts[MAX_ACCOUNTS:], is_allowed=True)
    return gate


def set_allowed(session: Session, gate: str, accounts: Sequence[str], *, is_allowed: bool) -> None:
    """Admit accounts from now on, or no more; who has a place in a bounty keeps it.

    Args:
        session: Whose account owns the gate.
        gate: Address of an `AllowListGate`.
        accounts: Whom.
        is_allowed: Whether they may join.

    Raises:
        ChainError: It was refused.
    """
    contract = _at(session, gate, "AllowListGate")
    for at in range(0, len(accounts), MAX_ACCOUNTS):
        part = list(accounts[at : at + MAX_ACCOUNTS])
        session.send_repeatable(
            contract.functions.set_allowed(part, is_allowed),
            f"{'name' if is_allowed else 'take off'} {len(part)} accounts at the gate {gate}",
        )


def deploy_record_gate(
    session: Session, requesters: Sequence[str], *, least: float, records: int = 1
) -> str:
    """Deploy a gate that admits who has labeled well before; returns its address.

    Args:
        session: Whose account deploys; nobody owns the gate.
        requesters: Whose bounties count, for good.
        least: The least part of the full price that a labeler earned, above .5 and at most 1.
        records: In how many bounties.

    Raises:
        BountyError: It would admit everybody, or nobody.
        ChainError: It was not deployed.
    """
    if not 0 < len(requesters) <= MAX_REQUESTERS:
        raise BountyError(f"a gate trusts 1 to {MAX_REQUESTERS} requesters; name them")
    millionths = round(least * ONE)
    if not ONE // 2 < millionths <= ONE:
        raise BountyError(
            "the least score is above .5, which runs get that cannot be scored, and at most 1"
        )
    if records < 1:
        raise BountyError("at least one record is needed, or the gate admits everybody")
    intake = BountyClient(session).intake.address
    return _deploy(session, "RecordGate", intake, list(requesters), millionths, records)


def register(session: Session, gate: str, bounty_id: int, worker: int) -> None:
    """Show a gate what a worker earned in a bounty; anyone may, once.

    Args:
        session: Whose account sends.
        gate: Address of a `RecordGate`.
        bounty_id: A bounty that settled.
        worker: The row of its roster.

    Raises:
        BountyError: The gate would not count it.
        ChainError: It was refused.
    """
    record = BountyClient(session).read(bounty_id)
    contract = _at(session, gate, "RecordGate")
    if record.status is not Status.SETTLED or record.terms.is_team:
        raise BountyError(
            f"bounty {bounty_id} measured nobody; only a bounty with gold that has settled counts"
        )
    signer = record.roster.rows[worker].signer
    if contract.functions.is_registered(bounty_id, signer).call():
        raise BountyError(f"{signer} is registered for bounty {bounty_id} already")
    evidence = chunk_to_draw(record.roster, worker, record.require_score())
    session.send_repeatable(
        contract.functions.register(bounty_id, record.terms.to_struct(), evidence, worker),
        f"register {signer} of bounty {bounty_id} at the gate {gate}",
    )


def _at(session: Session, gate: str, name: str) -> "Contract":
    """Return a gate of a kind.

    Raises:
        BountyError: Nothing is there.
    """
    if not session.chain.code(gate):
        raise BountyError(f"there is no contract at {gate}; look at the gate's address again")
    return session.chain.at(gate, load_artifact(name))


def _deploy(session: Session, name: str, *arguments: Any) -> str:
    """Deploy a contract, once for a command however often that is killed and repeated."""
    data = load_artifact(name).creation_code(arguments)
    with session.exclusive(f"deploy-{name}"):
        for intent in session.journal.pending():
            if (intent.to, intent.data) == (None, data):
                return _address(name, session.journal.wait(intent.key))
        nonce = session.journal.next_nonce()
        key = f"gate:{keccak256(data).hex()}:{nonce}"
        return _address(
            name, session.journal.send(Intent(key, None, data, purpose="deploy a gate"))
        )


def _address(name: str, receipt: Any) -> str:
    if receipt.contract_address is None:
        raise BountyError(f"{name} was not deployed; look at {receipt.tx_hash}, then try again")
    return str(receipt.contract_address)
