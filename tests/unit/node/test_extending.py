# SPDX-License-Identifier: Apache-2.0
"""A node that would stay for another period looks at what it keeps once more."""

from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.market.preview import Preview, PreviewState
from truthmark.node import custodian as custodian_module
from truthmark.node.custodian import CustodianRole


@pytest.mark.parametrize(
    ("state", "stays"),
    [
        (PreviewState.SHOWN, True),
        (PreviewState.BLIND, True),  # as its offer took it
        (PreviewState.UNREACHABLE, True),  # nobody says that it is rotten
        (PreviewState.BAD, False),
        (PreviewState.BROKEN, False),
        (None, False),  # not yet looked at
    ],
)
def test_extend__sample_of_each_state__rotten_data_is_kept_no_longer(
    monkeypatch: pytest.MonkeyPatch, state: PreviewState | None, stays: bool
) -> None:
    monkeypatch.setattr(custodian_module, "still_suits", lambda *_: True)
    monkeypatch.setattr(custodian_module, "wants_extension", lambda *_: True)
    role: Any = object.__new__(CustodianRole)
    role.dry_run, role.policy = False, SimpleNamespace(gas_reserve=0, margin_seconds=1)
    role.view = SimpleNamespace(gas=1, is_actor=True, block=SimpleNamespace(timestamp=5))
    role._custodian = SimpleNamespace(plan_extend=lambda *_: "planned")
    found = None if state is None else Preview(state, "said so")
    role._holdings = SimpleNamespace(sample=lambda held: found)
    sent: list[Any] = []
    role._sender = SimpleNamespace(submit=lambda *arguments: sent.append(arguments))
    held: Any = SimpleNamespace(
        version=SimpleNamespace(terms=None),
        slot=SimpleNamespace(index=1, epoch=SimpleNamespace(custody=None)),
        state=SimpleNamespace(active=1, end=100),
        keeping_balance=1,
    )
    role._extend(held, None)
    assert sent == ([("extend", "planned")] if stays else [])
