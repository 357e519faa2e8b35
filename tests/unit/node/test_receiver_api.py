# SPDX-License-Identifier: Apache-2.0
"""A receiver over HTTP: what is refused is said with a status, what is taken was signed for."""

import httpx
import pytest

from tests.utils.bounties import REF
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.sealing import SealedRun
from truthmark.errors import RelayError, RelayUnavailableError, StorageError
from truthmark.keys.curve import multiply
from truthmark.node.receiver_api import create_receiver_app
from truthmark.node.relay.refusals import ConflictError, MissingError
from truthmark.node.relay.server import AppServer
from truthmark.web.rates import Rates

SIGNATURE = b"\x05" * 65
FILE = LabelFile(REF, 3, 1, SealedRun(b"\1" * 32, multiply(7), b"sealed"))


class Inbox:
    """Takes files of worker 3."""

    def __init__(self) -> None:
        self.files: dict[tuple[int, int], bytes] = {}

    def take_file(self, bounty_id: int, worker: int, data: bytes) -> None:
        if worker == 4:
            raise ConflictError("its commit is not confirmed on chain yet")
        if worker == 5:
            raise StorageError("/home/me/secret cannot be written")
        self.files[bounty_id, worker] = data

    def acknowledgement(self, bounty_id: int, worker: int) -> bytes:
        if (bounty_id, worker) not in self.files:
            raise MissingError("nothing is acknowledged")
        return SIGNATURE


def test_receiver__over_http__takes_files_signs_and_refuses() -> None:
    inbox = Inbox()
    server = AppServer(create_receiver_app(inbox), host="127.0.0.1", port=0)
    try:
        with RelayClient(server.url) as client:
            assert client.acknowledgement(REF.bounty_id, 3) is None
            client.put_file(REF.bounty_id, FILE)
            assert inbox.files == {(REF.bounty_id, 3): FILE.to_bytes()}
            assert client.acknowledgement(REF.bounty_id, 3) == SIGNATURE
            early = LabelFile(FILE.ref, 4, 1, FILE.run)
            with pytest.raises(RelayError, match="not confirmed on chain yet") as refused:
                client.put_file(REF.bounty_id, early)
            assert refused.value.status == 409
            with pytest.raises(RelayUnavailableError, match="cannot write just now") as failed:
                client.put_file(REF.bounty_id, LabelFile(FILE.ref, 5, 1, FILE.run))
            assert "secret" not in str(failed.value)
        for method, path in (("GET", "files"), ("GET", "files/3"), ("GET", ""), ("POST", "joins")):
            reply = httpx.request(method, f"{server.url}/v1/bounties/7/{path}")
            assert reply.status_code in (404, 405)  # what came is shown to nobody
        long = b"x" * (6 << 20)
        reply = httpx.put(f"{server.url}/v1/bounties/7/files/3", content=long)
        assert reply.status_code == 413
    finally:
        server.close()


def test_receiver__asked_too_often__refuses() -> None:
    app = create_receiver_app(Inbox(), Rates(5, 0.001))
    server = AppServer(app, host="127.0.0.1", port=0)
    try:
        url = f"{server.url}/v1/bounties/7/acknowledgements/3"
        assert [httpx.get(url).status_code for _ in range(7)][-2:] == [429, 429]
    finally:
        server.close()
