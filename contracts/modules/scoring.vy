# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title The Arithmetic of Scores
@custom:contract-name scoring
@license AGPL-3.0-only
@author The Truthmark authors
@notice Which gold counts, what its classes weigh, when all is HALF, and what a worker's answers are worth.
@dev docs/bounties.md, "Score", bit for bit. A row holds the answers on one gold item, a byte a round, the first
     round highest; `ones` is 0x01 in each of those bytes.
"""

from ..interfaces import IBountyIntake

# ---------------------------------------------------------------- constants

# A millionth is the unit of weights and of pay.
ONE: constant(uint256) = 1_000_000
HALF: constant(uint256) = ONE // 2
# With fewer scored gold items in the whole run nobody could have been scored.
LEAST_SCORED: constant(uint256) = 4

# An answer that is none, and one that skips. Classes are below.
ABSENT: constant(uint256) = 254
SKIP: constant(uint256) = 255

MAX_CLASSES: constant(uint256) = 254
MAX_ROUNDS: constant(uint256) = 9

# What became of a gold item; EXCLUDED and KEPT items count.
TOO_FEW: constant(uint256) = 0
EXCLUDED: constant(uint256) = 1
KEPT: constant(uint256) = 2

MASK_8: constant(uint256) = 2**8 - 1
MASK_128: constant(uint256) = 2**128 - 1
# A gold item that was committed to, in the tally of its class; kept ones are counted below.
COMMITTED: constant(uint256) = 2**128

# --------------------------------------------------------------------- gold


@internal
@pure
def _ones(rounds: uint256) -> uint256:
    return ((1 << (8 * rounds)) - 1) // 255


@internal
@pure
def _others(row: uint256, than: uint256, rounds: uint256, ones: uint256) -> uint256:
    # How many bytes of a row are not `than`. Of x = 0 only the byte (x & 127) + 127 | x has no high bit, and no
    # byte carries into the next. The product adds the bytes up in the highest one; there are at most
    # nine. Rows have at most 72 bits, products at most 144.
    x: uint256 = row ^ unsafe_mul(ones, than)
    low: uint256 = unsafe_mul(ones, 127)
    differing: uint256 = ((unsafe_add(x & low, low) | x) >> 7) & ones
    return (unsafe_mul(differing, ones) >> unsafe_mul(8, unsafe_sub(rounds, 1))) & MASK_8


@internal
@pure
def _judge(
    row: uint256, right: uint256, classes: uint256, rounds: uint256, ones: uint256
) -> uint256:
    # What becomes of a gold item with these answers. Twice `_others`, written out: a call each would cost a
    # score over 2,048 gold items a million gas.
    low: uint256 = unsafe_mul(ones, 127)
    top: uint256 = unsafe_mul(8, unsafe_sub(rounds, 1))
    least: uint256 = min(3, rounds)
    x: uint256 = row ^ unsafe_mul(ones, ABSENT)
    x = ((unsafe_add(x & low, low) | x) >> 7) & ones
    answers: uint256 = (unsafe_mul(x, ones) >> top) & MASK_8
    if answers < least:
        return TOO_FEW
    # m >= least and 3m >= 2n, for m answers of one other class.
    needed: uint256 = max(least, unsafe_div(unsafe_add(unsafe_mul(2, answers), 2), 3))
    x = row ^ unsafe_mul(ones, right)
    x = ((unsafe_add(x & low, low) | x) >> 7) & ones
    if (unsafe_mul(x, ones) >> top) & MASK_8 < needed:
        return KEPT
    # If there are m >= needed such bytes, one of any rounds + 1 - needed bytes is among them.
    rest: uint256 = row
    for _: uint256 in range(unsafe_sub(unsafe_add(rounds, 1), needed), bound=MAX_ROUNDS):
        other: uint256 = rest & MASK_8
        if other < classes and other != right:
            if unsafe_sub(rounds, self._others(row, other, rounds, ones)) >= needed:
                return EXCLUDED
        rest >>= 8
    return KEPT


@internal
@pure
def _is_balanced(tallies: DynArray[uint256, MAX_CLASSES], gold_count: uint256) -> bool:
    # Whether at least two classes had half of an even share in the gold that was committed to. With
    # less nobody could ever be paid in full: the requester's own doing, so such gold is malformed.
    present: uint256 = 0
    for tally: uint256 in tallies:
        if tally != 0:
            present = unsafe_add(present, 1)
    balanced: uint256 = 0
    for tally: uint256 in tallies:
        # At most 2 * 254 * 2,048.
        if tally != 0 and unsafe_mul(unsafe_mul(2, present), tally >> 128) >= gold_count:
            balanced = unsafe_add(balanced, 1)
    return balanced >= 2


@internal
@pure
def _weigh(
    tallies: DynArray[uint256, MAX_CLASSES], counted: uint256, excluded: uint256
) -> IBountyIntake.Verdict:
    # Which classes score and for how much; `kept` is for the caller to fill in. All numbers are
    # at most 2,048 but for weights, which are at most 2,048 millions.
    verdict: IBountyIntake.Verdict = empty(IBountyIntake.Verdict)
    kept: uint256 = unsafe_sub(counted, excluded)
    present: uint256 = 0
    for tally: uint256 in tallies:
        if tally & MASK_128 != 0:
            present = unsafe_add(present, 1)
    total: uint256 = 0
    for tally: uint256 in tallies:
        held: uint256 = tally & MASK_128
        if held != 0 and unsafe_mul(unsafe_mul(2, present), held) >= kept:
            verdict.classes = unsafe_add(verdict.classes, 1)
            total = unsafe_add(total, held)
        # If no item counts, no class scores.


    verdict.is_half = 10 * excluded > 3 * counted or verdict.classes < 2
    if not verdict.is_half:
        for tally: uint256 in tallies:
            held: uint256 = tally & MASK_128
            if held != 0 and unsafe_mul(unsafe_mul(2, present), held) >= kept:
                verdict.weights.append(
                    unsafe_div(unsafe_mul(ONE, total), unsafe_mul(verdict.classes, held))
                )
            else:
                verdict.weights.append(0)
    return verdict


# ---------------------------------------------------------------------- pay


@internal
@pure
def _millionths(
    classes: uint256, scored: uint256, right: uint256, answered: uint256, full: uint256
) -> uint256:
    # What a worker's answers are worth: `scored` gold items in the whole run, and the sums of their classes'
    # weights over those answered right and over all that were answered. classes >= 2, full > 0.
    if scored < LEAST_SCORED:
        return HALF
    # The sums are at most 2,048 * 2,048 millions, below 2^42.
    guessed: uint256 = unsafe_add(ONE, answered)
    reached: uint256 = unsafe_mul(classes, right)
    if reached <= guessed:
        return 0
    return min(
        ONE,
        unsafe_div(
            unsafe_mul(unsafe_mul(4, unsafe_sub(reached, guessed)), ONE),
            unsafe_mul(unsafe_mul(full, unsafe_sub(classes, 1)), guessed),
        ),
    )
