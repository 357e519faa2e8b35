# SPDX-License-Identifier: Apache-2.0
"""Bounties in an offline index: the events that a board would have logged, and nothing else."""

from collections.abc import Iterator
from typing import Any

from tests.utils.bounties import make_terms
from truthmark.bounty.payouts import Status
from truthmark.bounty.terms import Terms

BOARD = "bounty_board"

Entry = tuple[str, str, dict[str, Any]]


def created(number: int, **fixed: Any) -> Entry:
    """Return the event of a bounty; its terms differ from all others by their salt."""
    terms = make_terms(**{"salt": number.to_bytes(32, "big")} | fixed)
    args = {
        "requester": terms.requester,
        "relay": terms.relay,
        "seats": terms.seats,
        "terms": terms.to_struct(),
    }
    return BOARD, "BountyCreated", {"bounty_id": number, **args}


def terms_of(entry: Entry) -> Terms:
    return Terms.from_struct(entry[2]["terms"])


def enrolled(number: int, seats: int, call: int = 0) -> Entry:
    args = {"call": call, "first_worker": 0, "workers": 1, "seats": seats}
    return BOARD, "Enrolled", {"bounty_id": number, **args}


def on_board(number: int, event: str, **args: Any) -> Entry:
    return BOARD, event, {"bounty_id": number, **args}


def until(number: int, status: Status) -> Iterator[Entry]:
    """Yield the events that lead a full bounty to a status, in their order."""
    yield enrolled(number, 60)
    yield on_board(number, "JoiningClosed", seed_block=7)
    if status is Status.DRAWN:
        return
    yield on_board(number, "SeedFixed", seed=b"\1" * 32)
    if status is Status.LABEL:
        return
    yield on_board(number, "Committed", call=0, workers=3, seats=60)
    if status is Status.FLAT:
        yield on_board(number, "BountyEnded", status=Status.FLAT)
        return
    is_half = status in (Status.SCORED_HALF, Status.HALF)
    yield on_board(number, "Scored", score=b"\2" * 32, is_half=is_half)
    if status.has_ended:
        yield on_board(number, "BountyEnded", status=status)
