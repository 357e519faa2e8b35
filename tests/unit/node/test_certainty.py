# SPDX-License-Identifier: Apache-2.0
"""For which purchases a node gives a part of the key away."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from truthmark.errors import ChainUnavailableError
from truthmark.market.records import PurchaseStatus
from truthmark.node.certainty import find_paid

PAID, NONE = PurchaseStatus.PAID, PurchaseStatus.NONE


def find(*says: tuple[str, PurchaseStatus | None]) -> tuple[set[bytes], list[Any]]:
    """Return what is found of one purchase by what endpoints say, each in a place."""

    def batch(requests: list[Any], *, endpoint: Any) -> list[Any]:
        if endpoint.status is None:
            raise ChainUnavailableError("it does not answer")
        return [State(endpoint.status) for _ in requests]

    endpoints = [SimpleNamespace(place=place, status=status) for place, status in says]
    call = SimpleNamespace(request=lambda block: block, decode=lambda reply: reply)
    chain: Any = SimpleNamespace(
        rpc=SimpleNamespace(endpoints=endpoints, batch=batch),
        final_block=lambda confirmations: SimpleNamespace(hash=bytes(32)),
        market=SimpleNamespace(functions=SimpleNamespace(purchases=lambda purchase_id: call)),
    )
    purchase: Any = SimpleNamespace(purchase_id=b"one")
    return find_paid(chain, [purchase], 1)


class State(NamedTuple):
    """What the market keeps of a purchase, as far as is asked."""

    status: PurchaseStatus


def test_find_paid__a_place_under_two_names_says_so__is_one_voice() -> None:
    paid, disputed = find(("liar", PAID), ("liar", PAID), ("honest", NONE))
    assert not paid
    assert len(disputed) == 1
    with pytest.raises(ChainUnavailableError, match="only 1 of the 2"):
        find(("liar", PAID), ("liar", PAID), ("honest", None))


def test_find_paid__two_of_three_places_say_so__is_paid() -> None:
    assert find(("first", PAID), ("liar", NONE), ("third", PAID)) == ({b"one"}, [])
    assert find(("gone", None), ("gone", PAID), ("third", PAID)) == ({b"one"}, [])
    assert find(("only", PAID)) == ({b"one"}, [])
