# SPDX-License-Identifier: Apache-2.0
"""A bounty counts as a provenance only where its requester sells, and once it is SETTLED."""

import pytest

from tests.utils.offline_board import created, on_board, until
from tests.utils.offline_market import OfflineMarket, address
from truthmark.bounty.payouts import Status
from truthmark.flows.provenance import Provenance, provenance_of

REQUESTER, OTHER = address(0xA0), address(0xA1)


def provenance(offline: OfflineMarket, seller: str = REQUESTER, bounty: int = 1) -> Provenance:
    terms = offline.list_version(1, seller=seller, bounty=bounty, royalty_bps=500)
    found = provenance_of(offline.session, offline.catalogue.with_terms(terms.terms_id))
    assert found is not None
    return found


def test_provenance__requester_sells_and_it_is_settled__is_shown_with_its_figures(
    offline: OfflineMarket,
) -> None:
    offline.log_all([created(1, requester=REQUESTER), *until(1, Status.SETTLED)])
    offline.log_all([on_board(1, "PaidOut", payer=OTHER, workers=3, paid=3, burned=1)])
    found = provenance(offline)
    assert found.is_shown
    assert "60 seats handed in; their labels earned 75.0% of the full price" in found.lines[0]
    assert "not that these are they" in found.lines[1]


@pytest.mark.parametrize("status", [Status.LABEL, Status.SCORED, Status.HALF, Status.FLAT])
def test_provenance__not_settled__is_not_shown_and_says_how_it_stands(
    offline: OfflineMarket, status: Status
) -> None:
    offline.log_all([created(1, requester=REQUESTER), *until(1, status)])
    found = provenance(offline)
    assert not found.is_shown
    assert len(found.lines) == 1 and "not settled" in found.lines[0]


def test_provenance__another_account_sells__is_not_shown_though_the_requester_agreed(
    offline: OfflineMarket,
) -> None:
    offline.log_all([created(1, requester=REQUESTER), *until(1, Status.SETTLED)])
    offline.log_all([on_board(1, "Cited", seller=OTHER)])
    found = provenance(offline, seller=OTHER)
    assert not found.is_shown
    assert REQUESTER in found.lines[0] and "says nothing of where" in found.lines[0]


def test_provenance__no_bounty_or_one_that_the_index_does_not_know__none(
    offline: OfflineMarket,
) -> None:
    plain = offline.catalogue.with_terms(offline.list_version(2).terms_id)
    unknown = offline.catalogue.with_terms(offline.list_version(3, bounty=9).terms_id)
    assert provenance_of(offline.session, plain) is None
    assert provenance_of(offline.session, unknown) is None
