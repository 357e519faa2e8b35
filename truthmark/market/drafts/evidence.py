# SPDX-License-Identifier: Apache-2.0
"""The one dispute: a delivered key that does not open what the seller committed to.

Pure functions: nothing here reads or writes a chain, a file or a storage.
"""

from collections.abc import Mapping
from typing import Any

from truthmark.codec import WrongKey
from truthmark.keys.delivery import derive_key
from truthmark.market.records import Terms
from truthmark.types import Point


def draft_evidence(
    parts: Mapping[int, Point], secret: int, terms: Terms, wrong: WrongKey
) -> tuple[Any, ...]:
    """Write the contracts' `struct Evidence` of a dispute.

    It contains the buyer's secret of this one purchase: sending it makes the version's key public,
    which harms nobody but the seller, who committed to another one.

    Args:
        parts: The t verified deliveries of the purchase, in their order.
        secret: y of the purchase.
        terms: The version's.
        wrong: A shard whose committed key hash the delivered key misses.

    Raises:
        KeysError: The deliveries cannot be followed by a contract.
    """
    steps = derive_key(parts, secret, terms.public_key)
    return (
        steps.secret,
        tuple(steps.buyer_key),
        steps.buyer_slope,
        tuple(steps.blinding),
        [
            (step.custodian, tuple(step.part), step.weight, tuple(step.weighted), step.slope)
            for step in steps.parts
        ],
        steps.key_slope,
        (
            wrong.i,
            wrong.ciphertext_sha256,
            wrong.key_hash,
            wrong.wrap_word,
            list(wrong.path),
        ),
    )
