# SPDX-License-Identifier: Apache-2.0
"""What two endpoints say alike.

Nothing that costs money follows from one endpoint's word. A second one is asked the same, in
another place; where the profile names only one, only a local development chain is believed.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from truthmark.chain.replies import hex_int
from truthmark.chain.rpc import RpcClient
from truthmark.chain.sheets import Request
from truthmark.config.profile import DEVNET_CHAIN_ID
from truthmark.errors import (
    ChainUnavailableError,
    EndpointsDisagreeError,
    MalformedReplyError,
    NodeError,
    RevertedError,
)

_T = TypeVar("_T")

ADD_AN_ENDPOINT = "add another with `truthmark init --rpc URL,URL`, which names all, or with --rpc"
"""What to do where there is one endpoint only."""
ADD_ON_PAGE = (
    "add another by `truthmark init --rpc URL,URL` in a terminal, which names all, and start the "
    "app again"
)
"""The same, for the app."""


def can_be_sure(rpc: RpcClient, chain_id: int) -> bool:
    """Whether what `agreed` returns may be relied on where money is at stake.

    That takes endpoints in two places, or a development chain on this machine.
    """
    is_local = all(endpoint.is_local for endpoint in rpc.endpoints)
    return _needed(rpc) == 2 or (is_local and chain_id == DEVNET_CHAIN_ID)


def agreed(
    rpc: RpcClient,
    requests: Sequence[Request],
    key: Callable[[list[Any]], Any] = lambda replies: replies,
) -> list[Any]:
    """Ask endpoints in two places the same, or the only one there is.

    Where two say different things and there is a third, what two of them say counts: one that is
    wrong can neither have its way nor stop what needs two.

    Args:
        rpc: Whose endpoints are asked.
        requests: Methods with their parameters.
        key: What of the results must be alike.

    Returns:
        The results, in the order of the requests.

    Raises:
        EndpointsDisagreeError: No two of them say the same.
        ChainUnavailableError: Fewer answer than are needed.
        RevertedError: A contract refuses.
    """
    needed, marks = _needed(rpc), []
    for mark, replies in _answers(rpc, requests, key):
        marks.append(mark)
        if marks.count(mark) >= needed:
            return replies
    raise EndpointsDisagreeError(
        "two chain endpoints say different things; wait, and if it stays so replace one"
    )


def common_height(rpc: RpcClient, leeway: int, *, waits: bool = True) -> int:
    """Return the newest block that endpoints in two places both have, or the only one there is.

    By this it is counted what is final: by one endpoint's word a block that was found a moment ago
    would be, and one that is behind for good would hide what has happened since.

    Args:
        rpc: Whose endpoints are asked.
        leeway: How many blocks they may be apart.
        waits: Whether one that does not answer is asked again and again.

    Raises:
        EndpointsDisagreeError: No two of them are as close.
        ChainUnavailableError: Fewer answer than are needed.
    """
    needed = _needed(rpc)
    heights: list[int] = []
    requests = [("eth_blockNumber", ())]
    said = _answers(rpc, requests, lambda replies: hex_int(replies[0]), waits=waits)
    for height, _ in said:
        heights = sorted([*heights, height])
        close = [low for low, high in pairwise(heights) if high - low <= leeway]
        if needed == 1 or close:
            return close[-1] if close else height
    raise EndpointsDisagreeError(
        f"of two chain endpoints one is at block {heights[0]} and one at {heights[-1]}; wait, and "
        "if it stays so replace one"
    )


def _answers(
    rpc: RpcClient,
    requests: Sequence[Request],
    key: Callable[[list[Any]], _T],
    *,
    waits: bool = True,
) -> Iterator[tuple[_T, list[Any]]]:
    """Yield what endpoints say, one in each place, for as long as more is asked for.

    Where another can stand in, none is waited for long: that comes when all were asked.

    Args:
        rpc: Whose endpoints are asked.
        requests: Methods with their parameters.
        key: Returns what the results come to, or refuses them with MalformedReplyError.
        waits: Whether one that does not answer is asked again and again.

    Raises:
        ChainUnavailableError: Fewer answer than are needed.
        RevertedError: The same, and one of them says that a contract refuses.
    """
    needed = _needed(rpc)
    answered: set[object] = set()
    failure: Exception | None = None
    for attempts in (1, 0) if waits else (1,):
        for endpoint in rpc.endpoints:
            if endpoint.place in answered:
                continue
            try:
                replies = rpc.batch(requests, endpoint=endpoint, attempts=attempts)
                mark = key(replies)
            except RevertedError as error:
                failure = error
                continue
            except (ChainUnavailableError, MalformedReplyError, NodeError) as error:
                failure = failure if isinstance(failure, RevertedError) else error
                continue
            answered.add(endpoint.place)
            yield mark, replies
    if len(answered) < needed:
        if isinstance(failure, RevertedError):
            raise failure
        raise ChainUnavailableError(
            f"only {len(answered)} of the {needed} chain endpoints that must agree answers; "
            f"add another or try later ({failure})"
        )


def is_contradicted(
    rpc: RpcClient, request: Request, key: Callable[[Any], Any], answer: Any
) -> bool:
    """Whether an endpoint says otherwise than another that gave this answer.

    One that does not answer contradicts nobody.
    """
    if _needed(rpc) < 2:
        return False
    method, params = request
    for endpoint in rpc.endpoints:
        try:
            if key(rpc.call(method, *params, endpoint=endpoint)) != answer:
                return True
        except (ChainUnavailableError, MalformedReplyError, NodeError, RevertedError):
            continue
    return False


def _needed(rpc: RpcClient) -> int:
    return min(2, len({endpoint.place for endpoint in rpc.endpoints}))
