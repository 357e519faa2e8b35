# SPDX-License-Identifier: Apache-2.0
"""Which purchases are certain enough to give a part of the key away for.

Many are asked about at once: no number of purchases may make another custody's delivery late.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from truthmark.errors import ChainError, ChainUnavailableError
from truthmark.market.records import PurchaseStatus

if TYPE_CHECKING:
    from truthmark.chain.connection import Chain
    from truthmark.market.entries import Purchase


def find_paid(
    chain: "Chain", purchases: Sequence["Purchase"], confirmations: int
) -> tuple[set[bytes], list["Purchase"]]:
    """Return what is paid on the word of two endpoints, where there are two.

    Args:
        chain: Whose market is asked, at its newest final block.
        purchases: What to ask about.
        confirmations: How many blocks make a block final, its own included.

    Returns:
        The ids of those that are paid, and those about which no two endpoints agree.

    Raises:
        EndpointsDisagreeError: They have different blocks there.
        ChainUnavailableError: Fewer answer than are needed.
    """
    block = chain.final_block(confirmations)
    calls = [chain.market.functions.purchases(p.purchase_id) for p in purchases]
    requests = [call.request(block=block.hash) for call in calls]
    needed = min(2, len({endpoint.place for endpoint in chain.rpc.endpoints}))
    said: list[Counter[Any]] = [Counter() for _ in calls]
    answered: set[object] = set()  # one place is one voice, by however many names
    failure: Exception | None = None
    for endpoint in chain.rpc.endpoints:
        if endpoint.place in answered:
            continue
        try:
            replies = chain.rpc.batch(requests, endpoint=endpoint)
            states = [call.decode(reply) for call, reply in zip(calls, replies, strict=True)]
        except ChainError as error:  # whatever is wrong with it, others may be right
            failure = error
            continue
        answered.add(endpoint.place)
        for votes, state in zip(said, states, strict=True):
            votes[state] += 1
        if all(max(votes.values()) >= needed for votes in said):
            break
    if len(answered) < needed:
        raise ChainUnavailableError(
            f"only {len(answered)} of the {needed} chain endpoints that must agree about purchases "
            f"answers; add another or try later ({failure})"
        )
    paid, disputed = set(), []
    for purchase, votes in zip(purchases, said, strict=True):
        state, count = votes.most_common(1)[0]
        if count < needed:
            disputed.append(purchase)
        elif state.status == PurchaseStatus.PAID:
            paid.add(purchase.purchase_id)
    return paid, disputed
