# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Scoring Harness
@custom:contract-name ScoringHarness
@license AGPL-3.0-only
@author The Truthmark authors
@notice Doors to the modules scoring and permutation for tests, many cases a call.
@custom:kill Never deployed.
"""

from ..interfaces import IBountyIntake

from ..modules import permutation
from ..modules import scoring


@external
@pure
def places(
    seed: bytes32, round_: uint256, count: uint256, items: DynArray[uint256, 1024]
) -> DynArray[uint256, 1024]:
    """
    @notice Place items in the order of a round.
    @param seed The bounty's.
    @param round_ The round.
    @param count How many items there are.
    @param items Which to place.
    @return Their places.
    """
    found: DynArray[uint256, 1024] = []
    key: uint256 = permutation._key(seed, round_)
    width: uint256 = permutation._width(count)
    for item: uint256 in items:
        found.append(permutation._place(key, count, width, item))
    return found


@external
@pure
def judge(
    rows: DynArray[uint256, 1024],
    rights: DynArray[uint256, 1024],
    classes: uint256,
    rounds: uint256,
) -> DynArray[uint256, 1024]:
    """
    @notice Tell what becomes of gold items.
    @param rows Their entries, the first round in the highest byte.
    @param rights Their classes.
    @param classes How many classes there are.
    @param rounds How many entries a row has.
    @return 0 too few, 1 excluded, 2 kept.
    """
    found: DynArray[uint256, 1024] = []
    ones: uint256 = scoring._ones(rounds)
    for i: uint256 in range(len(rows), bound=1024):
        found.append(scoring._judge(rows[i], rights[i], classes, rounds, ones))
    return found


@external
@pure
def weigh(
    tallies: DynArray[uint256, 254], gold_count: uint256, counted: uint256, excluded: uint256
) -> (bool, IBountyIntake.Verdict):
    """
    @notice Tell whether gold is balanced, and what its classes weigh.
    @param tallies Of each class: items committed to from bit 128, kept ones below.
    @param gold_count How many were committed to.
    @param counted How many have enough answers.
    @param excluded How many of these are excluded.
    @return Both.
    """
    return scoring._is_balanced(tallies, gold_count), scoring._weigh(tallies, counted, excluded)


@external
@pure
def millionths(cases: DynArray[uint256[5], 1024]) -> DynArray[uint256, 1024]:
    """
    @notice Tell what answers are worth.
    @param cases Classes, scored, right, answered, full each.
    @return Millionths of the price.
    """
    found: DynArray[uint256, 1024] = []
    for case: uint256[5] in cases:
        found.append(scoring._millionths(case[0], case[1], case[2], case[3], case[4]))
    return found
