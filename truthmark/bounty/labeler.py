# SPDX-License-Identifier: Apache-2.0
"""What a labeler's client checks, seals, signs once, and does next.

A labeler trusts nobody: not the relay (which may post another commitment, or none), not the
requester (who may deny delivery), not their own machine (which may crash between any two lines).
What is signed is in the vault before it is signed, and the vault replaces nothing. So there is one
set of labels for one e, whatever happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from truthmark.bounty import messages
from truthmark.bounty.annotations import annotation_code
from truthmark.bounty.assignment import NO_ITEM
from truthmark.bounty.commits import Commit
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.payouts import Status
from truthmark.bounty.planning import OVERRIDE_GAS, POST_BYTE_GAS, POST_CALL_GAS, PROOF_GAS
from truthmark.bounty.record import Record
from truthmark.bounty.sealing import HASH_BYTES, Codes, SealedRun, seal
from truthmark.bounty.secrets import labeler_secret
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes
from truthmark.keys.typed import TypedData, sign, signer_of
from truthmark.keys.vault import Record as VaultRecord
from truthmark.keys.vault import Vault
from truthmark.labels.scoring import Ints

KIND: Final = "label-commit"


@dataclass(frozen=True, slots=True)
class Place:
    """A labeler's place in a bounty.

    Attributes:
        worker: The row of the roster.
        start: Its first seat.
        seats: The length of the run.
        items: Of the run, in the order in which they stand; NO_ITEM behind a short seat.
    """

    worker: int
    start: int
    seats: int
    items: Ints


def find_place(
    record: Record, terms_hash: bytes, *, signer: str, payee: str, now: int, needed: int, mark: int
) -> Place:
    """Check all that a labeler depends on before they label, and return what is theirs.

    Args:
        record: What the chain says, confirmed.
        terms_hash: What the board holds of the terms.
        signer: Who labels.
        payee: Who is to be paid.
        now: Chain time.
        needed: Seconds that labeling will take.
        mark: When the seed was fixed, chain time.

    Raises:
        BountyError: Something is not as it must be: do not label. The message says what.
    """
    terms, roster = record.terms, record.roster
    if terms.hash != terms_hash:
        raise BountyError("these are not the terms that the board holds; fetch them again")
    terms.require_sound()
    roster.require_sound(terms)
    if record.status is not Status.LABEL or record.seed == bytes(32):
        raise BountyError("labeling has not begun, or is over; look for another bounty")
    doubled = roster.doubled_signers()
    if doubled:
        raise BountyError(
            f"{doubled[0]} stands on the roster more than once; do not label for this requester"
        )
    worker = roster.worker_of(signer)
    row = roster.rows[worker]
    if address_bytes(row.payee) != address_bytes(payee):
        raise BountyError(f"the roster would pay {row.payee} and not {payee}; do not label")
    if now + needed > terms.deadlines(mark).label:
        raise BountyError("there is no time left to label and commit; look for another bounty")
    start = int(roster.starts[worker])
    return Place(worker, start, row.seats, record.assignment.items_of(start, row.seats))


@dataclass(frozen=True, slots=True)
class Gas:
    """What a labeler, or who does it for them, spends where others fail.

    Attributes:
        posting: On sealed labels on chain.
        proving: On the costliest of the usual proofs.
        overriding: On putting a commit on chain that the relay left out.
    """

    posting: int
    proving: int
    overriding: int = OVERRIDE_GAS


def gas_to_cover(record: Record, seats: int) -> Gas:
    """Return the gas for which the terms pay fees and a reward.

    Args:
        record: The bounty.
        seats: Of the run.
    """
    return Gas(POST_CALL_GAS + POST_BYTE_GAS * record.scheme(0).sealed_bytes(seats), PROOF_GAS)


def uncovered(record: Record, *, seats: int, gas_price: int, unit_price: float) -> list[str]:
    """Return what the terms pay less for than it costs, a line each; clients then ask first.

    Args:
        record: The bounty.
        seats: Of the run.
        gas_price: Of the day, in wei.
        unit_price: Of the token's smallest unit, in wei.
    """
    terms, gas = record.terms, gas_to_cover(record, seats)
    found = []
    if terms.post_fee(seats) * unit_price < gas.posting * gas_price:
        found.append("posting your labels on chain costs more gas than the terms pay for it")
    if not terms.is_team and terms.reward * unit_price < gas.proving * gas_price:
        found.append("proving a lie costs more gas than its reward")
    return found


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A labeler's only word for their labels.

    Attributes:
        commit: What stands for them once it is on chain.
        signature: Of it, 65 bytes.
        run: What they hand out, and only after that.
        secret: e.
    """

    commit: Commit
    signature: bytes
    run: SealedRun
    secret: int

    def file(self, record: Record) -> LabelFile:
        """Return the file for the receiver."""
        return LabelFile(record.ref, self.commit.worker, self.commit.seats, self.run)


