# SPDX-License-Identifier: Apache-2.0
"""What people sign about bounties: EIP-712 messages in the domain of the board."""

from truthmark.bounty.reference import BountyRef
from truthmark.keys.typed import TypedData, typed_data


def join(ref: BountyRef, terms_hash: bytes, *, signer: str, payee: str, seats: int) -> TypedData:
    """Return a labeler's word to the relay that they want seats.

    Args:
        ref: The bounty.
        terms_hash: Of its terms, 32 bytes.
        signer: Who will label and sign.
        payee: Who is to be paid.
        seats: How many they take at most.

    Raises:
        KeysError: A value does not fit its type.
    """
    return _message(
        "Join",
        ref,
        terms_hash,
        ("signer", "address", signer),
        ("payee", "address", payee),
        ("seats", "uint256", seats),
    )


def commit(
    ref: BountyRef, terms_hash: bytes, seed: bytes, *, worker: int, seats: int, commitment: bytes
) -> TypedData:
    """Return what a worker signs about their labels, once and for good.

    Args:
        ref: The bounty.
        terms_hash: Of its terms, 32 bytes.
        seed: The bounty's, 32 bytes.
        worker: The row of the roster.
        seats: How many seats of the run are committed.
        commitment: 32 bytes.

    Raises:
        KeysError: A value does not fit its type.
    """
    return _message(
        "Commit",
        ref,
        terms_hash,
        ("seed", "bytes32", seed),
        ("worker", "uint256", worker),
        ("seats", "uint256", seats),
        ("commitment", "bytes32", commitment),
    )


def acknowledged(ref: BountyRef, terms_hash: bytes, *, worker: int, commitment: bytes) -> TypedData:
    """Return the receiver's word that it has the file of a commitment.

    Args:
        ref: The bounty.
        terms_hash: Of its terms, 32 bytes.
        worker: The row of the roster.
        commitment: What the file belongs to, 32 bytes.

    Raises:
        KeysError: A value does not fit its type.
    """
    return _message(
        "Acknowledged",
        ref,
        terms_hash,
        ("worker", "uint256", worker),
        ("commitment", "bytes32", commitment),
    )


def serve(ref: BountyRef, terms_hash: bytes, *, offer_hash: bytes) -> TypedData:
    """Return a requester's word to the relay that it shall serve a bounty so.

    Args:
        ref: The bounty.
        terms_hash: Of its terms, 32 bytes.
        offer_hash: Of all that the relay is told beside, 32 bytes.

    Raises:
        KeysError: A value does not fit its type.
    """
    return _message("Serve", ref, terms_hash, ("offer_hash", "bytes32", offer_hash))


def item_keys(ref: BountyRef, terms_hash: bytes, seed: bytes, *, worker: int) -> TypedData:
    """Return a worker's question for the keys of the items of their run.

    Args:
        ref: The bounty.
        terms_hash: Of its terms, 32 bytes.
        seed: The bounty's, 32 bytes: it decides which items these are.
        worker: The row of the roster.

    Raises:
        KeysError: A value does not fit its type.
    """
    return _message(
        "ItemKeys",
        ref,
        terms_hash,
        ("seed", "bytes32", seed),
        ("worker", "uint256", worker),
    )


def _message(
    primary: str, ref: BountyRef, terms_hash: bytes, *fields: tuple[str, str, str | int | bytes]
) -> TypedData:
    return typed_data(
        primary,
        ("bounty_id", "uint256", ref.bounty_id),
        ("terms_hash", "bytes32", terms_hash),
        *fields,
        chain_id=ref.chain_id,
        contract=ref.board,
    )
