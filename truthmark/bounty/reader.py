# SPDX-License-Identifier: Apache-2.0
"""Reads a bounty from the chain: its events from the index, rosters and commits from calldata.

Rosters and commits are in no event, for that would cost more than all else. What is read is held
against what the board keeps, so nobody, endpoint or relay, can show another bounty.
"""

from typing import TYPE_CHECKING, Any

from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Roster
from truthmark.bounty.score import Score
from truthmark.bounty.sealing import SealedRun, UnreadableError, run_from_body
from truthmark.bounty.terms import Terms
from truthmark.bounty.verify import Anchors
from truthmark.chain.agreement import agreed
from truthmark.chain.replies import hex_bytes
from truthmark.errors import BountyError, MalformedReplyError

if TYPE_CHECKING:
    from truthmark.chain.connection import Block, Chain
    from truthmark.chain.contracts import BlockId, Call, Contract
    from truthmark.index.database import EventIndex, EventRow

BOARD, INTAKE, PROOFS = "bounty_board", "bounty_intake", "bounty_proofs"
"""The contracts' roles in the profile."""


def read_record(
    chain: "Chain", index: "EventIndex", bounty_id: int, block: "Block | None" = None
) -> Record:
    """Return all that the chain says of a bounty.

    Args:
        chain: Whose profile has the contracts of bounties.
        index: Of that chain.
        bounty_id: The bounty's number.
        block: At which; the last that the index has, if not given.

    Raises:
        BountyError: There is no such bounty, or a call cannot be read from the chain: then do not
            label for it.
        ChainError: The chain cannot be read.
    """
    until = None if block is None else block.number

    def events(role: str, event: str) -> "list[EventRow]":
        return index.events(role, event, until_block=until, bounty_id=bounty_id)

    board, intake = getattr(chain, BOARD), getattr(chain, INTAKE)
    created = events(BOARD, "BountyCreated")
    if not created:
        raise BountyError(f"there is no bounty {bounty_id}; look for its number again")
    terms = Terms.from_struct(created[0].args["terms"]._asdict())
    enrolled, committed = events(BOARD, "Enrolled"), events(BOARD, "Committed")
    brought = _inputs(chain, [*enrolled, *committed])
    roster = [_chunks(reply, intake, "enroll", bounty_id) for reply in brought[: len(enrolled)]]
    commits = [_chunks(reply, board, "commit", bounty_id) for reply in brought[len(enrolled) :]]
    overrides = [
        Commit(row.args["worker"], row.args["seats"], row.args["commitment"])
        for row in events(BOARD, "CommitOverridden")
    ]
    seeds = events(BOARD, "SeedFixed")
    at = (block.hash if block is not None else index.tip().hash) or "latest"
    return Record(
        ref=BountyRef(chain.profile.chain_id, board.address, bounty_id),
        terms=terms,
        seed=seeds[-1].args["seed"] if seeds else bytes(32),
        roster=Roster.from_chunks(roster),
        commits=Commits.from_chunks(commits, overrides),
        posted=frozenset(row.args["worker"] for row in events(PROOFS, "SealedPosted")),
        status=Status(board.functions.state(bounty_id).call(block=at).status),
        score=_score(terms, events(INTAKE, "ScoreGold"), events(INTAKE, "ScoreEntries")),
    )


def read_anchors(
    chain: "Chain", record: Record, block: "BlockId" = "latest", *, certain: bool = False
) -> Anchors:
    """Return what the board holds of a bounty, to hold a record against.

    Args:
        chain: Whose profile has the contracts of bounties.
        record: The bounty.
        block: At which.
        certain: Take it on the word of two endpoints, where there are two: for what costs money.

    Raises:
        EndpointsDisagreeError: They say different things.
        ChainError: The chain cannot be read.
    """
    bounty_id, workers = record.ref.bounty_id, len(record.roster)
    board = getattr(chain, BOARD).functions

    def ask(calls: "list[Call]") -> list[Any]:
        if not certain:
            return chain.batch(calls, block=block)
        replies = agreed(chain.rpc, [call.request(block=block) for call in calls])
        return [call.decode(reply) for call, reply in zip(calls, replies, strict=True)]

    (state,) = ask([board.state(bounty_id)])
    count = max(workers, state.roster_calls, state.commit_calls, 1)
    contexts = ask([board.context(bounty_id, n, n, n) for n in range(count)])
    return Anchors(
        terms_hash=contexts[0].terms_hash,
        # Until the seed is fixed, its block stands there.
        seed=contexts[0].seed if state.status >= Status.LABEL else bytes(32),
        status=Status(state.status),
        roster=tuple(context.roster for context in contexts[: state.roster_calls]),
        commits=tuple(context.commits for context in contexts[: state.commit_calls]),
        overrides={
            worker: context.override
            for worker, context in enumerate(contexts[:workers])
            if context.override != bytes(32)
        },
        committed=tuple(context.committed for context in contexts[:workers]),
        posted=frozenset(
            worker for worker, context in enumerate(contexts[:workers]) if context.is_posted
        ),
        score=contexts[0].score,
    )


