# SPDX-License-Identifier: Apache-2.0
"""Forwards questions about the chain for pages: read-only, few, small (docs/relay.md).

A phone has no endpoint of a chain. It asks two servers in different places the same, and acts only
on what both say; so a server that lies here is found out.
"""

import json
import logging
import re
from typing import Any, Final

from truthmark.errors import ChainError, RevertedError
from truthmark.session import Session
from truthmark.web.rates import Rates

log = logging.getLogger(__name__)

MAX_BODY: Final = 64 << 10
MAX_BATCH: Final = 20
BURST: Final = 2_000.0
PER_SECOND: Final = 100.0
"""Questions of one address."""

_MAX_CALL: Final = 4 << 10
_MAX_RANGE: Final = 10_000
"""Blocks whose logs are searched at once."""

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_TAGS: Final = ("latest", "safe", "finalized", "earliest")

_INVALID: Final = -32600
_NO_METHOD: Final = -32601
_BAD_PARAMS: Final = -32602
_UNAVAILABLE: Final = -32000
_REVERTED: Final = 3
_TOO_MANY: Final = -32005


class Forwarder:
    """Answers JSON-RPC.

    Args:
        rates: What one address may ask; the usual if not given.

    Attributes:
        rates: The same.
    """

    def __init__(self, rates: Rates | None = None) -> None:
        """Know nobody."""
        self.rates = rates or Rates(BURST, PER_SECOND)

    def answer(self, session: Session, body: bytes, address: str) -> Any:
        """Return what is answered to a body, as JSON values.

        Args:
            session: Whose endpoints are asked.
            body: One question, or a list of them.
            address: Who asks.
        """
        try:
            asked = json.loads(body) if len(body) <= MAX_BODY else None
        except (ValueError, RecursionError):
            asked = None
        questions = asked if isinstance(asked, list) else [asked]
        if not questions or len(questions) > MAX_BATCH:
            return _problem(None, _INVALID, f"ask 1 to {MAX_BATCH} questions in JSON")
        if not self.rates.spend(address, len(questions)):
            return _problem(None, _TOO_MANY, "asked too often; wait a moment")
        answers = _answers(session, questions)
        return answers if isinstance(asked, list) else answers[0]


def _answers(session: Session, questions: list[Any]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = [{} for _ in questions]
    wanted: list[tuple[int, tuple[str, list[Any]]]] = []
    for place, question in enumerate(questions):
        id_ = _id_of(question)
        try:
            wanted.append((place, _request(question)))
        except _RefusedError as error:
            answers[place] = _problem(id_, error.code, str(error))
    if not wanted:
        return answers
    try:
        results = session.chain.rpc.batch([request for _, request in wanted])
    except RevertedError:
        found = [(place, _REVERTED, "a contract refuses one of these calls") for place, _ in wanted]
    except ChainError as error:
        log.info("a question could not be forwarded: %s", error)  # its text may name an endpoint
        found = [(place, _UNAVAILABLE, "the chain cannot be read just now") for place, _ in wanted]
    else:
        for (place, _), result in zip(wanted, results, strict=True):
            id_ = _id_of(questions[place])
            answers[place] = {"jsonrpc": "2.0", "id": id_, "result": result}
        return answers
    for place, code, text in found:
        answers[place] = _problem(_id_of(questions[place]), code, text)
    return answers


class _RefusedError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def _id_of(question: Any) -> int | str | None:
    found = question.get("id") if isinstance(question, dict) else None
    is_small = isinstance(found, int) and not isinstance(found, bool) and abs(found) < 2**53
    return found if is_small or (isinstance(found, str) and len(found) < 100) else None


def _problem(id_: int | str | None, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": text}}


def _request(question: Any) -> tuple[str, list[Any]]:
    """Return a question that may be forwarded, made again of what was understood of it."""
    if not isinstance(question, dict) or question.get("jsonrpc") != "2.0":
        raise _RefusedError(_INVALID, "this is no question of JSON-RPC 2.0")
    method, params = question.get("method"), question.get("params", [])
    read = _METHODS.get(method) if isinstance(method, str) else None
    if read is None:
        raise _RefusedError(_NO_METHOD, f"only {', '.join(_METHODS)} are forwarded here")
    try:
        return str(method), read(params)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise _RefusedError(_BAD_PARAMS, f"{method} is not forwarded with these values") from None


def _match(pattern: "re.Pattern[str]", value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError
    return value


def _block(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() - {"requireCanonical"} != {"blockHash"}:
            raise ValueError
        return {"blockHash": _match(_HASH, value["blockHash"]), "requireCanonical": True}
    return value if value in _TAGS else _match(_NUMBER, value)


def _nothing(params: Any) -> list[Any]:
    if params != []:
        raise ValueError
    return []


def _call(params: Any) -> list[Any]:
    call, block = params
    if call.keys() != {"to", "data"} or len(call["data"]) > 2 + 2 * _MAX_CALL:
        raise ValueError
    return [
        {"to": _match(_ADDRESS, call["to"]), "data": _match(_DATA, call["data"])},
        _block(block),
    ]


def _by_number(params: Any) -> list[Any]:
    number, full = params
    if isinstance(number, dict) or full is not False:
        raise ValueError
    return [_block(number), False]


def _by_hash(params: Any) -> list[Any]:
    hash_, full = params
    if full is not False:
        raise ValueError
    return [_match(_HASH, hash_), False]


def _transaction(params: Any) -> list[Any]:
    (hash_,) = params
    return [_match(_HASH, hash_)]


def _logs(params: Any) -> list[Any]:
    (wanted,) = params
    if wanted.keys() - {"topics"} == {"address", "blockHash"}:
        place = {"blockHash": _match(_HASH, wanted["blockHash"])}
    elif wanted.keys() - {"topics"} == {"address", "fromBlock", "toBlock"}:
        first, last = (_match(_NUMBER, wanted[name]) for name in ("fromBlock", "toBlock"))
        if not 0 <= int(last, 16) - int(first, 16) < _MAX_RANGE:
            raise ValueError
        place = {"fromBlock": first, "toBlock": last}
    else:
        raise ValueError
    topics = [_topic(topic) for topic in wanted.get("topics", [])]
    if len(topics) > 4:
        raise ValueError
    return [{**place, "address": _match(_ADDRESS, wanted["address"]), "topics": topics}]


def _topic(topic: Any) -> Any:
    if isinstance(topic, list):
        if len(topic) > MAX_BATCH:
            raise ValueError
        return [_match(_HASH, one) for one in topic]
    return None if topic is None else _match(_HASH, topic)


_METHODS: Final = {
    "eth_blockNumber": _nothing,
    "eth_call": _call,
    "eth_chainId": _nothing,
    "eth_getBlockByHash": _by_hash,
    "eth_getBlockByNumber": _by_number,
    "eth_getLogs": _logs,
    "eth_getTransactionByHash": _transaction,
    "eth_getTransactionReceipt": _transaction,
}
