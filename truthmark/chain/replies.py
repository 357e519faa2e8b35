# SPDX-License-Identifier: Apache-2.0
"""What endpoints answer over JSON-RPC: an outcome for each question, and what values are."""

from collections.abc import Sequence
from typing import Any

import orjson

from truthmark.chain.http import BusyError, Endpoint, TooMuchError
from truthmark.chain.node_errors import Kind, Refusal, RpcReplyError, read_error
from truthmark.chain.sheets import Request
from truthmark.errors import (
    ChainError,
    MalformedReplyError,
)


class Missing:
    """Stands for a question that an answer leaves out."""


MISSING = Missing()


def parse_json(data: bytes, endpoint: Endpoint) -> Any:
    """Return what an endpoint's answer says.

    Raises:
        MalformedReplyError: It is not JSON.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedReplyError(
            f"chain endpoint {endpoint.shown} answers with something that is not JSON; "
            "check its address"
        ) from error


def read_outcomes(
    reply: Any, requests: Sequence[Request], first: int, endpoint: Endpoint
) -> list[Any]:
    """Return an outcome for each question, whose ids count up from the first.

    Args:
        reply: Parsed from JSON.
        requests: The questions.
        first: The id of the first.
        endpoint: Which answered.

    Raises:
        BusyError: It wants to be asked later.
        TooMuchError: It takes fewer questions at once.
        MalformedReplyError: It is no answer to these questions.
    """
    if isinstance(reply, dict) and len(requests) > 1:
        raise _refused_whole(reply, endpoint)
    entries = [reply] if isinstance(reply, dict) else reply
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise malformed("answers with something that is not JSON-RPC")
    if len(requests) == 1 and len(entries) == 1 and entries[0].get("id") is None:
        # HTTP pairs answers with questions, so one that forgets the number is clear as well.
        return [_outcome(entries[0], requests[0][0])]
    by_id: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.get("id") is None and entry.get("error") is not None:
            if len(requests) > 1 and len(entries) == 1:
                raise _refused_whole(entry, endpoint)
            continue  # of a question that is missed below
        if by_id.setdefault(str(entry.get("id")), entry) != entry:
            raise malformed("answers one question twice")
    ids = [str(id_) for id_ in range(first, first + len(requests))]
    if not by_id.keys() <= set(ids):
        raise malformed("answers other questions")
    return [
        _outcome(by_id[id_], method) if id_ in by_id else MISSING
        for id_, (method, _) in zip(ids, requests, strict=True)
    ]


def _outcome(entry: dict[str, Any], method: str) -> Any:
    if entry.get("error") is not None:
        return read_error(entry["error"], method)
    if "result" not in entry:
        raise malformed("gives an answer without a result")
    return entry["result"]


def _refused_whole(reply: dict[str, Any], endpoint: Endpoint) -> ChainError:
    """Return what it means that a batch got one answer."""
    if reply.get("error") is None:
        return malformed("answers several questions with one answer")
    refusal = read_error(reply["error"])
    if refusal.kind is Kind.BUSY:
        return BusyError(busy_text(endpoint, refusal), refusal.seconds)
    return TooMuchError(refusal_of(endpoint, refusal))


def hidden_outcomes(body: bytes, requests: Sequence[Request], first: int) -> list[Any] | None:
    """Return the answers in the body of a failed HTTP exchange, if that is what they are."""
    try:
        reply = orjson.loads(body)
        entries = reply if isinstance(reply, list) else [reply]
        by_id = {str(entry["id"]): entry for entry in entries}
        outcomes = [
            read_error(by_id[str(id_)]["error"], method)
            for id_, (method, _) in enumerate(requests, first)
        ]
    except (orjson.JSONDecodeError, MalformedReplyError, KeyError, TypeError):
        return None
    kinds = {outcome.kind for outcome in outcomes}
    return list(outcomes) if kinds <= {Kind.REVERTED, Kind.ANSWER} else None


def refusal_of(endpoint: Endpoint, refusal: Refusal) -> str:
    """Return in a line that an endpoint refuses, and why."""
    return f"chain endpoint {endpoint.shown} refuses: {_words(refusal)}"


def busy_text(endpoint: Endpoint, refusal: Refusal) -> str:
    """Return in a line that an endpoint is busy, and what to do."""
    return (
        f"chain endpoint {endpoint.shown} is busy: {_words(refusal)}; try again later, or add "
        "an endpoint with `truthmark init --rpc URL,URL`"
    )


def _words(refusal: Refusal) -> str:
    error = refusal.error
    return error.node_message if isinstance(error, RpcReplyError) else str(error)


def malformed(what: str) -> MalformedReplyError:
    """Return the error of an endpoint that does what no endpoint should."""
    return MalformedReplyError(f"a chain endpoint {what}; try another one")


def hex_bytes(value: object) -> bytes:
    """Read JSON-RPC's bytes.

    Raises:
        MalformedReplyError: They are not.
    """
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
    except ValueError:
        pass
    raise MalformedReplyError(f"a chain endpoint gives {value!r:.80} for bytes; try another one")


def hex_int(value: object) -> int:
    """Read JSON-RPC's quantity.

    Raises:
        MalformedReplyError: It is not one, or is longer than 256 bits.
    """
    try:
        if isinstance(value, str) and value.startswith("0x") and len(value) <= 66:
            return int(value, 16)
    except ValueError:
        pass
    raise MalformedReplyError(f"a chain endpoint gives {value!r:.80} for a number; try another one")
