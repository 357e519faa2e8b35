# SPDX-License-Identifier: Apache-2.0
"""In which phase a bounty is, in plain words: what goes on, until when, and what comes then."""

from dataclasses import dataclass
from typing import Final

from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.terms import Terms
from truthmark.text import plural

SEED_SECONDS: Final = 86_400
"""How long the draw of the seed may take before everything is paid back."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a bounty is.

    Attributes:
        name: For programs: joining, drawing, undrawn, labeling, correcting, handing-in, scoring,
            silent, unlabeled, challenge, over or ended.
        says: What goes on.
        until: When it ends at the latest, chain time; None where nothing ends it but a call.
        then: What comes next.
    """

    name: str
    says: str
    until: int | None
    then: str


def phase_of(record: Record, mark: int, now: int) -> Phase:
    """Return in which phase a bounty is.

    Args:
        record: The bounty.
        mark: When its status began, chain time.
        now: Chain time.
    """
    return phase_at(
        record.terms,
        record.status,
        mark,
        now,
        taken=int(record.roster.runs.sum()),
        has_commits=bool(record.committed.any()),
    )


def phase_at(
    terms: Terms, status: Status, mark: int, now: int, *, taken: int, has_commits: bool
) -> Phase:
    """Return in which phase a bounty is, by the little that matters for it.

    Args:
        terms: What was agreed.
        status: How it stands.
        mark: When that began, chain time.
        now: Chain time.
        taken: Seats on the roster.
        has_commits: Whether anyone's labels are committed to.
    """
    if status is Status.OPEN:
        return _joining(terms, taken, mark, now)
    if status is Status.DRAWN and now > mark + SEED_SECONDS:
        return Phase("undrawn", "no draw came in time", None, "all money goes back")
    if status is Status.DRAWN:
        return Phase(
            "drawing",
            "everybody has joined; the draw of who labels what is next",
            mark + SEED_SECONDS,
            "labeling begins; without a draw all money goes back",
        )
    if status is Status.LABEL:
        return _labeling(terms, has_commits, mark, now)
    if status in (Status.SCORED, Status.SCORED_HALF):
        until = mark + terms.challenge_seconds
        pays = "half of the price is paid to all"
        if status is Status.SCORED:
            pays = _BY_MARKS if terms.is_team else "each is paid by their score"
        if now > until:
            return Phase("over", "nobody disproved the score", None, f"{pays}; anyone may pay out")
        return Phase(
            "challenge",
            "the score is on chain, and can be disproved",
            until,
            f"{pays}; after a proven lie everybody is paid in full",
        )
    says = f"settled: {_BY_MARKS}" if status is Status.SETTLED and terms.is_team else _ENDS[status]
    return Phase("ended", says, None, "")


_BY_MARKS: Final = "everybody whose labels arrived is paid in full"
_ENDS: Final = {
    Status.REFUNDED: "it did not take place: all money went back to the requester",
    Status.SETTLED: "settled: each is paid by their score",
    Status.HALF: "the gold was not agreed with: half of the price is paid to all",
    Status.FLAT: "no score came: everybody is paid in full, and shares the bond",
    Status.PROVEN: "the score was disproved: everybody is paid in full, and shares the bond",
}


def _joining(terms: Terms, taken: int, mark: int, now: int) -> Phase:
    until = mark + terms.join_seconds
    if now > until:
        is_enough = taken >= terms.min_seats
        then = "labeling begins" if is_enough else "all money goes back to the requester"
        return Phase("joining", "joining is over", None, f"{then}; anyone may say so")
    least = terms.min_seats
    seats = "1 seat is" if least == 1 else f"{plural(least, 'seat')} are"
    return Phase(
        "joining",
        "labelers join through the relay",
        until,
        f"labeling begins, if at least {seats} taken; else all money goes back",
    )


def _labeling(terms: Terms, has_commits: bool, mark: int, now: int) -> Phase:
    times = terms.deadlines(mark)
    if now <= times.label:
        return Phase("labeling", "labelers label", times.label, "no commit is posted any more")
    if now <= times.commit:
        return Phase(
            "correcting",
            "who labeled and is not on chain, or with another commitment, can still override",
            times.commit,
            "all commits are final",
        )
    if not has_commits:
        return Phase("unlabeled", "nobody labeled", None, "all money goes back; anyone may say so")
    if now <= times.post:
        return Phase(
            "handing-in",
            "labels are handed to the requester, or posted on chain where nobody acknowledges them",
            times.post,
            "the requester scores",
        )
    if now <= times.score:
        return Phase(
            "scoring",
            "the requester scores",
            times.score,
            "without a score everybody is paid in full and shares the bond",
        )
    return Phase(
        "silent",
        "no score came in time",
        None,
        "everybody is paid in full and shares the bond; anyone may pay out",
    )
