# SPDX-License-Identifier: Apache-2.0
"""A market with three custodians' nodes, driven by hand."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.utils.nodes import (
    ManualNode,
    MarketHarness,
    Sale,
    open_harness,
    run_rounds,
)
from truthmark.cid import raw_cid
from truthmark.market.entries import Purchase
from truthmark.market.records import PurchaseStatus

NAMES = ("custodian1", "custodian2", "custodian3")


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketHarness]:
    with open_harness(tmp_path_factory.mktemp("nodes") / "net", NAMES) as opened:
        yield opened


@pytest.fixture(autouse=True)
def clean_up(harness: MarketHarness) -> Iterator[None]:
    yield
    harness.retire_all()


@pytest.fixture
def nodes(harness: MarketHarness) -> Iterator[list[ManualNode]]:
    """Three nodes, as they are after a start."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(ManualNode(harness.net, name)) for name in NAMES]


def live_sale(harness: MarketHarness, nodes: list[ManualNode], **options: Any) -> Sale:
    sale = harness.sell(nodes, **options)
    run_rounds(lambda: harness.is_live(sale), *nodes)
    return sale


def is_delivered(harness: MarketHarness, bought: Purchase) -> bool:
    return harness.purchase(bought).status is PurchaseStatus.DELIVERED


def is_(harness: MarketHarness, bought: Purchase, status: PurchaseStatus) -> bool:
    return harness.purchase(bought).status is status


def is_kept(node: ManualNode, sale: Sale) -> bool:
    own = node.session.storage.stores[0]  # type: ignore[attr-defined]
    return raw_cid(sale.version.terms.manifest) in own.pins()
