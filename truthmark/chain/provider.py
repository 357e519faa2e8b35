# SPDX-License-Identifier: Apache-2.0
"""A web3 provider over our endpoints, with their retries, failover and checks."""

from typing import Any

from web3 import Web3
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from truthmark.chain.node_errors import RpcReplyError
from truthmark.chain.rpc import RpcClient
from truthmark.errors import RevertedError


class RpcProvider(BaseProvider):
    """Answers web3's questions through an `RpcClient`."""

    def __init__(self, rpc: RpcClient) -> None:
        super().__init__()
        self._rpc = rpc

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Ask a question; a node's error is returned as JSON-RPC has it."""
        outcome = self._rpc.batch_outcomes([(method, params)])[0]
        if isinstance(outcome, RevertedError):
            error = {"code": 3, "message": f"execution reverted: {outcome}"}
            return {"jsonrpc": "2.0", "id": 1, "error": error}  # type: ignore[typeddict-item]
        if isinstance(outcome, RpcReplyError):
            error = {"code": outcome.code, "message": outcome.node_message, "data": outcome.data}
            return {"jsonrpc": "2.0", "id": 1, "error": error}  # type: ignore[typeddict-item]
        return {"jsonrpc": "2.0", "id": 1, "result": outcome}


def make_web3(rpc: RpcClient) -> Web3:
    """Return a web3 object that asks these endpoints."""
    return Web3(RpcProvider(rpc))
