# SPDX-License-Identifier: Apache-2.0
"""What a bounty costs, takes and pays, before anyone has paid: for a requester to decide.

No chain is asked: prices of gas and of the token are given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from truthmark.bounty.outlook import Outlook, outlook
from truthmark.bounty.shape import Shape
from truthmark.bounty.terms import Terms
from truthmark.errors import BountyError
from truthmark.text import format_duration

ROOM: Final = 1.5
"""Fees are set for gas that is so much more expensive than today's."""
LIKELY_RIGHT: Final = 0.85
"""How often people are taken to be right, where nobody measured it."""
GUESSER: Final = 0.12
"""Where guessing pays more than this part of the price on average, people are told."""
POST_CALL_GAS: Final = 150_000
"""A call that posts sealed labels, and a byte of these below."""
POST_BYTE_GAS: Final = 36
PROOF_GAS: Final = 600_000
"""Of the costliest of the usual proofs."""
OVERRIDE_GAS: Final = 120_000
"""To post one's own commit where the relay did not."""

_POST_WORKER_GAS: Final = 4_500
_RELAY_GAS: Final = 25_000
"""To enroll a worker and to post their commit, where few do at once."""
_PAYOUT_GAS: Final = 40_000
_REQUESTER_GAS: Final = 450_000
"""To create and to score, at least."""
_GOLD_GAS: Final = 1_500
"""More, a gold item."""
_SKILLS: Final = (0.95, 0.8)
"""How often the people are right for whom pay is shown."""
_BOND: Final = 10
"""The bond is at least one in so many of what all labels cost."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each step, the longest; see `Terms`."""

    join: int
    label: int
    grace: int
    release: int
    score: int
    challenge: int

    @property
    def total(self) -> int:
        """Until everybody can be paid, if every step takes all its time."""
        return sum(getattr(self, name) for name in self.__slots__)


TIMES: Mapping[str, Times] = MappingProxyType(
    {
        "demo": Times(60, 120, 15, 15, 60, 15),
        "small": Times(900, 7_200, 900, 1_200, 86_400, 21_600),
        "careful": Times(86_400, 172_800, 21_600, 21_600, 259_200, 172_800),
    }
)
"""By name: seconds for trying it on this machine; an afternoon; some days."""


