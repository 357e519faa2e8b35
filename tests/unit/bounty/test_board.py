# SPDX-License-Identifier: Apache-2.0
"""The board in brief: status, clock and record of all bounties, from the index alone."""

from pathlib import Path

import pytest

from tests.utils.bounties import make_terms
from tests.utils.offline_board import created, enrolled, on_board, terms_of, until
from tests.utils.offline_market import BIRTH, OfflineMarket
from truthmark.bounty.flows.board import NO_PAST, Past, indexed_briefs, pasts_of
from truthmark.bounty.payouts import Status
from truthmark.config.units import to_checksum_address

REACHED = (
    Status.DRAWN,
    Status.LABEL,
    Status.SCORED,
    Status.SCORED_HALF,
    Status.SETTLED,
    Status.HALF,
    Status.FLAT,
)


@pytest.mark.parametrize("status", REACHED)
def test_briefs__each_status__begins_with_its_event(offline: OfflineMarket, status: Status) -> None:
    entry = created(1)
    last = offline.log_all([entry, *until(1, status)])
    (brief,) = indexed_briefs(offline.index)
    assert (brief.bounty_id, brief.status, brief.mark) == (1, status, BIRTH + last)
    assert brief.terms == terms_of(entry)
    assert (brief.taken, brief.has_commits) == (60, status not in (Status.DRAWN, Status.LABEL))


def test_briefs__seed_missed_and_drawn_again__clock_of_the_draw_stands(
    offline: OfflineMarket,
) -> None:
    offline.log_all([created(1), *until(1, Status.DRAWN)])
    offline.log_all([on_board(1, "JoiningClosed", seed_block=300)])
    (brief,) = indexed_briefs(offline.index)
    assert (brief.status, brief.mark) == (Status.DRAWN, BIRTH + 3)


def test_briefs__many__are_the_newest_first_and_each_its_own(offline: OfflineMarket) -> None:
    offline.log_all([created(1), created(2), enrolled(2, 5), enrolled(2, 10, 1), created(3)])
    offline.log_all([on_board(1, "BountyEnded", status=Status.REFUNDED)])
    found = indexed_briefs(offline.index)
    assert [(brief.bounty_id, brief.status.name, brief.taken) for brief in found] == [
        (3, "OPEN", 0),
        (2, "OPEN", 15),
        (1, "REFUNDED", 0),
    ]
    open_ = found[1]
    assert open_.is_joinable(open_.join_until)
    assert not open_.is_joinable(open_.join_until + 1)
    assert open_.phase(open_.mark).name == "joining"
    assert not indexed_briefs(OfflineMarket(Path(offline.session.home)).index)


def test_briefs__no_room_for_the_smallest_run__cannot_be_joined(offline: OfflineMarket) -> None:
    terms = make_terms()
    offline.log_all([created(1), enrolled(1, terms.seats - terms.min_run + 1)])
    (brief,) = indexed_briefs(offline.index)
    assert not brief.is_joinable(brief.mark)


def test_pasts__several_requesters__each_has_what_their_bounties_came_to(
    offline: OfflineMarket,
) -> None:
    good, bad = (to_checksum_address("0x" + digit * 40) for digit in "45")
    large = 2**64  # beyond what the database's own sums hold
    offline.log_all(
        [
            *(created(number, requester=good) for number in (1, 2, 3)),
            *(created(number, requester=bad) for number in (4, 5)),
            *until(1, Status.SETTLED),
            on_board(1, "PaidOut", payer=bad, workers=2, paid=3 * large, burned=large),
            on_board(2, "BountyEnded", status=Status.REFUNDED),
            *until(4, Status.FLAT),
            on_board(5, "BountyEnded", status=Status.PROVEN),
        ]
    )
    assert pasts_of(offline.index) == {
        good: Past(ended=1, flat=0, refunded=1, paid=0.75),
        bad: Past(ended=2, flat=2, refunded=0, paid=None),
    }
    assert pasts_of(offline.index).get("0x", NO_PAST) == NO_PAST
