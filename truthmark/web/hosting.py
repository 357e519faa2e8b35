# SPDX-License-Identifier: Apache-2.0
"""All that a server needs for the label page: its files, its network, questions about the chain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from truthmark.bounty.flows import offers
from truthmark.bounty.reader import BOARD
from truthmark.bounty.terms import Terms
from truthmark.chain.agreement import can_be_sure
from truthmark.config.profile import DEVNET_CHAIN_ID, ChainProfile
from truthmark.errors import BountyError, TruthmarkError
from truthmark.session import Session
from truthmark.web import assets
from truthmark.web.forwarding import MAX_BODY, Forwarder

_MAX_BOUNTY: Final = 2**63
_HOST_COST: Final = 20.0
"""In questions about the chain: where a bounty is served may have to be looked up."""


@dataclass(frozen=True)
class PageHost:
    """A server of the page.

    Attributes:
        session: Returns whose chain is read; never one of a visitor.
        relays: Returns where a bounty may be served, as addresses or paths of this server.
        forwarder: Answers questions about the chain.
    """

    session: Callable[[], Session]
    relays: Callable[[int], Sequence[str]]
    forwarder: Forwarder = field(default_factory=Forwarder)

    def routes(self) -> list[BaseRoute]:
        """Return all routes of the page: below /label/, and /rpc."""
        return [
            Route("/label/host/{bounty:int}", self._host, methods=["GET"]),
            Route("/rpc", self._rpc, methods=["POST"]),
            *assets.routes(),
        ]

    def describe(self, bounty_id: int) -> dict[str, Any]:
        """Return what the page is told of this server's network.

        Raises:
            TruthmarkError: It has no bounties, or cannot be read.
        """
        session = self.session()
        profile = session.profile
        if BOARD not in profile.contracts:
            raise BountyError("there are no bounties on this server's network")
        return {
            "chain_id": profile.chain_id,
            "name": profile.name,
            "board": profile.contracts[BOARD].address,
            "genesis": profile.genesis,
            "confirmations": profile.confirmations,
            "block_time": profile.block_time,
            "native_symbol": profile.native_symbol,
            "is_local": profile.chain_id == DEVNET_CHAIN_ID
            and can_be_sure(session.chain.rpc, profile.chain_id),
            "rpc": "/rpc",
            "endpoints": open_endpoints(profile),
            "relays": list(self.relays(bounty_id)),
            "watch": [{"url": url} for url in profile.watch],
            "tokens": [
                {"symbol": token.symbol, "address": token.address, "decimals": token.decimals}
                for token in profile.tokens
            ],
        }

    async def _host(self, request: Request) -> Response:
        bounty_id = request.path_params["bounty"]
        if not 0 < bounty_id < _MAX_BOUNTY:
            return JSONResponse({"error": "there is no such bounty"}, 404)
        if not self.forwarder.rates.spend(_who(request), _HOST_COST):
            return JSONResponse({"error": "asked too often; wait a moment"}, 429)
        try:
            found = await run_in_threadpool(self.describe, bounty_id)
        except BountyError as error:
            return JSONResponse({"error": str(error)}, 404)
        except TruthmarkError:  # not its text, which may name an endpoint
            return JSONResponse({"error": "this server cannot read its chain just now"}, 503)
        return JSONResponse(found, headers={"Cache-Control": "no-cache"})

    async def _rpc(self, request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY:
                return JSONResponse({"error": f"a request has at most {MAX_BODY} bytes"}, 413)
        try:
            answer = await run_in_threadpool(
                lambda: self.forwarder.answer(self.session(), bytes(body), _who(request))
            )
        except TruthmarkError:
            return JSONResponse({"error": "this server cannot read its chain just now"}, 503)
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})


def _who(request: Request) -> str:
    return request.client.host if request.client else ""


def relays_of(session: Session, bounty_id: int) -> list[str]:
    """Return the relays that a bounty's document names, where storage has it.

    Raises:
        BountyError: There is no such bounty.
        ChainError: The chain cannot be read.
    """
    session.follower.sync()
    created = session.follower.index.events(BOARD, "BountyCreated", bounty_id=bounty_id)
    if not created:
        raise BountyError(f"there is no bounty {bounty_id}; look for its number again")
    terms = Terms.from_struct(created[0].args["terms"]._asdict())
    document = offers.find_document(session, terms)
    return [] if document is None else list(document.relay_urls)


def open_endpoints(profile: ChainProfile) -> list[str]:
    """Return the endpoints of which everyone may be told."""
    return [url for url in profile.rpc if _is_open(url)]


def _is_open(url: str) -> bool:
    # What has a path may hold a key.
    parts = urlsplit(url)
    is_bare = parts.path in ("", "/") and not parts.query and "@" not in parts.netloc
    return parts.scheme == "https" and is_bare
