# SPDX-License-Identifier: Apache-2.0
"""The contracts of bounties, called: each method makes one transaction of what the rest computes.

Under one key of the journal at most one transaction takes effect, so a command that was killed can
be given again. What a contract would refuse is refused here first, in words.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from truthmark.bounty import reader
from truthmark.bounty.commits import Commit, chunks_of
from truthmark.bounty.evidence import CHUNK, CommitsChunk
from truthmark.bounty.lies import Lie, require_proven
from truthmark.bounty.payouts import Status, chunks_to_pay
from truthmark.bounty.posting import Override, Posting
from truthmark.bounty.proofs import ProofKind
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.result import Result
from truthmark.bounty.roster import Row
from truthmark.bounty.score import Score
from truthmark.bounty.terms import Terms
from truthmark.bounty.verify import Finding, verify
from truthmark.errors import BountyError, RevertedError
from truthmark.hashing import keccak256
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.chain.contracts import BlockId, Call, Contract

_PREFIX = "bounty:"

MAX_ROWS = 1024
"""Rows of a roster, or of commits, in one call."""

_PAID_BEFORE = "paid already"
"""What the board says where a chunk holds nobody who is not paid yet."""

PROVE: Final = {
    ProofKind.ANSWER: "prove_answer",
    ProofKind.LINE: "prove_line",
    ProofKind.DELIVERED: "prove_delivered",
    ProofKind.READABLE: "prove_readable",
}
"""The functions of the proofs' contract."""


