# SPDX-License-Identifier: Apache-2.0
"""Which rows of the roster follow from who asked for seats, in the order in which they came."""

from collections.abc import Iterable
from dataclasses import dataclass

from truthmark.bounty.roster import Row, gap
from truthmark.bounty.terms import MAX_WORKERS, Terms


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody who wants seats.

    Attributes:
        signer: Who labels.
        payee: Who is paid.
        seats: At most so many.
    """

    signer: str
    payee: str
    seats: int


def is_full(terms: Terms, position: int, workers: int) -> bool:
    """Return whether not even the smallest run has a place any more.

    Args:
        terms: Of the bounty.
        position: Seats given out, gaps included.
        workers: Rows of the roster.
    """
    left = terms.per_round - position % terms.per_round
    is_last = position + left >= terms.seats
    # A run that needs another round needs a row for the gap, too.
    rows = 1 if left >= terms.min_run else 2
    return (
        position >= terms.seats
        or workers + rows > MAX_WORKERS
        or (left < terms.min_run and is_last)
    )


def rows_for(terms: Terms, wishes: Iterable[Wish], *, position: int, workers: int) -> list[Row]:
    """Return rows for those who have a place, in their order; who comes too late has none.

    A run lies in one round: it is shortened to what is left of a round if that is a run at all,
    else what is left goes to nobody. The last row is never a gap.

    Args:
        terms: Of the bounty.
        wishes: Who wants seats; each at least `min_run`.
        position: Seats given out before.
        workers: Rows before.
    """
    rows: list[Row] = []
    for wish in wishes:
        if is_full(terms, position, workers + len(rows)):
            break
        left = terms.per_round - position % terms.per_round
        if left < terms.min_run:
            rows.append(gap(left))
            position += left
            left = terms.per_round
        run = min(wish.seats, terms.max_run, left)
        rows.append(Row(wish.signer, wish.payee, run))
        position += run
    return rows
