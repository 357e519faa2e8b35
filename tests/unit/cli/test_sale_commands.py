# SPDX-License-Identifier: Apache-2.0
"""What `truthmark deliver`, `list` and `renew` say while they wait."""

from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.cli.output import info
from truthmark.errors import (
    ChainUnavailableError,
    GasError,
    KeysError,
    LateError,
    MalformedReplyError,
    MarketError,
    NodeError,
    StorageError,
    TruthmarkError,
)
from truthmark.market.flows import listing, sales
from truthmark.market.records import CustodyStatus


@pytest.mark.parametrize(
    "error",
    [ChainUnavailableError, NodeError, GasError, LateError, StorageError, KeysError, MarketError],
)
def test_deliver_watch__one_version_fails__is_said_once_and_the_others_go_on(
    error: type[TruthmarkError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad, good = (SimpleNamespace(ref=ref) for ref in ("1@1", "2@1"))
    texts = iter(["a", "a", "b", "", "b", "b"])
    done: list[tuple[str, str]] = []

    def deliver(session: Any, version: Any, tell: Any) -> tuple[int, int]:
        done.append(("deliver", version.ref))
        if version is bad and (text := next(texts)):
            raise error(text)
        return 1, 0

    def sleep(seconds: float) -> None:
        if len(done) >= 6 * 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(sales, "own_versions", lambda *_: [bad, good])
    monkeypatch.setattr(sales, "deliver_due", deliver)
    monkeypatch.setattr(
        sales, "settle_due", lambda _, versions, now, tell: done.append(("settle", versions[0].ref))
    )
    monkeypatch.setattr(
        sales, "_open_due", lambda _, version, opened, say: done.append(("open", version.ref))
    )
    monkeypatch.setattr("truthmark.market.flows.sales.time.sleep", sleep)
    session: Any = SimpleNamespace(
        profile=SimpleNamespace(poll_seconds=1.0),
        part=lambda *_: SimpleNamespace(sync=lambda: None),
        chain=SimpleNamespace(time=lambda: 0),
    )
    with pytest.raises(KeyboardInterrupt):
        sales.follow(session, None, tell=info, say=info)
    steps = [(what, ref) for ref in ("1@1", "2@1") for what in ("deliver", "open", "settle")]
    assert done == 6 * steps
    said = capsys.readouterr().err.splitlines()[1:]
    assert said == [f"1@1 is not delivered: {text}; going on" for text in ("a", "b", "b")]


def test_deliver_watch__market_cannot_be_read__goes_on_when_it_can(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = iter([MalformedReplyError("x"), MalformedReplyError("x"), None, KeyboardInterrupt()])

    def sync() -> None:
        if (error := next(turns)) is not None:
            raise error

    looked: list[int] = []
    monkeypatch.setattr(sales, "own_versions", lambda *_: looked.append(1) or [])
    monkeypatch.setattr("truthmark.market.flows.sales.time.sleep", lambda _: None)
    session: Any = SimpleNamespace(
        profile=SimpleNamespace(poll_seconds=1.0),
        part=lambda *_: SimpleNamespace(sync=sync),
        chain=SimpleNamespace(time=lambda: 0),
    )
    with pytest.raises(KeyboardInterrupt):
        sales.follow(session, None, tell=info, say=info)
    assert looked == [1]
    assert capsys.readouterr().err.splitlines()[1:] == ["x; going on"]


def see_custody(monkeypatch: pytest.MonkeyPatch, accepted: list[int]) -> None:
    """Let a custody be seen with who has accepted, once each, and then live."""
    seen = [SimpleNamespace(status=CustodyStatus.OPENED, accepted=map_) for map_ in accepted]
    looks = iter([*seen, SimpleNamespace(status=CustodyStatus.LIVE)])
    monkeypatch.setattr("truthmark.market.seller.Seller.custody_state", lambda *_: next(looks))


def test_list__waiting__says_who_is_missing_whenever_it_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("truthmark.market.flows.listing.time.sleep", lambda _: None)
    see_custody(monkeypatch, [0, 0, 0b010, 0b010, 0b110])
    session: Any = SimpleNamespace(
        chain=SimpleNamespace(time=lambda: 1_000_000),
        profile=SimpleNamespace(poll_seconds=1.0),
    )
    opened = SimpleNamespace(count=3, accept_until=1_003_600)
    epoch: Any = SimpleNamespace(custody=opened, custodians=("0xA", "0xB", "0xC"))
    version: Any = SimpleNamespace(ref="3@1")
    listing.wait_until_live(session, version, epoch, info)
    begun, *told, ended = capsys.readouterr().err.splitlines()
    assert begun.startswith("waiting for 3 custodians to accept, which may take until 1970-01-12")
    assert "(in 1 h); Ctrl-C stops only the waiting, and `truthmark show 3@1` tells" in begun
    assert told == [
        "1 of 3 have accepted; not yet: 0xA, 0xC",
        "2 of 3 have accepted; not yet: 0xA",
    ]
    assert ended == "all 3 custodians accepted"


def test_renew__no_custodian_accepts__names_all_after_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 600, 10))
    monkeypatch.setattr("truthmark.market.flows.listing.time.sleep", lambda _: None)
    ticking = SimpleNamespace(monotonic=lambda: float(next(clock)))
    monkeypatch.setattr("truthmark.waiting.time", ticking)
    see_custody(monkeypatch, [0] * 7)
    session: Any = SimpleNamespace(
        chain=SimpleNamespace(time=lambda: 1_000_000),
        profile=SimpleNamespace(poll_seconds=1.0),
    )
    opened = SimpleNamespace(count=2, accept_until=1_003_600)
    epoch: Any = SimpleNamespace(custody=opened, custodians=("0xA", "0xB"))
    listing.wait_until_live(session, SimpleNamespace(ref="3@1"), epoch, info)  # type: ignore[arg-type]
    _, told, _ = capsys.readouterr().err.splitlines()
    assert told == "0 of 2 have accepted; not yet: 0xA, 0xB"
