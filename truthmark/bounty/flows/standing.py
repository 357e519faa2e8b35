# SPDX-License-Identifier: Apache-2.0
"""How a bounty stands, for its requester, for a labeler, and for anyone else."""

from collections.abc import Collection
from dataclasses import dataclass

from truthmark.bounty import reader
from truthmark.bounty.client import BountyClient
from truthmark.bounty.labeler import is_acknowledged
from truthmark.bounty.labeling_folder import LabelingFolder
from truthmark.bounty.payouts import Payment, Status
from truthmark.bounty.phases import Phase, phase_of
from truthmark.bounty.record import Record
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes
from truthmark.labels.scoring import ONE
from truthmark.session import Session


@dataclass(frozen=True, slots=True)
class Share:
    """One labeler's part.

    Attributes:
        worker: The row of the roster.
        seats: Of their run.
        committed: Seats whose labels are committed to.
        is_posted: Whether the sealed labels are on chain.
        is_acknowledged: Whether the receiver's signature for them is here.
        score: Of the full price, as the score has it; None before it, and where it says nothing.
        mark: Why nothing is paid; empty where nothing is wrong.
        payment: What they get; None while nobody can say.
    """

    worker: int
    seats: int
    committed: int
    is_posted: bool
    is_acknowledged: bool
    score: float | None
    mark: str
    payment: Payment | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bounty stands.

    Attributes:
        record: What the chain says.
        phase: What goes on.
        now: Chain time.
        joined: Workers on the roster.
        taken: Seats on the roster.
        committed: Workers whose commit is on chain.
        seats_committed: Their seats.
        received: Whose labels the requester has; None for others.
        acknowledged: Whom the requester has signed for; None for others.
        paid: Workers who are paid.
        paid_units: What they got, in the token's smallest unit.
        burned_units: What was withheld and burned.
        owed_units: What the board owes the asking account.
        shares: Those of the asking accounts.
        workspace: The requester's folder; None for others.
        title: Of the bounty's document, if that is on this disk; else empty.
    """

    record: Record
    phase: Phase
    now: int
    joined: int
    taken: int
    committed: int
    seats_committed: int
    received: int | None
    acknowledged: int | None
    paid: int
    paid_units: int
    burned_units: int
    owed_units: int
    shares: list[Share]
    workspace: Workspace | None
    title: str


def standing_of(
    session: Session, bounty_id: int, accounts: Collection[str] | None = None
) -> Standing:
    """Return how a bounty stands at the newest block.

    Args:
        session: Whose chain, and whose workspace if it is the requester's.
        bounty_id: The bounty's number.
        accounts: Signers and payees whose part is wanted; if not given, the session's account and
            the key with which this home labels.

    Raises:
        BountyError: There is no such bounty, or it cannot be read as the board holds it.
        ChainError: The chain cannot be read.
    """
    client = BountyClient(session)
    record = client.read(bounty_id)
    index = session.follower.index
    now = index.tip().timestamp
    phase = phase_of(record, client.mark(bounty_id), now)
    account = session.known_address
    folder = LabelingFolder(session.home, record.ref)
    entry = folder.entry
    own = [account, None if entry is None else entry.signer]
    wanted = [one for one in own if one is not None] if accounts is None else accounts
    payouts = index.events(reader.BOARD, "PaidOut", bounty_id=bounty_id)
    owed = 0
    if account is not None:
        owed = int(client.board.functions.balances(record.terms.token, account).call())
    workspace = _workspace(session, record)
    standing = record.commits.standing
    received = acknowledged = None
    if workspace is not None:
        received = sum(worker in standing for worker, _ in workspace.files())
        acknowledged = sum(worker in standing for worker in workspace.acknowledged())
    return Standing(
        record=record,
        phase=phase,
        now=now,
        joined=int((record.roster.runs > 0).sum()),
        taken=int(record.roster.runs.sum()),
        committed=len(standing),
        seats_committed=int(record.committed.sum()),
        received=received,
        acknowledged=acknowledged,
        paid=sum(row.args["workers"] for row in payouts),
        paid_units=sum(row.args["paid"] for row in payouts),
        burned_units=sum(row.args["burned"] for row in payouts),
        owed_units=owed,
        shares=shares_of(record, wanted, phase, folder),
        workspace=workspace,
        title=_title(record, workspace, folder),
    )


def shares_of(
    record: Record, accounts: Collection[str], phase: Phase, folder: LabelingFolder
) -> list[Share]:
    """Return the parts of some signers and payees, in the order of the roster.

    Args:
        record: The bounty.
        accounts: Of whom.
        phase: What goes on.
        folder: Where a labeler keeps acknowledgements.
    """
    wanted = {address_bytes(account) for account in accounts}
    expected = expected_payments(record, phase)
    found = []
    for worker, row in enumerate(record.roster.rows):
        if row.is_gap or not wanted & {address_bytes(row.signer), address_bytes(row.payee)}:
            continue
        committed = int(record.committed[worker])
        line = None if record.score is None else int(record.score.lines[worker])
        mark = _MARKS.get(line, "") if line is not None and committed else ""
        is_scored = line is not None and committed and not mark and not record.terms.is_team
        found.append(
            Share(
                worker=worker,
                seats=row.seats,
                committed=committed,
                is_posted=worker in record.posted,
                is_acknowledged=_is_acknowledged(record, worker, folder),
                score=min(line, ONE) / ONE if is_scored and line is not None else None,
                mark=mark,
                payment=expected.get(worker),
            )
        )
    return found


def expected_payments(record: Record, phase: Phase) -> dict[int, Payment]:
    """Return by worker what they get: final after the end, and before as it looks now.

    Nothing before there is a score, or none can come any more.

    Args:
        record: The bounty, as the chain has it.
        phase: How far the bounty is.
    """
    status = Status.FLAT if phase.name == "silent" else record.status.unchallenged
    if not status.has_ended:
        return {}
    return {payment.worker: payment for payment in record.payments(status)}


_MARKS = {NOT_DELIVERED: "said not to be delivered", UNREADABLE: "said to be unreadable"}


def _is_acknowledged(record: Record, worker: int, folder: LabelingFolder) -> bool:
    standing = record.commits.standing.get(worker)
    if standing is None:
        return False
    signature = folder.find_acknowledgement(standing.commitment)
    return signature is not None and is_acknowledged(record, standing, signature)


def _title(record: Record, workspace: Workspace | None, folder: LabelingFolder) -> str:
    if workspace is not None:
        return workspace.document.title
    document = folder.find_document(record.terms)
    return "" if document is None else document.title


def _workspace(session: Session, record: Record) -> Workspace | None:
    try:
        return Workspace.find(session.home, record.ref)
    except BountyError:
        return None
