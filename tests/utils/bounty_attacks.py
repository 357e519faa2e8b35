# SPDX-License-Identifier: Apache-2.0
"""What the attacks on bounties share."""

from typing import Any

from tests.utils.bounty_board import Bounty

ONE = 10**6


def find(b: Bounty, fits: Any) -> tuple[int, int]:
    return next(
        (g, k) for g in range(len(b.paper.gold)) for k in range(b.terms.rounds) if fits(g, k)
    )


YES_SIGNER = """
# pragma version 0.4.3
@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    return 0x1626BA7E
"""
