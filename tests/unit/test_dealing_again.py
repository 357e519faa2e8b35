# SPDX-License-Identifier: Apache-2.0
"""How often a listing deals a key again, and when it does not."""

from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.cli.output import info
from truthmark.errors import NotForSaleError
from truthmark.market import redealing
from truthmark.market.flows import listing


class Market:
    """Custodies of which all lapse but one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, live: int) -> None:
        self.dealt: list[int] = []
        self.live = live
        self.ends: set[int] = set()
        monkeypatch.setattr(listing, "wait_until_live", self._wait)
        monkeypatch.setattr(redealing, "deal_again", self._deal)
        monkeypatch.setattr(redealing, "find_lapsed", self._lapsed)

    def epoch(self, number: int) -> Any:
        return SimpleNamespace(custody=SimpleNamespace(epoch=number), custody_id=bytes([number]))

    def _wait(self, session: Any, version: Any, epoch: Any, say: Any) -> None:
        if epoch.custody.epoch != self.live:
            raise NotForSaleError("not all custodians accepted in time; renew it")

    def _deal(self, session: Any, version: Any, epoch: Any, **limits: Any) -> Any:
        self.dealt.append(epoch.custody.epoch + 1)
        return SimpleNamespace(epoch=self.epoch(epoch.custody.epoch + 1))

    def _lapsed(self, session: Any, version: Any) -> list[Any]:
        return [(self.epoch(n), []) for n in range(9) if n != self.live and n not in self.ends]


def wait(market: Market, number: int, **options: Any) -> Any:
    return listing.wait_or_deal_again(None, None, market.epoch(number), say=info, **options)  # type: ignore[arg-type]


def test_wait_or_deal_again__others_accept__is_the_custody_of_theirs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    market = Market(monkeypatch, live=2)
    assert wait(market, 0, is_agreed=True).custody.epoch == 2
    assert market.dealt == [1, 2]
    assert "dealing the key to others, as agreed" in capsys.readouterr().err


def test_wait_or_deal_again__no_custodian_accepts__deals_twice_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = Market(monkeypatch, live=99)
    with pytest.raises(NotForSaleError, match="not all custodians accepted"):
        wait(market, 0, is_agreed=True)
    assert market.dealt == [1, 2]
    # Repeated after a kill, it has been done often enough.
    with pytest.raises(NotForSaleError):
        wait(market, 2, is_agreed=True)
    assert market.dealt == [1, 2]
    with pytest.raises(NotForSaleError):
        wait(market, 5, is_agreed=True, first=5)
    assert market.dealt == [1, 2, 6, 7]


def test_wait_or_deal_again__not_agreed_or_not_lapsed__deals_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = Market(monkeypatch, live=1)
    with pytest.raises(NotForSaleError):
        wait(market, 0, is_agreed=False)
    market.ends.add(0)  # closed, because its custodians failed a buyer
    with pytest.raises(NotForSaleError):
        wait(market, 0, is_agreed=True)
    assert market.dealt == []


@pytest.mark.parametrize(
    ("given", "preset", "deals_again", "expected"),
    [
        (None, 86_400, False, 86_400),
        (None, 86_400, True, 600),
        (None, 60, True, 60),
        (7_200, 86_400, True, 7_200),
    ],
)
def test_acceptance_within__dealing_again__is_ten_minutes(
    given: int | None, preset: int, deals_again: bool, expected: int
) -> None:
    assert listing.acceptance_within(given, preset, deals_again=deals_again) == expected
