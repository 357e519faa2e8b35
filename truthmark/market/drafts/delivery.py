# SPDX-License-Identifier: Apache-2.0
"""What custodians check before they accept, and the parts of the key that they deliver.

Pure functions: nothing here reads or writes a chain, a file or a storage.
"""

from collections.abc import Sequence
from typing import Any

from truthmark.errors import KeysError
from truthmark.hashing import keccak256, sha256
from truthmark.keys.curve import base_of
from truthmark.keys.proofs import prove_delivery
from truthmark.keys.sealing import ShareContext, open_share, read_bundle
from truthmark.keys.sharing import check_dealing
from truthmark.market.drafts.order import statement
from truthmark.market.records import (
    Custody,
    Receipt,
    Terms,
    bits,
    custodians_hash,
    share_keys_hash,
)
from truthmark.types import Point


def check_custody(
    terms: Terms, custody: Custody, custodians: Sequence[str], share_keys: Sequence[Point]
) -> None:
    """Check that a custody is what its id says and that its dealing gives the dataset's key.

    Custodians do this before they accept, buyers' clients before they pay.

    Raises:
        KeysError: The record is inconsistent, or its share keys do not give the key.
    """
    if (
        custody.terms_id != terms.terms_id
        or custody.custodians != custodians_hash(custodians)
        or custody.share_keys != share_keys_hash(share_keys)
        or not len(custodians) == len(share_keys) == custody.count
    ):
        raise KeysError("a custody record contradicts itself; ask another chain endpoint")
    if terms.base != base_of(terms.public_key)[0]:
        raise KeysError("the terms name another base than their key's; do not trade this version")
    check_dealing(terms.public_key, share_keys, custody.threshold)


def receive_share(
    bundle: bytes,
    encryption_key: bytes,
    terms: Terms,
    custody: Custody,
    share_keys: Sequence[Point],
    index: int,
    *,
    chain_id: int,
    registry: str,
) -> int:
    """Open and check the share of custodian `index`.

    Raises:
        KeysError: The bundle is another one, or the share does not open or fit its share key.
        MalformedError: The bundle is not a bundle of sealed shares.
    """
    if sha256(bundle) != custody.sealed_shares:
        raise KeysError("the sealed shares are not those of the custody; fetch them again")
    sealed = read_bundle(bundle)
    if len(sealed) != custody.count:
        raise KeysError("the sealed shares are not as many as the custodians; do not accept")
    return open_share(
        sealed[index - 1],
        encryption_key,
        ShareContext(
            chain_id=chain_id,
            registry=registry,
            seller=terms.seller,
            dataset_key=terms.public_key,
            epoch=custody.epoch,
            custodian=index,
        ),
        share_keys[index - 1],
    )


def turn_order(purchase_id: bytes, active: int) -> list[int]:
    """Return the custodians in the order in which they are to deliver a purchase.

    The first t deliver; each of the others steps in when one before them is late. The order is
    that of keccak256(purchase_id ‖ j), so it is fair over purchases and the same for all.

    Args:
        purchase_id: 32 bytes.
        active: Map of the custodians who are obliged.
    """
    return sorted(bits(active), key=lambda j: keccak256(purchase_id + bytes([j])))


def draft_delivery(
    share: int,
    receipt: Receipt,
    custody: Custody,
    share_keys: tuple[Point, ...],
    index: int,
    *,
    chain_id: int,
    market: str,
) -> tuple[Any, ...]:
    """Make custodian `index`'s part of the key for one purchase, as `deliver` takes it.

    Raises:
        KeysError: The share is not that of the custodian's share key.
    """
    part, proof = prove_delivery(
        statement(receipt, custody.custody_id, index, share_keys, chain_id=chain_id, market=market),
        share,
    )
    return (
        receipt.digest,
        tuple(receipt.base),
        tuple(part),
        (
            proof.challenge,
            proof.response,
            tuple(proof.scaled_base),
            tuple(proof.scaled_part),
            proof.slope,
        ),
    )
