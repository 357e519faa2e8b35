# SPDX-License-Identifier: Apache-2.0
"""In which bounties an account takes part: by the calls that enrolled, and by this home."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.bounty.test_reader import intake, transaction
from tests.utils.bounties import make_terms
from tests.utils.offline_board import enrolled
from tests.utils.offline_market import OfflineMarket, address
from truthmark.bounty.flows.earning import Parts, parts_of
from truthmark.bounty.labeling_folder import Entry, LabelingFolder
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Row
from truthmark.waiting import Deadline

BOARD = address(0xB0)
PATIENCE = Deadline(3_600)
SIGNER, PAYEE = address(0x51), address(0x52)


@pytest.fixture
def replies(offline: OfflineMarket) -> list[Any]:
    """Provide what the chain says of the one call that enrolled in bounty 7."""
    rows = [Row(address(1), address(2), 5), Row(SIGNER, PAYEE, 5)]
    call = intake().functions.enroll(
        7, make_terms().to_struct(), [b"".join(row.pack() for row in rows)], True
    )
    found: list[Any] = [transaction(input="0x" + call.data.hex())]
    chain = offline.chain
    chain.bounty_board = SimpleNamespace(address=BOARD)
    chain.bounty_intake = intake()
    chain.rpc = SimpleNamespace(batch=lambda questions: [found.pop(0) for _ in questions])
    offline.log_all([enrolled(7, 10)])
    return found


@pytest.mark.parametrize("account", [SIGNER, PAYEE, PAYEE.lower()])
def test_parts_of__signer_or_payee__is_found_and_read_once(
    offline: OfflineMarket, replies: list[Any], account: str
) -> None:
    assert parts_of(offline.session, account, PATIENCE) == Parts([7], 0)
    assert not replies
    assert parts_of(offline.session, account, PATIENCE) == Parts([7], 0)


def test_parts_of__others__take_no_part(offline: OfflineMarket, replies: list[Any]) -> None:
    # The second half of one account and the first of the next are nobody's.
    across = "0x" + (SIGNER[22:] + PAYEE[2:22])
    for account in (address(0x99), across):
        assert parts_of(offline.session, account, PATIENCE) == Parts([], 0)


def test_parts_of__endpoint_does_not_have_the_call__is_asked_again_later(
    offline: OfflineMarket, replies: list[Any]
) -> None:
    replies.insert(0, None)
    assert parts_of(offline.session, PAYEE, PATIENCE) == Parts([], 0)
    assert len(replies) == 1  # not at once


def test_parts_of__nothing_has_come_yet__says_how_much_is_missing(
    offline: OfflineMarket, replies: list[Any]
) -> None:
    is_over = threading.Event()

    def batch(_: Any) -> list[Any]:
        is_over.wait(30)
        return [None]

    offline.chain.rpc.batch = batch
    try:
        assert parts_of(offline.session, PAYEE, Deadline(0)) == Parts([], 1)
    finally:
        is_over.set()


def test_parts_of__joined_from_this_home__counts_before_anyone_is_enrolled(
    offline: OfflineMarket, replies: list[Any]
) -> None:
    ref = BountyRef(offline.session.profile.chain_id, BOARD, 9)
    folder = LabelingFolder(offline.session.home, ref)
    folder.keep_entry(Entry(SIGNER, "", PAYEE, 5, "https://relay.example"))
    broken = LabelingFolder(offline.session.home, BountyRef(ref.chain_id, BOARD, 11))
    broken.keep_entry(Entry(SIGNER, "", PAYEE, 5, "https://relay.example"))
    (broken.folder / "joined.json").write_text("{")
    assert parts_of(offline.session, address(0x99), PATIENCE) == Parts([9], 0)
