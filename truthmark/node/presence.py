# SPDX-License-Identifier: Apache-2.0
"""A node's signed answer to those who ask whether it is there, at `/alive` of its block server.

Sellers ask before they give a share of their key to a validator. The answer is typed data of a kind
of its own, bound to the asker's challenge, so it is worth nothing to anyone else: it is no
transaction, no permit, and no signature from which a key is derived.
"""

import json
import threading
import time
from http import HTTPStatus
from urllib.parse import parse_qs

from truthmark.keys.typed import presence
from truthmark.node.status import Health
from truthmark.session import Signer

ANSWERS_PER_SECOND = 20
"""Signing takes a few milliseconds; anyone who asks more often must not make deliveries late."""


class Presence:
    """Answers for one validator.

    Args:
        signer: The operator's account.
        health: Where nothing is answered while the node does not do its work.
        validator: The validator's address.
        chain_id: The chain of the staking contract.
        staking: The contract in which the validator is registered.
    """

    def __init__(
        self, signer: Signer, health: Health, *, validator: str, chain_id: int, staking: str
    ) -> None:
        """Answer nothing before the node's first good round."""
        self._signer = signer
        self._health = health
        self._validator = validator
        self._chain_id = chain_id
        self._staking = staking
        self._lock = threading.Lock()
        self._second, self._count = 0, 0

    def answer(self, query: str) -> tuple[HTTPStatus, bytes]:
        """Return status and JSON for `validator=0x…&challenge=0x…` (32 bytes)."""
        asked = parse_qs(query, max_num_fields=8)
        validator = asked.get("validator", [""])[0]
        try:
            challenge = bytes.fromhex(asked.get("challenge", [""])[0].removeprefix("0x"))
        except ValueError:
            challenge = b""
        if len(challenge) != 32:
            return _problem(HTTPStatus.BAD_REQUEST, "challenge must be 32 bytes in hexadecimal")
        if validator.lower() != self._validator.lower():
            return _problem(HTTPStatus.NOT_FOUND, "this is another validator's node")
        if not self._health.is_ready:
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "not ready")
        if not self._may_sign():
            return _problem(HTTPStatus.TOO_MANY_REQUESTS, "asked too often; wait a second")
        moment = self._health.chain_time
        signature = self._signer.sign_typed(
            presence(
                chain_id=self._chain_id,
                staking=self._staking,
                validator=self._validator,
                challenge=challenge,
                time=moment,
            )
        )
        body = {"time": moment, "signature": "0x" + signature.hex()}
        return HTTPStatus.OK, json.dumps(body).encode()

    def _may_sign(self) -> bool:
        with self._lock:
            second = int(time.monotonic())
            if second != self._second:
                self._second, self._count = second, 0
            self._count += 1
            return self._count <= ANSWERS_PER_SECOND


def _problem(status: HTTPStatus, text: str) -> tuple[HTTPStatus, bytes]:
    return status, json.dumps({"problem": text}).encode()
