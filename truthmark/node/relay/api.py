# SPDX-License-Identifier: Apache-2.0
"""The relay over HTTP; what it accepts and answers, `relay.Relay` decides (docs/relay.md)."""

import logging
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from truthmark.bounty.relay_models import (
    Acknowledgement,
    Address,
    BountyStatus,
    Calls,
    CommitRequest,
    CommitState,
    DepositRequest,
    DepositState,
    FileEntry,
    Joined,
    JoinRequest,
    JoinState,
    Keys,
    KeysRequest,
    OfferReply,
    OfferRequest,
    Problem,
    RelayInfo,
)
from truthmark.bounty.terms import MAX_WORKERS
from truthmark.errors import BountyError, ChainError, StorageError, TruthmarkError
from truthmark.labels.permutation import MAX_ITEMS
from truthmark.node.relay.limits import Limits
from truthmark.node.relay.papers import PIECE
from truthmark.node.relay.refusals import MissingError, RefusedError, TooLargeError
from truthmark.node.relay.relay import Relay
from truthmark.node.relay.replies import DirectRoute
from truthmark.web.hosting import PageHost
from truthmark.web.rates import Rates

log = logging.getLogger(__name__)

BURST: Final = 3_000.0
PER_SECOND: Final = 100.0

_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_BYTES: Final = "application/octet-stream"
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": Problem, "description": "What is wrong, and what to do."},
    "503": {"model": Problem, "description": "Not now; ask again in a moment."},
}
_BINARY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}
}
TAKES_BYTES: Final = {
    "requestBody": {
        "required": True,
        "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}},
    }
}

BountyPath = Annotated[int, Path(ge=1, lt=2**63)]
WorkerPath = Annotated[int, Path(ge=0, lt=MAX_WORKERS)]
ItemPath = Annotated[int, Path(ge=0, lt=MAX_ITEMS + 64)]
_bearer = HTTPBearer(auto_error=False, description="The token that the newest offer brought.")
Token = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def create_app(relay: Relay, rates: Rates | None = None) -> FastAPI:
    """Return the relay as an app, to be served or mounted.

    Args:
        relay: What decides.
        rates: What one address may ask; the usual if not given.
    """
    app = FastAPI(
        title="Truthmark relay",
        version=relay.policy.version,
        description="Takes what requesters and labelers sign, and posts it on the chain. It holds "
        "no power: what it invents or leaves out, one signature overrides.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses=PROBLEMS,
        # One description a model, whether it is sent or received.
        separate_input_output_schemas=False,
    )
    app.router.route_class = DirectRoute
    # Pages that other servers serve ask relays, without cookies; they need no more than this.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["Content-Type"],
        max_age=86_400,
    )
    app.add_middleware(Limits, rates=rates or Rates(BURST, PER_SECOND))
    add_problems(app)
    _add_reading(app, relay)
    _add_requesters(app, relay)
    _add_labelers(app, relay)
    _add_deposits(app, relay)
    page = PageHost(session=lambda: relay.session, relays=lambda _: ["/"])
    app.router.routes.extend(page.routes())
    return app


def add_problems(app: FastAPI) -> None:
    """Have errors answered in one line, each with its status."""

    def problem(status: int, text: str) -> JSONResponse:
        return JSONResponse({"error": text}, status)

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> Response:
        return problem(error.status, str(error))

    @app.exception_handler(TruthmarkError)
    async def failed(_: Request, error: TruthmarkError) -> Response:
        if isinstance(error, ChainError):
            # Not its text, which may name an endpoint.
            log.info("a question could not be answered: %s", error)
            return problem(503, "the chain cannot be read just now; ask again in a moment")
        if isinstance(error, StorageError):
            log.warning("%s", error)
            return problem(503, "the relay cannot write just now; ask again later")
        return problem(503 if isinstance(error, BountyError) else 400, str(error))

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, error: ClientDisconnect) -> Response:
        return problem(400, "the request broke off; send it again")

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> Response:
        return problem(500, "this should not happen; tell the relay's operator")  # who has the log

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return problem(422, f"{place}: {first['msg']}"[:300])

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> Response:
        reply = problem(error.status_code, f"{error.detail}; see /v1/openapi.json")
        reply.headers.update(error.headers or {})
        return reply


