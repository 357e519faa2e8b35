# SPDX-License-Identifier: Apache-2.0
"""What two endpoints say alike.

Nothing that costs money follows from one endpoint's word. A second one is asked the same, in
another place; where the profile names only one, only a local development chain is believed.
"""

from collections.abc import Callable, Sequence
from typing import Any

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

    Args:
        rpc: Whose endpoints are asked.
        requests: Methods with their parameters.
        key: What of the results must be alike.

    Returns:
        The results, in the order of the requests.

    Raises:
        EndpointsDisagreeError: They say different things.
        ChainUnavailableError: Fewer answer than are needed.
        RevertedError: A contract refuses.
    """
    first, *others = _answers(rpc, requests)
    if any(key(other) != key(first) for other in others):
        raise EndpointsDisagreeError(
            "two chain endpoints say different things; wait, and if it stays so replace one"
        )
    return first


def common_height(rpc: RpcClient, leeway: int) -> int:
    """Return the newest block that endpoints in two places both have, or the only one there is.

    By this it is counted what is final: by one endpoint's word a block that was found a moment ago
    would be, and one that is behind for good would hide what has happened since.

    Args:
        rpc: Whose endpoints are asked.
        leeway: How many blocks they may be apart.

    Raises:
        EndpointsDisagreeError: They are farther apart.
        ChainUnavailableError: Fewer answer than are needed.
    """
    heights = [hex_int(reply) for (reply,) in _answers(rpc, [("eth_blockNumber", ())])]
    low, high = min(heights), max(heights)
    if high - low > leeway:
        raise EndpointsDisagreeError(
            f"of two chain endpoints one is at block {low} and one at {high}; wait, and if it "
            "stays so replace one"
        )
    return low


def _answers(rpc: RpcClient, requests: Sequence[Request]) -> list[list[Any]]:
    """Return what endpoints in two places say, or the only one there is."""
    needed = _needed(rpc)
    answers: dict[object, list[Any]] = {}
    failure: Exception | None = None
    for endpoint in rpc.endpoints:
        if endpoint.place in answers:
            continue
        try:
            answers[endpoint.place] = rpc.batch(requests, endpoint=endpoint)
        except (ChainUnavailableError, MalformedReplyError, NodeError) as error:
            failure = error
        if len(answers) == needed:
            break
    if len(answers) < needed:
        raise ChainUnavailableError(
            f"only {len(answers)} of the {needed} chain endpoints that must agree answers; "
            f"add another or try later ({failure})"
        )
    return list(answers.values())


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
