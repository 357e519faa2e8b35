# SPDX-License-Identifier: Apache-2.0
"""What cannot be read from the chain as the board holds it is not labeled for."""

from dataclasses import replace
from typing import Any

import pytest

from tests.utils.bounties import REF, make_terms
from truthmark.bounty import reader
from truthmark.bounty.commits import Commits
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.terms import Terms
from truthmark.bounty.verify import Anchors
from truthmark.chain.abi import load_artifact
from truthmark.chain.contracts import Contract
from truthmark.errors import BountyError, MalformedReplyError

INTAKE = "0x" + "1a" * 20
ROW = Row("0x" + "01" * 20, "0x" + "02" * 20, 5)


def intake() -> Contract:
    return Contract(None, "bounty_intake", INTAKE, load_artifact("BountyIntake"))  # type: ignore[arg-type]


def transaction(bounty_id: int = 7, **changed: Any) -> dict[str, Any]:
    terms: Terms = make_terms()
    call = intake().functions.enroll(bounty_id, terms.to_struct(), [ROW.pack()], True)
    return {"to": INTAKE.upper().replace("0X", "0x"), "input": "0x" + call.data.hex()} | changed


def test_chunks__calldata_of_a_direct_call__are_read() -> None:
    assert reader._chunks(transaction(), intake(), "enroll", 7) == [ROW.pack()]


@pytest.mark.parametrize(
    "reply,error",
    [
        (None, MalformedReplyError),
        (transaction(to="0x" + "1b" * 20), BountyError),
        (transaction(to=None), BountyError),
        (transaction(input="0x12345678"), BountyError),
        (transaction(bounty_id=8), BountyError),
        (transaction(input=transaction()["input"][:200]), MalformedReplyError),
    ],
)
def test_chunks__what_nobody_can_read__is_refused(reply: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        reader._chunks(reply, intake(), "enroll", 7)


def test_require_anchored__roster_of_another_chain__is_refused() -> None:
    rows = [replace(ROW, signer=f"0x{w:040x}") for w in range(1, 4)]
    record = Record(
        REF, make_terms(), b"\1" * 32, Roster([rows]), Commits([]), frozenset(), Status.LABEL
    )
    reader.require_anchored(record, Anchors.of(record))
    other = replace(record, roster=Roster([[ROW]]))
    with pytest.raises(BountyError, match="the roster of bounty 7"):
        reader.require_anchored(other, Anchors.of(record))
