# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Record Gate
@custom:contract-name RecordGate
@license AGPL-3.0-only
@author The Truthmark authors
@notice Admits to bounties, whose terms name it, who has labeled well in settled bounties of certain
        requesters. Anyone shows a score by the evidence that pays it out.
@custom:security
        * No owner, no money. Requesters, least score and least number are fixed for good.
        * Only what gold has measured counts: bounties that SETTLED, never FLAT, HALF or a team's;
          and scores above a half, as a half is what a run gets that could not be scored.
        * A requester who is trusted here can give records away. So name few.
@custom:kill Nothing to stop; name another gate in the terms of bounties to come.
"""

from .interfaces import IBountyBoard
from .interfaces import IBountyIntake
from .interfaces import IGate
from .interfaces import IRecordGate

implements: IGate
implements: IRecordGate

from .modules import bounties as b
from .modules import scoring

MAX_REQUESTERS: constant(uint256) = 32

# --------------------------------------------------------------- immutables

INTAKE: public(immutable(IBountyIntake))
BOARD: immutable(IBountyBoard)
LEAST_MILLIONTHS: public(immutable(uint256))
LEAST_RECORDS: public(immutable(uint256))

# ------------------------------------------------------------------ storage

is_trusted: public(HashMap[address, bool])
# bounty -> signer; not by row, or who stands twice in a roster would be counted twice
is_registered: public(HashMap[uint256, HashMap[address, bool]])
records: public(HashMap[address, uint256])

# -------------------------------------------------------------- constructor


@deploy
def __init__(
    intake_: IBountyIntake,
    requesters: DynArray[address, MAX_REQUESTERS],
    least_millionths_: uint256,
    least_records_: uint256,
):
    """
    @notice Fix what counts, for good.
    @param intake_ The contract that says what a bounty paid; its board's bounties count.
    @param requesters Whose bounties.
    @param least_millionths_ The least score: more than a half, at most the full price.
    @param least_records_ How many such scores admit an account.
    """
    assert intake_.address != empty(address), "gate: intake is zero"
    assert len(requesters) != 0, "gate: no requesters"
    assert (
        scoring.HALF < least_millionths_ and least_millionths_ <= scoring.ONE
    ), "gate: bad least score"
    assert least_records_ != 0, "gate: bad least records"
    INTAKE = intake_
    BOARD = IBountyBoard(staticcall intake_.BOARD())
    LEAST_MILLIONTHS = least_millionths_
    LEAST_RECORDS = least_records_
    for requester: address in requesters:
        assert requester != empty(address), "gate: requester is zero"
        self.is_trusted[requester] = True


# ------------------------------------------------------------------- anyone


@external
def register(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    evidence: IBountyIntake.ChunkEvidence,
    worker: uint256,
):
    """
    @notice Count a worker's score in a settled bounty, once.
    @dev Anyone. It says openly that this account has labeled there.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param evidence The chunk of the roster with the worker, and the lines.
    @param worker The row of the roster.
    """
    assert (staticcall BOARD.state(bounty_id)).status == b.SETTLED, "gate: not settled"
    # Checks terms, roster and lines.
    full: uint256 = 0
    pays: DynArray[IBountyIntake.Pay, 32] = []
    full, pays = staticcall INTAKE.pays(bounty_id, terms, evidence)
    assert terms.gold_count != 0, "gate: nothing was measured"
    assert self.is_trusted[convert(terms.requester, address)], "gate: other requester"
    for pay: IBountyIntake.Pay in pays:
        if pay.worker == worker:
            assert pay.millionths >= LEAST_MILLIONTHS, "gate: score too low"
            assert not self.is_registered[bounty_id][pay.signer], "gate: registered already"
            self.is_registered[bounty_id][pay.signer] = True
            self.records[pay.signer] += 1
            log IRecordGate.Registered(
                account=pay.signer,
                bounty_id=bounty_id,
                worker=worker,
                millionths=pay.millionths,
            )
            return
    raise "gate: no such worker"


# -------------------------------------------------------------------- views


@external
@view
def admits(bounty_id: uint256, account: address) -> bool:
    """
    @notice Tell whether an account may label.
    @param bounty_id The bounty; all are the same to this gate.
    @param account Who would sign the commit.
    @return Whether the account may.
    """
    return self.records[account] >= LEAST_RECORDS
