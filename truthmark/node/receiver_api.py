# SPDX-License-Identifier: Apache-2.0
"""A requester's receiver over HTTP: labelers bring files there where the relay is away.

Two of the relay's paths, with its limits: `PUT …/files/{worker}` takes what is committed to on the
chain, and confirmed; `GET …/acknowledgements/{worker}` gives the receiver's signature for it.
"""

from typing import Protocol

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from starlette.concurrency import run_in_threadpool

from truthmark.bounty.relay_models import Acknowledgement
from truthmark.node.relay.api import (
    BURST,
    PER_SECOND,
    PROBLEMS,
    TAKES_BYTES,
    BountyPath,
    WorkerPath,
    add_problems,
)
from truthmark.node.relay.limits import Limits
from truthmark.node.relay.server import AppServer
from truthmark.node.settings import NodeSettings, certificate_of
from truthmark.web.rates import Rates


class Inbox(Protocol):
    """What decides; `ReceiverRole` does."""

    def take_file(self, bounty_id: int, worker: int, data: bytes) -> None:
        """Keep a label file whose commit is final, and sign for it."""

    def acknowledgement(self, bounty_id: int, worker: int) -> bytes:
        """Return the receiver's signature for a worker's labels."""


def create_receiver_app(inbox: Inbox, rates: Rates | None = None) -> FastAPI:
    """Return the receiver as an app.

    Args:
        inbox: What decides.
        rates: What one address may ask; the relay's if not given.
    """
    app = FastAPI(
        title="Truthmark receiver",
        description="Takes label files of a requester's bounties, and signs for them.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses=PROBLEMS,
    )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "PUT"],
        allow_headers=["Content-Type"],
        max_age=86_400,
    )
    app.add_middleware(Limits, rates=rates or Rates(BURST, PER_SECOND))
    add_problems(app)

    @app.put("/v1/bounties/{bounty_id}/files/{worker}", status_code=204, openapi_extra=TAKES_BYTES)
    async def put_file(bounty_id: BountyPath, worker: WorkerPath, request: Request) -> None:
        """Hand out labels, once their commit is confirmed."""
        await run_in_threadpool(inbox.take_file, bounty_id, worker, await request.body())

    @app.get("/v1/bounties/{bounty_id}/acknowledgements/{worker}")
    def acknowledgement(bounty_id: BountyPath, worker: WorkerPath) -> Acknowledgement:
        """The receiver's word that it has a worker's file."""
        return Acknowledgement(signature=inbox.acknowledgement(bounty_id, worker))

    return app


def serve_receiver(inbox: Inbox, settings: NodeSettings) -> AppServer:
    """Answer over HTTP until it is closed.

    Raises:
        ConfigError: The address, or the certificate, cannot be used.
    """
    return AppServer(
        create_receiver_app(inbox),
        host=settings.receiver_host,
        port=settings.receiver_port or 0,
        certificate=certificate_of(settings, "receiver"),
    )