@dataclass(frozen=True, slots=True)
class Gas:
    """What gas costs in the token of a bounty.

    Attributes:
        price: Wei for a unit of gas.
        worth: Wei for which one smallest unit of the token stands.
    """

    price: int
    worth: float

    def units(self, gas: float) -> int:
        """Return what so much gas costs, with room, in the token's smallest unit, rounded up."""
        return max(1, int(-(-gas * self.price * ROOM // self.worth))) if self.price else 0


@dataclass(frozen=True, slots=True)
class Fees:
    """What terms pay to others than labelers, in the token's smallest unit."""

    reward: int
    relay_fee: int
    tip: int
    post_call_fee: int
    post_worker_fee: int
    post_seat_fee: int


def fees_for(shape: Shape, classes: int, gas: Gas, *, relay_asks: int = 0) -> Fees:
    """Return fees that cover today's gas, and half as much more.

    Args:
        shape: Of the bounty.
        classes: C.
        gas: Today's.
        relay_asks: What the relay wants for a worker, at least.
    """
    bits = shape.batch * int(classes).bit_length() if classes else shape.batch * 256
    return Fees(
        reward=gas.units(PROOF_GAS) if shape.gold else 0,
        relay_fee=max(relay_asks, gas.units(_RELAY_GAS)),
        tip=gas.units(_PAYOUT_GAS),
        post_call_fee=gas.units(POST_CALL_GAS),
        post_worker_fee=gas.units(_POST_WORKER_GAS),
        post_seat_fee=gas.units(POST_BYTE_GAS * -(-bits // 8)),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """The numbers of a bounty that is to be.

    Attributes:
        shape: Who labels how much.
        classes: C.
        price: Of a label.
        full: At how many quarters of the way the full price is paid; 0 in team mode.
        fees: To others.
        fee_bps: The protocol's.
        times: Of each step.
        bond: What the requester stands with, and gets back.
    """

    shape: Shape
    classes: int
    price: int
    full: int
    fees: Fees
    fee_bps: int
    times: Times
    bond: int

    @classmethod
    def make(
        cls,
        shape: Shape,
        *,
        classes: int,
        price: int,
        fees: Fees,
        times: Times,
        full: int = 3,
        fee_bps: int = 0,
    ) -> "Plan":
        """Put numbers together, with the least bond there may be.

        Args:
            shape: Items, rounds, seats, runs and gold.
            classes: C.
            price: Of a label, in the token's smallest unit.
            fees: Of relay, payouts, posting and proofs, in the token's smallest unit.
            times: How long each state lasts.
            full: Quarters of the way from guessing to perfect at which the full price is paid.
            fee_bps: The protocol's fee, in hundredths of a per cent.
        """
        bond = 0
        if shape.gold:
            bond = max(-(-shape.seats * shape.batch * price // _BOND), fees.reward)
        return cls(shape, classes, price, full if shape.gold else 0, fees, fee_bps, times, bond)

    def terms(self, **rest: Any) -> Terms:
        """Return the terms.

        Args:
            rest: Accounts, hashes and the bounty key, as `Terms` takes them.

        Raises:
            BountyError: The board would refuse them.
        """
        made = Terms(
            items=self.shape.items,
            classes=self.classes,
            rounds=self.shape.rounds,
            batch=self.shape.batch,
            gold_count=self.shape.gold,
            full=self.full,
            min_seats=self.shape.min_seats,
            min_run=self.shape.min_run,
            max_run=self.shape.max_run,
            price=self.price,
            bond=self.bond,
            reward=self.fees.reward,
            relay_fee=self.fees.relay_fee,
            tip=self.fees.tip,
            post_call_fee=self.fees.post_call_fee,
            post_worker_fee=self.fees.post_worker_fee,
            post_seat_fee=self.fees.post_seat_fee,
            fee_bps=self.fee_bps,
            join_seconds=self.times.join,
            label_seconds=self.times.label,
            grace_seconds=self.times.grace,
            release_seconds=self.times.release,
            score_seconds=self.times.score,
            challenge_seconds=self.times.challenge,
            **rest,
        )
        made.require_sound()
        return made

    def example(self, token: str = "0x" + "00" * 19 + "01") -> Terms:
        """Return terms of these numbers for computing with, which are nobody's."""
        return self.terms(
            requester="0x" + "00" * 19 + "01",
            token=token,
            relay="0x" + "00" * 19 + "01",
            document=bytes(32),
            salt=bytes(32),
            # The generator of secp256k1: some point there must be.
            key_x=0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
            key_y=0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
            gold_commitment=b"\1" * 32 if self.shape.gold else bytes(32),
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """What terms lead to.

    Attributes:
        labels: Bought at most.
        for_labels: What labelers get, if all are paid in full; the rest is burned where they are
            not, and comes back where nobody committed.
        for_others: Fees of relay, payouts, posting and protocol, at most.
        pot: What is paid in, the bond left out.
        bond: What comes back, unless a lie of the score is proven or the score is missing.
        requester_gas: What the requester's own transactions take.
        least_seconds: What the smallest run takes a labeler, if that is known.
        an_hour: What a labeler gets for an hour at the full price, if that is known.
        seconds: Until everybody can be paid, at most.
        guesser: What who guesses gets of the full price; None in team mode.
        honest: The same of people who are right as often as the key says.
    """

    labels: int
    for_labels: int
    for_others: int
    pot: int
    bond: int
    requester_gas: int
    least_seconds: float | None
    an_hour: int | None
    seconds: int
    guesser: Outlook | None
    honest: Mapping[float, Outlook]

    @property
    def padding(self) -> int:
        """What is paid in for places without an item, in the short last batch of each round."""
        return self.pot - self.for_labels - self.for_others

    @property
    def total(self) -> int:
        """What must be there when the bounty is created."""
        return self.pot + self.bond


def estimate(terms: Terms, *, seconds_per_item: float | None = None) -> Estimate:
    """Return what terms cost, take and pay.

    Args:
        terms: As they are, or `Plan.example`.
        seconds_per_item: What an item takes, where that is known.
    """
    shape = Shape.of(terms)
    for_labels = shape.labels * terms.price
    hourly = least = None
    if seconds_per_item:
        hourly = int(terms.price * 3_600 / seconds_per_item)
        least = shape.least_labels * seconds_per_item
    return Estimate(
        labels=shape.labels,
        for_labels=for_labels,
        for_others=terms.pot - shape.seats * shape.batch * terms.price,
        pot=terms.pot,
        bond=terms.bond,
        requester_gas=_REQUESTER_GAS + _GOLD_GAS * terms.gold_count,
        least_seconds=least,
        an_hour=hourly,
        seconds=sum(
            getattr(terms, f"{name}_seconds")
            for name in ("join", "label", "grace", "release", "score", "challenge")
        ),
        guesser=None if terms.is_team else outlook(terms, skill=None),
        honest={} if terms.is_team else {skill: outlook(terms, skill=skill) for skill in _SKILLS},
    )


def warnings_of(terms: Terms, found: Estimate) -> list[str]:
    """Return what a requester should know before paying, a line each.

    Args:
        terms: Of the bounty.
        found: What they lead to.
    """
    lines = []
    shape = Shape.of(terms)
    if shape.least_labels > terms.label_seconds:
        lines.append(
            f"there are {format_duration(terms.label_seconds)} to label, less than a second for"
            f" each of the {shape.least_labels} items of the smallest run; say the time with its"
            " unit, such as 2h"
        )
    if terms.is_team:
        lines.append(
            "without gold everybody who delivers is paid in full, whatever they answered: invite"
            " people you know"
        )
        return lines
    if found.guesser is not None and found.guesser.mean > GUESSER:
        lines.append(
            f"who guesses gets {found.guesser.mean:.0%} of the price on average; more gold"
            " makes that less"
        )
    if shape.gold_in_least < 15:
        lines.append(
            f"the smallest run expects {shape.gold_in_least:.0f} gold items; with 20, pay follows"
            " skill closely"
        )
    if terms.rounds < 5:
        lines.append(
            f"with {terms.rounds} labels an item, {min(3, terms.rounds)} accounts that agree can"
            " have true gold left out; 5 are safer"
        )
    if found.least_seconds is not None and found.least_seconds > terms.label_seconds / 2:
        lines.append(
            f"the smallest run takes {format_duration(int(found.least_seconds))}, and there are"
            f" {format_duration(terms.label_seconds)} to label; give more time, or more gold for"
            " shorter runs"
        )
    if 2 * terms.gold_count > terms.items:
        lines.append("more than half of the items are gold; you pay for answers that you have")
    return lines


def suggest(
    *,
    seconds: "list[float]",
    accuracy: float,
    classes: int,
    hourly: int,
    spread: float = 0.0,
) -> "Suggestion":
    """Suggest labels an item, `full` and price from what a pilot measured.

    As many labels an item as still raise the accuracy of a majority by a point each two; people
    are taken to be right as often as in the pilot, with a spread, and to err each on their own,
    which is kinder than real crowds are: so one step more is taken where it is close.

    Args:
        seconds: What items took.
        accuracy: How often the pilot's answers were right, or agreed, 0 to 1.
        classes: C.
        hourly: What an hour of work is to be paid, in the token's smallest unit.
        spread: Standard deviation of accuracy between people.

    Raises:
        BountyError: There are too few answers to say anything.
    """
    if len(seconds) < 5:
        raise BountyError(f"{len(seconds)} answers are too few for a suggestion; give 20 or more")
    typical = float(np.median(seconds))
    found = {k: majority_accuracy(accuracy, k, classes, spread) for k in (1, 3, 5, 7, 9)}
    rounds = next((k for k in (3, 5, 7) if found[k + 2] - found[k] < 0.01), 9)
    # At three quarters the honest must be good for the full price; hard items forgive more.
    skill = (accuracy - 1 / classes) / (1 - 1 / classes)
    full = 3 if skill >= 0.6 else 2
    return Suggestion(
        seconds_per_item=round(typical, 1),
        rounds=rounds,
        full=full,
        price=max(1, round(hourly * typical / 3_600)),
        accuracy=found,
    )


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a pilot leads to.

    Attributes:
        seconds_per_item: The median.
        rounds: Labels an item.
        full: Quarters of the way to the full price.
        price: Of a label, in the token's smallest unit.
        accuracy: Expected of a majority, by labels an item.
    """

    seconds_per_item: float
    rounds: int
    full: int
    price: int
    accuracy: Mapping[int, float]


def majority_accuracy(
    accuracy: float, rounds: int, classes: int, spread: float = 0.0, draws: int = 20_000
) -> float:
    """Return how often a majority of so many people is right, drawn; ties are broken by chance.

    Args:
        accuracy: How often one of them is right, 0 to 1; errors are of any other class alike.
        rounds: How many people.
        classes: C.
        spread: Standard deviation of that from one person to the next.
        draws: How many items to draw.
    """
    rng = np.random.default_rng(rounds)
    skills = np.clip(rng.normal(accuracy, spread, (draws, rounds)), 0, 1)
    is_right = rng.random((draws, rounds)) < skills
    said = np.where(is_right, 0, rng.integers(1, max(2, classes), (draws, rounds)))
    votes = (said[:, :, None] == np.arange(classes)).sum(1)
    is_best = votes == votes.max(1, keepdims=True)
    return float((is_best[:, 0] / is_best.sum(1)).mean())


def with_times(times: Times, *, label: int | None = None, join: int | None = None) -> Times:
    """Return times of which some are others.

    Args:
        times: Those of a preset.
        label: Seconds for labeling; None leaves what is there.
        join: Seconds for joining; likewise.
    """
    return replace(
        times,
        label=times.label if label is None else label,
        join=times.join if join is None else join,
    )
