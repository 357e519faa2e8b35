# SPDX-License-Identifier: Apache-2.0
"""What the page gives to a browser's wallet, so that an ended bounty pays and pays out."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.services import wallets
from tests.unit.bounty.test_reader import intake
from tests.utils.bounties import make_terms
from tests.utils.offline_market import address
from truthmark.bounty.payouts import Status
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Roster, Row
from truthmark.chain.abi import load_artifact
from truthmark.chain.contracts import Contract
from truthmark.errors import RevertedError

BOARD, PAYEE, TOKEN = address(0xB0), address(0x52), address(0x70)


class Chain:
    """Refuses to pay the first people of calls that somebody has paid."""

    def __init__(self) -> None:
        self.paid: set[int] = set()
        self.bounty_intake = intake()
        self.bounty_intake.rpc = self
        self.bounty_board = Contract(self, "bounty_board", BOARD, load_artifact("BountyBoard"))  # type: ignore[arg-type]

    def parsed(self, method: str, params: Any, decode: Any) -> Any:
        data = bytes.fromhex(params[0]["data"][2:])
        _, _, evidence = self.function("payout").decode_arguments(data)
        if evidence.first_worker in self.paid:
            raise RevertedError("board: paid already")
        return None

    def function(self, name: str) -> Any:
        (found,) = self.bounty_intake.artifact.functions[name]
        return found


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Chain:
    monkeypatch.setattr(wallets.royalties, "plan_draw", lambda *_: [])
    return Chain()


def claims(chain: Chain, *, is_over: bool = True) -> Any:
    rows = [Row(address(n), PAYEE if n == 4 else address(50 + n), 5) for n in range(1, 5)]
    packed = [row.pack() for row in rows]
    record: Any = SimpleNamespace(
        ref=BountyRef(31337, BOARD, 7),
        terms=make_terms(token=TOKEN),
        status=Status.FLAT,
        roster=Roster.from_chunks([[b"".join(packed[:2])], [b"".join(packed[2:])]]),
        committed=np.ones(4, np.int64),
    )
    profile = SimpleNamespace(name="paper", chain_id=31337, native_symbol="ETH")
    session: Any = SimpleNamespace(chain=chain, profile=profile)
    return wallets.claims_of(session, record, PAYEE, waits_for_payout=is_over)


def test_claims_of__bounty_waits_for_payout__pays_everybody_and_takes_ones_part_out(
    chain: Chain,
) -> None:
    (claim,) = claims(chain)
    assert (claim.key, claim.action) == ("payout-7", "Have it paid")
    assert claim.title == "Have bounty 7 pay everybody, and take your part out"
    assert ("Paid to", PAYEE) in claim.details and ("By contract", BOARD) in claim.details
    *paying, last = claim.calls
    firsts = []
    for call in paying:
        assert (call.to, call.value) == (chain.bounty_intake.address, 0)
        number, _, evidence = chain.function("payout").decode_arguments(
            bytes.fromhex(call.data[2:])
        )
        assert number == 7
        firsts.append(evidence.first_worker)
    assert firsts == [0, 2]  # both calls of the roster, by the numbers of their first people
    (withdraw,) = chain.bounty_board.artifact.functions["withdraw"]
    assert last.to == BOARD
    # All that is owed, to the payee alone, though anyone may confirm it.
    assert tuple(withdraw.decode_arguments(bytes.fromhex(last.data[2:]))) == (TOKEN, PAYEE, 0)


def test_claims_of__somebody_was_faster__leaves_out_what_would_be_refused(chain: Chain) -> None:
    """A wallet that sends all as one would have all of it refused."""
    chain.paid.add(0)
    (claim,) = claims(chain)
    assert len(claim.calls) == 2
    chain.paid.add(2)
    assert claims(chain) == ()


def test_claims_of__bounty_runs_or_is_paid__asks_for_nothing(chain: Chain) -> None:
    assert claims(chain, is_over=False) == ()