class BountyClient:
    """What an account does about bounties.

    Args:
        session: Whose profile has the contracts of bounties.
        waits: Whether to wait until a transaction counts. Daemons do not: what is on its way, or
            took effect, is not sent again when they ask in their next round.

    Attributes:
        sent: How many transactions went out without being waited for.
    """

    def __init__(self, session: Session, *, waits: bool = True) -> None:
        """Take a session; nothing is read yet."""
        self.session = session
        self.waits = waits
        self.sent = 0

    @property
    def board(self) -> "Contract":
        """State and money."""
        contract: Contract = getattr(self.session.chain, reader.BOARD)
        return contract

    @property
    def intake(self) -> "Contract":
        """Rosters, scores, payouts."""
        contract: Contract = getattr(self.session.chain, reader.INTAKE)
        return contract

    @property
    def proofs(self) -> "Contract":
        """Overrides, sealed labels, proofs."""
        contract: Contract = getattr(self.session.chain, reader.PROOFS)
        return contract

    # ----------------------------------------------------------------- reading

    def ref(self, bounty_id: int) -> BountyRef:
        """Return what secrets and signatures of a bounty of this board are bound to."""
        return BountyRef(self.session.profile.chain_id, self.board.address, bounty_id)

    def read(self, bounty_id: int, *, final: bool = False) -> Record:
        """Return what the chain says of a bounty, held against what the board keeps.

        Args:
            bounty_id: The bounty's number.
            final: Only what has the profile's confirmations, so that nothing that is handed out
                because of it can turn out not to be on chain.

        Raises:
            BountyError: It cannot be read as the board holds it: do not label.
            ChainError: The chain cannot be read.
        """
        chain, follower = self.session.chain, self.session.follower
        follower.sync()
        tip = follower.index.tip()
        block = chain.block(tip.hash or "latest")
        if final:
            confirmed = chain.final_block()
            block = confirmed if confirmed.number < block.number else block
        record = reader.read_record(chain, follower.index, bounty_id, block)
        anchors = reader.read_anchors(chain, record, block.hash)
        reader.require_anchored(record, anchors)
        return record

    def require_certain(self, record: Record, block: "BlockId" = "latest") -> None:
        """Refuse a record that two endpoints, where there are two, do not both have.

        For what costs money.

        Args:
            record: The bounty.
            block: At which the board must have it so.

        Raises:
            BountyError: The board holds something else.
            EndpointsDisagreeError: They say different things.
            ChainError: The chain cannot be read.
        """
        anchors = reader.read_anchors(self.session.chain, record, block, certain=True)
        reader.require_anchored(record, anchors)

    def mark(self, bounty_id: int) -> int:
        """Return when the bounty's status began, chain time."""
        return int(self.board.functions.state(bounty_id).call().mark)

    def verify(self, result: Result) -> Finding:
        """Check a result against the chain.

        Raises:
            ChainError: The chain cannot be read.
        """
        return verify(result, reader.read_anchors(self.session.chain, result.record))

    # --------------------------------------------------------------- requester

    def create(self, terms: Terms) -> int:
        """Pay pot and bond in; returns the bounty's number.

        The secrets that the terms depend on must be in the vault.

        Raises:
            BountyError: The board would refuse the terms.
            ChainError: It was not created.
        """
        terms.require_sound()
        if not self.has_sent(terms):
            self.session.allow(terms.token, self.board.address, terms.pot + terms.bond)
        call = self.board.functions.create(terms.to_struct())
        receipt = self.session.send(call, _create_key(terms), "create a bounty")
        for log in self.board.logs(receipt.logs):
            if log.event == "BountyCreated":
                return int(log.args["bounty_id"])
        raise BountyError("the board did not say which bounty it created; look for it again")

    def has_sent(self, terms: Terms) -> bool:
        """Whether the bounty of these terms was created from here, or is about to be."""
        journal, key = self.session.journal, _create_key(terms)
        done = journal.result(key)
        is_on_its_way = any(intent.key == key for intent in journal.pending())
        return is_on_its_way or (done is not None and done.succeeded)

    def score(self, record: Record, score: Score) -> None:
        """Post the score.

        Args:
            record: The bounty, as the chain has it.
            score: Gold with its salt, entries and lines.

        Raises:
            BountyError: The gold is not what was committed to.
            ChainError: It was not posted.
        """
        terms = record.terms
        if not terms.is_team:
            score.gold.require_sound(items=terms.items, classes=terms.classes)
            if score.gold.commitment(score.salt) != terms.gold_commitment:
                raise BountyError("this gold is not what the terms commit to; find the right one")
        self._send(
            self.intake.functions.score(
                record.ref.bounty_id,
                terms.to_struct(),
                score.salt,
                score.gold.pack(),
                score.entry_chunks(),
                score.pack_lines(),
            ),
            f"{record.ref.bounty_id}:score:{score.hash.hex()}",
            f"score bounty {record.ref.bounty_id}",
        )

    def cite(self, bounty_id: int, terms: Terms, seller: str) -> None:
        """Name who may sell data that owe this bounty's labelers royalties.

        Args:
            bounty_id: The bounty's number.
            terms: The bounty's terms.
            seller: Their account; another one takes the place of who was named before.

        Raises:
            ChainError: It was refused.
        """
        self._send_repeatable(
            self.board.functions.cite(bounty_id, terms.to_struct(), seller),
            f"let {seller} cite bounty {bounty_id}",
        )

    # ------------------------------------------------------------------- relay

    def enroll(self, bounty_id: int, terms: Terms, rows: Sequence[Row], *, closes: bool) -> None:
        """Add rows to the roster; the call that closes may bring none.

        Args:
            bounty_id: The bounty's number.
            terms: The bounty's terms.
            rows: At most `MAX_ROWS`, in order; gaps among them.
            closes: Whether joining ends with this call.

        Raises:
            BountyError: There are too many for one call.
            ChainError: It was refused.
        """
        parts = _parts(rows) if rows or not closes else []
        chunks = [b"".join(row.pack() for row in part) for part in parts]
        self._send(
            self.intake.functions.enroll(bounty_id, terms.to_struct(), chunks, closes),
            f"{bounty_id}:enroll:{keccak256(b''.join(chunks)).hex()}:{int(closes)}",
            f"enroll {len(rows)} rows in bounty {bounty_id}",
        )

    def commit(self, bounty_id: int, terms: Terms, rows: Sequence[Commit]) -> None:
        """Post workers' commits.

        Args:
            bounty_id: The bounty's number.
            terms: The bounty's terms.
            rows: At most `MAX_ROWS`, each worker once.

        Raises:
            BountyError: There are too many for one call.
            ChainError: It was refused.
        """
        _parts(rows)
        chunks = chunks_of(rows)
        self._send(
            self.board.functions.commit(bounty_id, terms.to_struct(), chunks),
            f"{bounty_id}:commit:{keccak256(b''.join(chunks)).hex()}",
            f"post {len(rows)} commits of bounty {bounty_id}",
        )

    # ---------------------------------------------------------------- labelers

    def override(self, record: Record, override: Override) -> None:
        """Put a signed commit in the place of what the relay posted or left out.

        Args:
            record: The bounty, as the chain has it.
            override: The commit, its signature, and the row of the roster.

        Raises:
            ChainError: It was refused.
        """
        self._send(
            self._about(record, "override_commit", _fields(override)),
            f"{record.ref.bounty_id}:override:{override.commitment.hex()}",
            f"override the commit of worker {override.worker}",
        )

    def post_sealed(self, record: Record, posting: Posting) -> None:
        """Put one worker's sealed labels on chain.

        Args:
            record: The bounty, as the chain has it.
            posting: The labels, and the chunks that prove whose they are.

        Raises:
            ChainError: It was refused.
        """
        self._send(
            self._about(record, "post_sealed_one", _fields(posting)),
            f"{record.ref.bounty_id}:post:{posting.worker}",
            f"post the sealed labels of worker {posting.worker}",
        )

    def post_sealed_chunk(
        self, record: Record, commits: CommitsChunk, files: Sequence[bytes]
    ) -> None:
        """Put the sealed labels of several workers of one chunk of commits on chain.

        Args:
            record: The bounty.
            commits: The chunk, as `posting.postings` gives it.
            files: Theirs, as it gives them.

        Raises:
            ChainError: It was refused.
        """
        self._send(
            self._about(record, "post_sealed", {"commits": commits, "files": list(files)}),
            f"{record.ref.bounty_id}:post-chunk:{keccak256(b''.join(files)).hex()}",
            f"post the sealed labels of {len(files)} workers",
        )

    def prove(self, record: Record, lie: Lie) -> None:
        """Prove a lie of the score, which ends the bounty in favour of its workers.

        Args:
            record: The bounty, as the chain has it.
            lie: What is wrong, with its evidence.

        Raises:
            NotProvenError: The evidence proves nothing; nothing was sent.
            ChainError: It was refused: somebody else may have been faster.
        """
        self._send(
            self.plan_prove(record, lie),
            f"{record.ref.bounty_id}:prove:{int(lie.kind)}:{lie.worker}",
            f"prove: {lie.says}",
        )

    def send_proof(self, bounty_id: int, call: "Call") -> None:
        """Send a proof that somebody else made ready.

        Args:
            bounty_id: The bounty's number.
            call: What proves it.

        Raises:
            ChainError: It was refused: somebody else may have been faster.
        """
        key = f"{bounty_id}:prove-call:{keccak256(call.data).hex()}"
        self._send(call, key, f"disprove the score of bounty {bounty_id}")

    def plan_prove(self, record: Record, lie: Lie) -> "Call":
        """Return the call that proves a lie; who sends it pays the gas and gets the reward.

        Args:
            record: The bounty, as the chain has it.
            lie: What is wrong, with its evidence.

        Raises:
            NotProvenError: The evidence proves nothing.
        """
        require_proven(record, lie)
        return self._about(record, PROVE[lie.kind], dict(lie.evidence))

    # ------------------------------------------------------------------ anyone

    def close_joining(self, bounty_id: int, terms: Terms) -> None:
        """End joining when its time is over.

        Args:
            bounty_id: The bounty's number.
            terms: The bounty's terms.

        Raises:
            ChainError: It was refused.
        """
        self._send_repeatable(
            self.board.functions.close_joining(bounty_id, terms.to_struct()),
            f"end joining of bounty {bounty_id}",
        )

    def fix_seed(self, bounty_id: int) -> None:
        """Make the seed, with which labeling begins.

        Raises:
            ChainError: It was refused.
        """
        self._send_repeatable(
            self.board.functions.fix_seed(bounty_id), f"draw the seed of bounty {bounty_id}"
        )

    def end(self, bounty_id: int, terms: Terms) -> None:
        """End a bounty whose last deadline is over.

        Args:
            bounty_id: The bounty's number.
            terms: The bounty's terms.

        Raises:
            ChainError: It was refused.
        """
        self._send_repeatable(
            self.board.functions.end_bounty(bounty_id, terms.to_struct()),
            f"end bounty {bounty_id}",
        )

    def payout(self, record: Record) -> None:
        """Credit all workers, in as few calls as that takes; who is paid is passed over.

        Raises:
            ChainError: It was refused.
        """
        number = record.ref.bounty_id
        for paying, place in self.plan_payout(record):
            try:
                purpose = f"pay the workers of bounty {number}"
                self._send(paying, f"{number}:payout:{place}", purpose)
            except RevertedError as error:
                if _PAID_BEFORE not in str(error):
                    raise

    def plan_payout(self, record: Record) -> list[tuple["Call", str]]:
        """Return the calls that credit all workers, which anyone may send, and what names each.

        Raises:
            BountyError: The score cannot be read.
        """
        shows_lines = record.status in (
            Status.SCORED,
            Status.SCORED_HALF,
            Status.SETTLED,
            Status.HALF,
        )
        score = record.require_score() if shows_lines else None
        found = []
        for call, rows in enumerate(record.roster.calls):
            for chunk in range(0, -(-len(rows) // CHUNK), 16):
                evidence = chunks_to_pay(record.roster, call, chunk, score)
                first = evidence.first_worker
                if not record.committed[first : first + 16 * CHUNK].any():
                    continue
                paying = self.intake.functions.payout(
                    record.ref.bounty_id, record.terms.to_struct(), evidence
                )
                found.append((paying, f"{call}:{chunk}"))
        return found

    def withdraw(self, token: str, account: str) -> None:
        """Pay an account what the board owes it, and only to it.

        Args:
            token: Address of the token.
            account: Who is paid.

        Raises:
            ChainError: It was refused.
        """
        self._send_repeatable(
            self.board.functions.withdraw(token, account, 0), f"withdraw for {account}"
        )

    # ---------------------------------------------------------------- internals

    def _about(self, record: Record, name: str, evidence: dict[str, Any]) -> "Call":
        function = getattr(self.proofs.functions, name)
        call: Call = function(record.ref.bounty_id, record.terms.to_struct(), **evidence)
        return call

    def _send(self, call: "Call", key: str, purpose: str) -> None:
        name = f"{_PREFIX}{key}"
        if self.waits:
            self.session.send(call, name, purpose)
        else:
            self.sent += self.session.submit(call, name, purpose)

    def _send_repeatable(self, call: "Call", purpose: str) -> None:
        if self.waits:
            self.session.send_repeatable(call, purpose)
        else:
            self.sent += self.session.submit_repeatable(call, purpose)


def _fields(evidence: Override | Posting) -> dict[str, Any]:
    return {name: getattr(evidence, name) for name in evidence.__slots__}


def _create_key(terms: Terms) -> str:
    return f"{_PREFIX}create:{terms.hash.hex()}"


def _parts(rows: Sequence[Any]) -> list[Sequence[Any]]:
    if not 0 < len(rows) <= MAX_ROWS:
        raise BountyError(f"one call takes 1 to {MAX_ROWS} rows; make several calls")
    return [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]
