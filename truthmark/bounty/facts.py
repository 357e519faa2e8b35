# SPDX-License-Identifier: Apache-2.0
"""What a bounty costs, takes and pays, in words, for a requester who decides."""

from collections.abc import Callable

from truthmark.bounty.planning import Estimate
from truthmark.bounty.shape import Shape
from truthmark.bounty.terms import Terms
from truthmark.config.profile import ChainProfile
from truthmark.config.units import Amount
from truthmark.text import format_duration, plural


def estimate_facts(
    profile: ChainProfile,
    terms: Terms,
    found: Estimate,
    write: Callable[[Amount], str] = str,
) -> list[tuple[str, str | None]]:
    """Return in words what terms cost, take and pay.

    Args:
        profile: Knows the token.
        terms: Of the bounty.
        found: What they lead to.
        write: How an amount is written.
    """

    def show(units: int) -> str:
        return write(profile.amount(units, terms.token))

    each = f"{plural(terms.items, 'item')} × {terms.rounds}"
    hourly = least = None
    if found.an_hour is not None:
        hourly = f"{show(found.an_hour)} at the full price"
    if found.least_seconds is not None:
        least = format_duration(int(found.least_seconds))
    who = [] if found.guesser is None else [("who guesses", found.guesser)]
    who += [(f"who is right in {skill:.0%}", outlook) for skill, outlook in found.honest.items()]
    return [
        ("labels", f"{found.labels} ({each})"),
        ("for labelers", f"{show(found.for_labels)} if everybody is paid in full"),
        ("for others", f"{show(found.for_others)} at most: relay, payouts, posting, protocol"),
        (
            "for empty places",
            f"{show(found.padding)}, which comes back: the last batch of each round is short"
            if found.padding
            else None,
        ),
        ("bond", f"{show(found.bond)}, which comes back" if found.bond else None),
        ("to pay in", show(found.total)),
        ("gold", f"{terms.gold_count} items" if terms.gold_count else None),
        ("a labeler gives", _labels_each(terms)),
        ("least work", least),
        ("an hour pays", hourly),
        (
            "time",
            f"{format_duration(terms.join_seconds)} to join, {format_duration(terms.label_seconds)}"
            f" to label; {format_duration(found.seconds)} until all is paid, at most",
        ),
        *(
            (
                name,
                f"gets {outlook.mean:.0%} of the price"
                f" ({outlook.low:.0%} to {outlook.high:.0%} in eight of ten cases)",
            )
            for name, outlook in who
        ),
    ]


def _labels_each(terms: Terms) -> str:
    shape = Shape.of(terms)
    low, high = shape.least_labels, shape.most_labels
    return f"{low} labels" if low == high else f"{low} to {high} labels"
