# SPDX-License-Identifier: Apache-2.0
"""What the app's services tell of money and pages, without a chain."""

import tracemalloc
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from app import services
from app.services import buying, sampled, staking
from truthmark.errors import MarketError
from truthmark.market.preview import Preview, PreviewState

ONE, TWO = "0x" + "01" * 20, "0x" + "02" * 20


def log(event: str, amount: int) -> Any:
    return SimpleNamespace(event=event, args={"amount": amount})


def pay(monkeypatch: pytest.MonkeyPatch, paid: dict[str, list[Any]]) -> None:
    """Have the contracts pay in each token what these logs say."""
    board = SimpleNamespace(logs=lambda logs: logs)
    session = SimpleNamespace(
        address=ONE,
        chain=SimpleNamespace(contracts={"bounty_board": board}),
        profile=SimpleNamespace(
            tokens=[SimpleNamespace(address=ONE), SimpleNamespace(address=TWO)],
            amount=lambda units, token: f"{units} {token[-2:]}",
        ),
    )
    receipts = {token: [SimpleNamespace(logs=logs)] for token, logs in paid.items()}
    monkeypatch.setattr(buying, "my_session", lambda: session)
    settlement = SimpleNamespace(withdraw=lambda token, account: receipts.get(token, []))
    monkeypatch.setattr(buying, "Settlement", lambda _: settlement)


def test_withdraw__several_ledgers_and_tokens__tells_all_that_was_paid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pay(
        monkeypatch,
        {
            ONE: [log("Withdrawn", 5), log("Other", 90), log("Withdrawn", 2)],
            TWO: [log("Withdrawn", 3)],
        },
    )
    assert services.withdraw() == "7 01 and 3 02"


def test_withdraw__somebody_was_faster__says_that_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pay(monkeypatch, {ONE: [log("Withdrawn", 0)]})
    with pytest.raises(MarketError, match="nothing can be taken out now"):
        services.withdraw()


@pytest.mark.parametrize(("asked", "page", "first"), [(9, 3, 1), (0, 1, 5), (2, 2, 3)])
def test_purchases__page_that_is_not_there__is_the_nearest(
    monkeypatch: pytest.MonkeyPatch, asked: int, page: int, first: int
) -> None:
    catalogue = SimpleNamespace(purchases=lambda buyer: [1, 2, 3, 4, 5])
    monkeypatch.setattr(buying, "PAGE_SIZE", 2)
    monkeypatch.setattr(buying, "my_synced_session", lambda: SimpleNamespace(address=ONE))
    monkeypatch.setattr(buying, "Catalogue", SimpleNamespace(of=lambda _: catalogue))
    monkeypatch.setattr(buying, "_purchase", lambda _, purchase: purchase)
    found, shown, pages = services.purchases(asked)
    assert (found, pages) == (page, 3)
    begins: Any = shown[0]
    assert begins == first


def test_lacking_for_cover__gas__is_enough_for_an_approval_and_the_payment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(staking, "topping_up", lambda total, gas, payer: asked.append(gas))
    services.lacking_for_cover("20 TMK", "")
    assert asked[0] >= 1.25 * (46_000 + 90_000)


def test_sampled_rows__all_share_a_large_text__are_shown_one_cell_after_the_other() -> None:
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * 40), pa.array(["x" * (4 << 20)]))
    strange = pa.array([2**62] * 40, pa.timestamp("s"))
    table = pa.table({"text": shared, "time": strange, "list": [[1]] * 40, "b": [b"1"] * 40})
    found = Preview(PreviewState.SHOWN, "", "1@1", tables={"t": table})
    tracemalloc.start()
    try:
        (shown,) = sampled._tables(found)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    row = shown.example_rows[19]
    assert (len(row["text"]), row["b"]) == (200, "1 byte")
    assert row["time"] == f"{2**62} of timestamp[s]"
    assert row["list"] == "list<item: int64>"