def _add_reading(app: FastAPI, relay: Relay) -> None:
    @app.get("/v1/relay", tags=["everybody"])
    def info(requester: Address | None = None) -> RelayInfo:
        """Who answers here; with an address, whether it is served for less than others."""
        return relay.info(requester)

    @app.get("/v1/bounties", tags=["everybody"])
    def bounties() -> list[BountyStatus]:
        """The bounties that are served and not over, the newest first."""
        return relay.statuses()

    @app.get("/v1/bounties/{bounty_id}", tags=["everybody"])
    def bounty(bounty_id: BountyPath) -> BountyStatus:
        """How a bounty stands."""
        return relay.status(bounty_id)

    @app.get("/v1/bounties/{bounty_id}/terms", tags=["everybody"])
    def terms(bounty_id: BountyPath) -> dict[str, str]:
        """The terms, whose hash the board keeps: hashes as hex, all else as decimal numbers."""
        return relay.lookup.view(bounty_id).terms.to_texts()

    def paper(bounty_id: int, kind: str) -> Response:
        path = relay.papers.path(bounty_id, relay.lookup.view(bounty_id).terms, kind)
        if not path.exists():
            raise MissingError(f"the {kind} is not here yet")
        return FileResponse(path, media_type=_BYTES, headers=_FOREVER)

    common: dict[str, Any] = {
        "tags": ["everybody"],
        "response_class": FileResponse,
        "responses": _BINARY,
    }

    @app.get("/v1/bounties/{bounty_id}/document", **common)
    def document(bounty_id: BountyPath) -> Response:
        """The document, whose SHA-256 stands in the terms."""
        return paper(bounty_id, "document")

    @app.get("/v1/bounties/{bounty_id}/manifest", **common)
    def manifest(bounty_id: BountyPath) -> Response:
        """The list of items, whose CID stands in the document."""
        return paper(bounty_id, "manifest")

    @app.get("/v1/bounties/{bounty_id}/data", **common)
    def data(bounty_id: BountyPath) -> Response:
        """The file of all items, or the part that a `Range` names."""
        return paper(bounty_id, "data")

    @app.get("/v1/bounties/{bounty_id}/items/{item}", **common)
    def item(bounty_id: BountyPath, item: ItemPath) -> Response:
        """An item as it is stored, whose SHA-256 stands in the list."""
        terms = relay.lookup.view(bounty_id).terms
        length, pieces = relay.papers.item(bounty_id, terms, item)
        if length <= PIECE:  # most are; a stream costs a thread for each step
            return Response(b"".join(pieces), media_type=_BYTES, headers=_FOREVER)
        headers = _FOREVER | {"Content-Length": str(length)}
        return StreamingResponse(pieces, media_type=_BYTES, headers=headers)

    @app.get("/v1/bounties/{bounty_id}/roster", tags=["everybody"])
    def roster(bounty_id: BountyPath) -> Calls:
        """The chunks of the roster; store them, payouts and proofs need them."""
        return relay.roster(bounty_id)

    @app.get("/v1/bounties/{bounty_id}/commits", tags=["everybody"])
    def commits(bounty_id: BountyPath) -> Calls:
        """The chunks of the commits; store them, proofs need them."""
        return relay.commits(bounty_id)