def codes_of(place: Place, answers: dict[int, int], classes: int, batch: int) -> Codes:
    """Return the codes of the seats that are answered, from the first.

    Args:
        place: The labeler's.
        answers: By item, a class, or `classes` for a skip.
        classes: C.
        batch: B.

    Raises:
        BountyError: An answer is no code, or no seat is complete.
    """
    if any(not 0 <= code <= classes for code in answers.values()):
        raise BountyError(f"an answer is no class; give 0 to {classes - 1}, or {classes} to skip")
    codes = [classes if item == NO_ITEM else answers.get(item, -1) for item in place.items.tolist()]
    missing = codes.index(-1) if -1 in codes else len(codes)
    whole = missing // batch * batch
    if not whole:
        raise BountyError(f"no seat is complete; answer the first {batch} items to commit")
    return np.array(codes[:whole], np.uint8)


def hashes_of(place: Place, texts: Mapping[int, str], batch: int) -> Codes:
    """Return the codes of the seats that are annotated, where a code is a hash (team mode).

    Args:
        place: The labeler's.
        texts: By item, what goes to the requester beside; empty for a skip.
        batch: B.

    Raises:
        BountyError: No seat is complete.
    """
    items = place.items.tolist()
    missing = next((n for n, i in enumerate(items) if i != NO_ITEM and i not in texts), None)
    whole = (len(items) if missing is None else missing) // batch * batch
    if not whole:
        raise BountyError(f"no seat is complete; annotate the first {batch} items to commit")
    codes = [annotation_code(texts.get(i, "")) for i in items[:whole]]
    return np.frombuffer(b"".join(codes), np.uint8).reshape(-1, HASH_BYTES)


def sign_once(
    vault: Vault, record: Record, worker: int, codes: Codes, private_key: bytes
) -> SignedCommit:
    """Seal and sign labels; the same again, also after a crash, gives the same bytes.

    Args:
        vault: Holds what was signed before it is signed.
        record: The bounty, whose seed is fixed.
        worker: The row of the roster.
        codes: Of whole seats from the first of the run.
        private_key: Of the row's signer, 32 bytes.

    Raises:
        BountyError: Other labels were signed before: those are final.
        KeysError: The vault cannot keep what is to be signed.
    """
    seats = len(codes) // record.terms.batch
    secret = labeler_secret(private_key, record.ref, record.seed, worker)
    run = seal(record.scheme(worker), secret=secret, key=record.terms.key, codes=codes)
    entry: VaultRecord = {
        "worker": worker,
        "seats": seats,
        "codes": codes.tobytes().hex(),
        "commitment": run.commitment.hex(),
        "terms_hash": record.terms.hash.hex(),
        "secret": f"{secret:064x}",
    }
    name = _name(record)
    kept = vault.find(KIND, name)
    if kept is not None and kept != entry:
        raise BountyError(
            "you signed other labels for this bounty before, and those are final; hand them out"
        )
    # The vault replaces nothing: of two clients that come at once, one is refused here.
    vault.put(KIND, name, entry)
    commit = Commit(worker, seats, run.commitment)
    return SignedCommit(commit, sign(commit_message(record, commit), private_key), run, secret)