def read_enrolled(chain: "Chain", row: "EventRow") -> bytes:
    """Return the rows that one call added to a roster, as it brought them.

    Args:
        chain: Whose profile has the contracts of bounties.
        row: The event `Enrolled`.

    Raises:
        BountyError: It cannot be read from the chain.
        ChainError: The chain cannot be read.
    """
    intake, number = getattr(chain, INTAKE), int(row.args["bounty_id"])
    (reply,) = _inputs(chain, [row])
    return b"".join(_chunks(reply, intake, "enroll", number))


def read_posted(
    index: "EventIndex", bounty_id: int, block: "Block | None" = None
) -> dict[int, SealedRun | None]:
    """Return the sealed labels that are on chain, by worker.

    Args:
        index: Of the chain.
        bounty_id: The bounty's number.
        block: Until which; the last that the index has, if not given.

    Returns:
        None in the place of labels that hold no point, which nobody can open.
    """
    until = None if block is None else block.number
    found: dict[int, SealedRun | None] = {}
    for row in index.events(PROOFS, "SealedPosted", until_block=until, bounty_id=bounty_id):
        try:
            run = run_from_body(row.args["root"], row.args["sealed"])
        except UnreadableError:
            run = None
        found.setdefault(row.args["worker"], run)
    return found


def require_anchored(record: Record, anchors: Anchors) -> None:
    """Refuse a record that is not what the board holds.

    Args:
        record: The bounty, as the chain has it.
        anchors: What the board holds of it: hashes, seed, states.

    Raises:
        BountyError: Something differs; the message says what.
    """
    mine = Anchors.of(record)
    for name in Anchors.__slots__:
        if getattr(mine, name) != getattr(anchors, name):
            raise BountyError(
                f"the {name.replace('_', ' ')} of bounty {record.ref.bounty_id} cannot be read"
                " from the chain as the board holds it; ask another endpoint, or do not label"
            )


def _score(terms: Terms, gold: "list[EventRow]", entries: "list[EventRow]") -> Score | None:
    if not gold:
        return None
    posted = gold[-1].args
    return Score.from_posted(
        terms=terms,
        salt=posted["salt"],
        gold=posted["gold"],
        entries=[row.args["entries"] for row in entries],
        lines=posted["lines"],
    )


def _inputs(chain: "Chain", rows: "list[EventRow]") -> list[Any]:
    """Return the transactions of events."""
    hashes = list(dict.fromkeys(row.tx_hash for row in rows))
    replies = chain.rpc.batch([("eth_getTransactionByHash", (tx_hash,)) for tx_hash in hashes])
    found = dict(zip(hashes, replies, strict=True))
    return [found[row.tx_hash] for row in rows]


def _chunks(reply: Any, contract: "Contract", name: str, bounty_id: int) -> list[bytes]:
    """Return the chunks that a transaction brought to a contract."""
    if not isinstance(reply, dict):
        raise MalformedReplyError("an endpoint does not have a transaction; try another endpoint")
    (function,) = contract.artifact.functions[name]
    data = hex_bytes(reply.get("input"))
    is_direct = str(reply.get("to")).lower() == contract.address.lower()
    if is_direct and data[:4] == function.selector:
        arguments = function.decode_arguments(data)
        if arguments[0] == bounty_id:
            return [bytes(chunk) for chunk in arguments[2]]
    raise BountyError(
        f"{name} of bounty {bounty_id} came by an inner call, which nobody can read; do not label"
    )
