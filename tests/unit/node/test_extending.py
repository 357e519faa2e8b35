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
        (None, False),  # not yet looked at, and there is time
    ],
)
def test_extend__sample_of_each_state__rotten_data_is_kept_no_longer(
    monkeypatch: pytest.MonkeyPatch, state: PreviewState | None, stays: bool
) -> None:
    found = None if state is None else Preview(state, "said so")
    sent = extend(monkeypatch, found, now=75)
    assert sent == ([("extend", "planned")] if stays else [])


@pytest.mark.parametrize(
    ("last", "stays"), [(None, True), (PreviewState.PARTIAL, True), (PreviewState.BROKEN, False)]
)
@pytest.mark.parametrize("is_active", [True, False])
def test_extend__no_look_ends_in_time__what_is_not_known_to_be_rotten_is_kept(
    monkeypatch: pytest.MonkeyPatch, last: PreviewState | None, is_active: bool, stays: bool
) -> None:
    """A computer that cannot look, or not soon, must not let custodies end."""
    sent = extend(monkeypatch, None, now=85, last=last, is_active=is_active)
    assert sent == ([("extend", "planned")] if stays else [])


def extend(
    monkeypatch: pytest.MonkeyPatch,
    found: Preview | None,
    *,
    now: int,
    last: PreviewState | None = None,
    is_active: bool = True,
) -> list[Any]:
    """Return what a node sends for a period of 100 s that ends at 100, of which it has `found`."""
    monkeypatch.setattr(custodian_module, "still_suits", lambda *_: True)
    monkeypatch.setattr(custodian_module, "wants_extension", lambda *_: True)
    remembered = {} if last is None else {b"terms": (last, "it was so")}
    monkeypatch.setattr(custodian_module, "remembered_states", lambda *_: remembered)
    role: Any = object.__new__(CustodianRole)
    role.session = None
    role.dry_run, role.policy = False, SimpleNamespace(gas_reserve=0, margin_seconds=1)
    role.view = SimpleNamespace(gas=1, is_actor=True, block=SimpleNamespace(timestamp=now))
    planned = lambda *_: "planned"  # noqa: E731
    role._custodian = SimpleNamespace(plan_extend=planned, plan_join=planned)
    role._holdings = SimpleNamespace(sample=lambda held: found)
    sent: list[Any] = []
    role._sender = SimpleNamespace(submit=lambda *arguments: sent.append(arguments))
    custody = SimpleNamespace(period_seconds=100)
    held: Any = SimpleNamespace(
        version=SimpleNamespace(terms=None, terms_id=b"terms"),
        slot=SimpleNamespace(index=1, epoch=SimpleNamespace(custody=custody)),
        state=SimpleNamespace(
            active=1 if is_active else 0,
            end=100 if is_active else 200,
            previous_end=100,
        ),
        keeping_balance=1,
        waiting=[],
    )
    role._extend(held, None)
    return sent
