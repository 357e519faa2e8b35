# SPDX-License-Identifier: Apache-2.0
"""What a buyer's client asks right before it pays."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from truthmark import codec
from truthmark.errors import MarketError, NotForSaleError
from truthmark.market import purchase as purchase_module
from truthmark.market.preview import PreviewState
from truthmark.market.purchase import Buyer


def test_buy__rotten_was_opened_since_it_was_looked_at__nothing_is_signed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session: Any = SimpleNamespace(address="0xb0", exclusive=lambda name: nullcontext())
    version = SimpleNamespace(terms_id=bytes(32))
    asked: list[Any] = []

    def refuse(*arguments: Any) -> None:
        asked.append(arguments)
        raise NotForSaleError("something of it was opened")

    monkeypatch.setattr(purchase_module, "require_still", refuse)
    monkeypatch.setattr(Buyer, "_require_within", lambda *_: None)
    monkeypatch.setattr(Buyer, "_require_unchanged", lambda *_: None)
    quote: Any = SimpleNamespace(version=version, agreed=PreviewState.SHOWN)
    with pytest.raises(NotForSaleError):
        Buyer(session).buy(quote, max_total=1, again=True)
    assert asked == [(session, version, PreviewState.SHOWN)]


def test_receive__folder_of_other_data__blames_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = SimpleNamespace(digest=bytes(32))
    monkeypatch.setattr(codec, "read_manifest", lambda folder: other)
    version: Any = SimpleNamespace(ref="4@1", terms=SimpleNamespace(manifest=b"m" * 32))
    with pytest.raises(MarketError, match="does not hold what was listed as 4@1"):
        Buyer(SimpleNamespace()).receive(version, SimpleNamespace(), tmp_path)  # type: ignore[arg-type]