def find_signed(vault: Vault, record: Record, private_key: bytes) -> SignedCommit | None:
    """Return what was signed for a bounty, made again from the vault, or None.

    Args:
        vault: Where the labels were kept before they were signed.
        record: The bounty, as the chain has it.
        private_key: Of the row's signer, 32 bytes.

    Raises:
        BountyError: The entry is damaged, or of another key.
    """
    kept = vault.find(KIND, _name(record))
    if kept is None:
        return None
    try:
        codes = np.frombuffer(bytes.fromhex(kept["codes"]), np.uint8)
        worker = int(kept["worker"])
    except (KeyError, TypeError, ValueError) as error:
        raise BountyError("the vault's commit is damaged; restore a backup") from error
    if not record.terms.classes:
        codes = codes.reshape(-1, HASH_BYTES)
    return sign_once(vault, record, worker, codes, private_key)


class Step(StrEnum):
    """What a labeler's client does next."""

    WAIT = "wait for the relay to post your commit"
    OVERRIDE = "override what the relay posted or left out"
    HAND_OUT = "hand out your labels"
    POST = "post your sealed labels on chain"
    WATCH = "watch for the score"
    PROVE = "prove what the score says wrongly of you"
    DONE = "nothing is left to do"
    LOST = "your commit is not on chain and can no longer come there"


def next_step(
    record: Record, signed: SignedCommit, *, now: int, mark: int, acknowledged: bool, lies: bool
) -> Step:
    """Return what is to be done now.

    Args:
        record: What the chain says, confirmed.
        signed: The labeler's commit.
        now: Chain time.
        mark: When the seed was fixed, chain time.
        acknowledged: Whether the receiver has signed for the labels.
        lies: Whether the score holds a lie that the labeler can prove.
    """
    if record.status.has_ended:
        return Step.DONE
    if record.status in (Status.SCORED, Status.SCORED_HALF):
        return Step.PROVE if lies else Step.WATCH
    worker, times = signed.commit.worker, record.terms.deadlines(mark)
    standing = record.commits.standing.get(worker)
    if standing != signed.commit:
        if now > times.commit or worker in record.commits.overrides:
            return Step.LOST
        return Step.WAIT if standing is None and now <= times.label else Step.OVERRIDE
    if acknowledged or worker in record.posted:
        return Step.WATCH
    half = times.commit + record.terms.release_seconds // 2
    return Step.POST if half < now <= times.post else Step.HAND_OUT


def is_acknowledged(record: Record, commit: Commit, signature: bytes) -> bool:
    """Return whether the receiver signed for labels, so that it cannot deny them.

    Args:
        record: The bounty.
        commit: To the labels.
        signature: By a key alone, as the contract reads it.
    """
    message = messages.acknowledged(
        record.ref, record.terms.hash, worker=commit.worker, commitment=commit.commitment
    )
    signer = signer_of(message, signature)
    return signer is not None and address_bytes(signer) == address_bytes(record.terms.receiver)


def commit_message(record: Record, commit: Commit) -> TypedData:
    """Return what a worker signs of a commit.

    Args:
        record: The bounty, as the chain has it.
        commit: Worker, seats and commitment.
    """
    return messages.commit(
        record.ref,
        record.terms.hash,
        record.seed,
        worker=commit.worker,
        seats=commit.seats,
        commitment=commit.commitment,
    )


def _name(record: Record) -> str:
    # By seed: after a reorganisation that draws another one, the items are others, and so is e.
    ref = record.ref
    board = address_bytes(ref.board).hex()
    return f"{ref.chain_id}-{board}-{ref.bounty_id}-{record.seed.hex()}"