def _add_requesters(app: FastAPI, relay: Relay) -> None:
    @app.put("/v1/bounties/{bounty_id}", tags=["requester"])
    def offer(bounty_id: BountyPath, request: OfferRequest) -> OfferReply:
        """Have a bounty served whose terms name this relay, or say how again."""
        return relay.offer(bounty_id, request)

    async def upload(bounty_id: int, kind: str, request: Request, token: Token) -> Response:
        shown = None if token is None else token.credentials
        terms = await run_in_threadpool(relay.require_requester, bounty_id, shown)
        limit = await run_in_threadpool(relay.papers.limit, bounty_id, terms, kind)
        receiving = relay.papers.receive(bounty_id, terms, kind)
        file = await run_in_threadpool(receiving.__enter__)
        try:
            done = 0
            async for piece in request.stream():
                done += len(piece)
                if done > limit:
                    raise TooLargeError(f"the {kind} has at most {limit} bytes")
                await run_in_threadpool(file.write, piece)
        except BaseException as error:
            # Whatever it was, what came so far is thrown away.
            receiving.__exit__(type(error), error, error.__traceback__)
            raise
        await run_in_threadpool(receiving.__exit__, None, None, None)
        return Response(status_code=204)

    common: dict[str, Any] = {
        "tags": ["requester"],
        "status_code": 204,
        "response_class": Response,
        "openapi_extra": TAKES_BYTES,
    }

    @app.put("/v1/bounties/{bounty_id}/document", **common)
    async def put_document(bounty_id: BountyPath, request: Request, token: Token) -> Response:
        """Bring the document that the terms name."""
        return await upload(bounty_id, "document", request, token)

    @app.put("/v1/bounties/{bounty_id}/manifest", **common)
    async def put_manifest(bounty_id: BountyPath, request: Request, token: Token) -> Response:
        """Bring the list of items that the document names."""
        return await upload(bounty_id, "manifest", request, token)

    @app.put("/v1/bounties/{bounty_id}/data", **common)
    async def put_data(bounty_id: BountyPath, request: Request, token: Token) -> Response:
        """Bring the file of all items that the document names."""
        return await upload(bounty_id, "data", request, token)

    @app.get("/v1/bounties/{bounty_id}/joined", tags=["requester"])
    def joined(bounty_id: BountyPath, token: Token) -> list[Joined]:
        """Who was invited and who came, with names."""
        relay.require_requester(bounty_id, None if token is None else token.credentials)
        return relay.joined(bounty_id)

    @app.get("/v1/bounties/{bounty_id}/files", tags=["requester"])
    def files(bounty_id: BountyPath) -> list[FileEntry]:
        """Which label files are here."""
        return relay.files(bounty_id)

    @app.get(
        "/v1/bounties/{bounty_id}/files/{worker}",
        tags=["requester"],
        response_class=Response,
        responses=_BINARY,
    )
    def file(bounty_id: BountyPath, worker: WorkerPath) -> Response:
        """A label file, which only the requester can open."""
        return Response(relay.file(bounty_id, worker), media_type=_BYTES)

    @app.put(
        "/v1/bounties/{bounty_id}/acknowledgements/{worker}", tags=["requester"], status_code=204
    )
    def acknowledge(bounty_id: BountyPath, worker: WorkerPath, request: Acknowledgement) -> None:
        """Bring the receiver's word that it has a worker's file."""
        relay.put_acknowledgement(bounty_id, worker, request)


def _add_labelers(app: FastAPI, relay: Relay) -> None:
    @app.post("/v1/bounties/{bounty_id}/joins", tags=["labeler"])
    def join(bounty_id: BountyPath, request: JoinRequest) -> JoinState:
        """Ask for seats; again, to see what became of it."""
        return relay.join(bounty_id, request)

    @app.get("/v1/bounties/{bounty_id}/joins/{signer}", tags=["labeler"])
    def join_state(bounty_id: BountyPath, signer: Address) -> JoinState:
        """What became of a signer's wish."""
        return relay.join_state(bounty_id, signer)

    @app.post("/v1/bounties/{bounty_id}/keys", tags=["labeler"])
    def keys(bounty_id: BountyPath, request: KeysRequest) -> Keys:
        """The keys of the items of a worker's run."""
        return relay.keys(bounty_id, request)

    @app.post("/v1/bounties/{bounty_id}/commits", tags=["labeler"])
    def commit(bounty_id: BountyPath, request: CommitRequest) -> CommitState:
        """Give a signed commit, to be posted; again, to see what became of it."""
        return relay.commit(bounty_id, request)

    @app.get("/v1/bounties/{bounty_id}/commits/{worker}", tags=["labeler"])
    def commit_state(bounty_id: BountyPath, worker: WorkerPath) -> CommitState:
        """What became of a worker's commit; the chain decides."""
        return relay.commit_state(bounty_id, worker)

    @app.put(
        "/v1/bounties/{bounty_id}/files/{worker}",
        tags=["labeler"],
        status_code=204,
        openapi_extra=TAKES_BYTES,
    )
    async def put_file(bounty_id: BountyPath, worker: WorkerPath, request: Request) -> None:
        """Hand out labels, once their commit is confirmed."""
        data = await request.body()
        await run_in_threadpool(relay.put_file, bounty_id, worker, data)

    @app.get("/v1/bounties/{bounty_id}/acknowledgements/{worker}", tags=["labeler"])
    def acknowledgement(bounty_id: BountyPath, worker: WorkerPath) -> Acknowledgement:
        """The receiver's word that it has a worker's file."""
        return relay.acknowledgement(bounty_id, worker)


def _add_deposits(app: FastAPI, relay: Relay) -> None:
    @app.put("/v1/bounties/{bounty_id}/deposits/{worker}", tags=["labeler"])
    def deposit(bounty_id: BountyPath, worker: WorkerPath, request: DepositRequest) -> DepositState:
        """Leave a signed commit and a label file with this node, if it watches."""
        return relay.deposits.put(bounty_id, worker, request)

    @app.get("/v1/bounties/{bounty_id}/deposits/{worker}", tags=["labeler"])
    def deposit_state(bounty_id: BountyPath, worker: WorkerPath) -> DepositState:
        """What is here of a worker."""
        return relay.deposits.state(bounty_id, worker)
