# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC over HTTP with retries and failover.

Only faults of transport are retried (no connection, a timeout, a server too busy, bytes that are
no JSON-RPC answer): they say nothing about the question. An error that a node gives as its answer
is an answer. Sending the same signed transaction twice has one effect, so every method may be
retried.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from truthmark.chain.http import Endpoint, ReplyTooLargeError
from truthmark.errors import (
    ChainError,
    ChainMismatchError,
    ChainUnavailableError,
    ConfigError,
    MalformedReplyError,
    NodeError,
    RevertedError,
)

Params = Sequence[object]
Request = tuple[str, Params]
_T = TypeVar("_T")

_BATCH = 100  # requests in one HTTP body; several providers refuse more
_BUSY_CODES = frozenset({429, -32005})  # "limit exceeded" as an answer of its own


class RpcReplyError(NodeError):
    """The error object of a JSON-RPC answer.

    Attributes:
        code: As the node gave it.
        data: Revert data as 0x text, or None.
    """

    def __init__(self, message: str, code: int = 0, data: str | None = None) -> None:
        """Keep what the node said."""
        super().__init__(f"the chain's node refuses: {message}")
        self.node_message = message
        self.code = code
        self.data = data


class RpcClient:
    """Asks the endpoints of a chain, the preferred one first.

    An endpoint that failed is left for the next one, which then stays preferred, so that
    questions that belong together go to the same place while it works.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        chain_id: int | None = None,
        timeout: float = 20.0,
        attempts: int = 5,
    ) -> None:
        """Prepare the endpoints.

        Args:
            urls: At least one, the preferred one first.
            chain_id: What each endpoint must report before it is asked anything else.
            timeout: Seconds to wait for one answer.
            attempts: Rounds over all endpoints before giving up.

        Raises:
            ConfigError: There is no endpoint, or one that is not of HTTP.
        """
        if not urls:
            raise ConfigError(
                'no chain endpoint is set; put `rpc = ["https://…"]` into config.toml'
            )
        self.endpoints = tuple(Endpoint(url, timeout) for url in urls)
        self._chain_id = chain_id
        self._checked: set[Endpoint] = set()
        self._attempts = attempts
        self._preferred = 0
        self._lock = threading.Lock()
        self._last_id = 0

    @property
    def url(self) -> str:
        """Address of the endpoint that is asked first, without a key in its path."""
        return self.endpoints[self._preferred].shown

    def call(self, method: str, *params: object, endpoint: Endpoint | None = None) -> Any:
        """Ask one question and return the answer's `result`.

        Args:
            method: Such as "eth_call".
            params: As JSON-RPC has them.
            endpoint: Ask only this one.

        Raises:
            NodeError: The node answered with an error.
            RevertedError: The node says that a contract refused.
            ChainUnavailableError: No endpoint answered.
        """
        return self.batch([(method, params)], endpoint=endpoint)[0]

    def batch(self, requests: Sequence[Request], *, endpoint: Endpoint | None = None) -> list[Any]:
        """Ask several questions in few HTTP bodies and return the results in their order.

        Raises:
            NodeError: The node answered one of them with an error.
            RevertedError: A contract refused one of them.
            ChainUnavailableError: No endpoint answered.
        """
        results = []
        for outcome in self.batch_outcomes(requests, endpoint=endpoint):
            if isinstance(outcome, Exception):
                raise outcome
            results.append(outcome)
        return results

    def batch_outcomes(
        self, requests: Sequence[Request], *, endpoint: Endpoint | None = None
    ) -> list[Any]:
        """Do as `batch`, but return a node's error in the place of the result it prevented."""
        outcomes: list[Any] = []
        for start in range(0, len(requests), _BATCH):
            part = requests[start : start + _BATCH]
            outcomes += self._ask(part, lambda reply, ids: _read(reply, ids), endpoint)
        return outcomes

    def parsed(
        self, method: str, params: Params, parse: Callable[[Any], _T], *, attempts: int = 0
    ) -> _T:
        """Ask one question and return what `parse` makes of its result.

        A result that `parse` refuses with MalformedReplyError counts as a fault of the endpoint:
        the question is asked again and elsewhere.

        Args:
            method: Such as "eth_getLogs".
            params: As JSON-RPC has them.
            parse: Takes the `result`.
            attempts: Rounds over all endpoints, if not the usual number.

        Raises:
            NodeError: The node answered with an error.
            ChainUnavailableError: No endpoint gave an answer that could be used.
        """

        def read(reply: Any, ids: Sequence[int]) -> list[_T]:
            outcome = _read(reply, ids)[0]
            if isinstance(outcome, Exception):
                raise outcome
            return [parse(outcome)]

        return self._ask([(method, params)], read, None, attempts)[0]

    def prefer(self, measure: Callable[[Endpoint], int]) -> int:
        """Measure every endpoint that answers, prefer the highest, and return its figure.

        Raises:
            ChainUnavailableError: No endpoint answers.
        """
        if len(self.endpoints) == 1:
            return measure(self.endpoints[0])
        best: tuple[int, int] | None = None
        failure: ChainError | None = None
        for index, endpoint in enumerate(self.endpoints):
            try:
                figure = measure(endpoint)
            except (ChainUnavailableError, MalformedReplyError, NodeError) as error:
                failure = error
                continue
            if best is None or figure > best[0]:
                best = figure, index
        if best is None:
            raise failure or ChainUnavailableError("no chain endpoint answers; try again later")
        self._preferred = best[1]
        return best[0]

    def _ask(
        self,
        requests: Sequence[Request],
        read: Callable[[Any, Sequence[int]], list[_T]],
        only: Endpoint | None,
        attempts: int = 0,
    ) -> list[_T]:
        with self._lock:
            first = self._last_id + 1
            self._last_id += len(requests)
        ids = range(first, first + len(requests))
        bodies = [
            {"jsonrpc": "2.0", "id": id_, "method": method, "params": list(params)}
            for id_, (method, params) in zip(ids, requests, strict=True)
        ]
        # A single question is not wrapped in a list: some endpoints take no batches at all.
        body = orjson.dumps(bodies[0] if len(bodies) == 1 else bodies)
        retrying = Retrying(
            retry=retry_if_exception(_is_fault),
            stop=stop_after_attempt(attempts or self._attempts),
            wait=wait_random_exponential(multiplier=0.25, max=5.0),
            reraise=True,
        )
        return retrying(self._round, body, ids, read, only)

    def _round(
        self,
        body: bytes,
        ids: Sequence[int],
        read: Callable[[Any, Sequence[int]], list[_T]],
        only: Endpoint | None,
    ) -> list[_T]:
        """Try each endpoint once, from the preferred one on."""
        if only is not None:
            self._check_chain(only)
            return read(_parse(only.post(body), only.shown), ids)
        first = self._preferred
        failure: Exception | None = None
        for step in range(len(self.endpoints)):
            index = (first + step) % len(self.endpoints)
            endpoint = self.endpoints[index]
            try:
                self._check_chain(endpoint)
                answer = read(_parse(endpoint.post(body), endpoint.shown), ids)
            except (ChainUnavailableError, MalformedReplyError) as error:
                if not _is_fault(error):
                    raise
                failure = failure or error
            else:
                self._preferred = index
                return answer
        assert failure is not None  # there is at least one endpoint
        raise failure

    def _check_chain(self, endpoint: Endpoint) -> None:
        """Refuse an endpoint of another chain; a failover must not lead there unseen."""
        if self._chain_id is None or endpoint in self._checked:
            return
        body = orjson.dumps({"jsonrpc": "2.0", "id": 0, "method": "eth_chainId", "params": []})
        outcome = _read(_parse(endpoint.post(body), endpoint.shown), (0,))[0]
        if isinstance(outcome, Exception):
            raise outcome
        found = hex_int(outcome)
        if found != self._chain_id:
            raise ChainMismatchError(
                f"endpoint {endpoint.shown} is of chain {found}, the profile means "
                f"{self._chain_id}; choose another endpoint or profile"
            )
        self._checked.add(endpoint)


def _is_fault(error: BaseException) -> bool:
    """Tell whether asking again may help."""
    faults = isinstance(error, (ChainUnavailableError, MalformedReplyError))
    return faults and not isinstance(error, ReplyTooLargeError)


def _parse(data: bytes, url: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedReplyError(
            f"chain endpoint {url} answers with something that is not JSON; check its address"
        ) from error


def _read(reply: Any, ids: Sequence[int]) -> list[Any]:
    """Return results, and errors in place of results, in the order of the ids."""
    if len(ids) == 1 and isinstance(reply, dict):
        reply = [reply]
    elif isinstance(reply, dict) and isinstance(reply.get("error"), dict):
        raise _node_error(reply["error"])  # a batch refused as a whole
    if not isinstance(reply, list):
        raise MalformedReplyError("a chain endpoint's answer is not JSON-RPC; try another one")
    by_id: dict[Any, Any] = {}
    for entry in reply:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
            raise MalformedReplyError("a chain endpoint's answer is not JSON-RPC; try another one")
        by_id[entry["id"]] = entry
    if set(by_id) != set(ids):
        raise MalformedReplyError("a chain endpoint answers other questions; try another one")
    return [_outcome(by_id[id_]) for id_ in ids]


def _outcome(entry: dict[str, Any]) -> Any:
    if entry.get("error") is not None:
        error = entry["error"]
        if not isinstance(error, dict):
            raise MalformedReplyError("a chain endpoint's error is not JSON-RPC; try another one")
        return _node_error(error)
    if "result" not in entry:
        raise MalformedReplyError("a chain endpoint's answer has no result; try another one")
    return entry["result"]


def _node_error(error: dict[str, Any]) -> Exception:
    code = error.get("code")
    code = code if isinstance(code, int) else 0
    message = _one_line(str(error.get("message", "no reason given"))[:500])
    if code in _BUSY_CODES and "limit" in message and "rate" in message:
        raise ChainUnavailableError(f"a chain endpoint is busy: {message}")
    data = error.get("data")
    if isinstance(data, dict):  # some nodes wrap it once more
        data = data.get("data")
    data = data if isinstance(data, str) and data.startswith("0x") else None
    if code == 3 or "revert" in message.lower():
        return RevertedError(revert_reason(data, message))
    return RpcReplyError(message, code, data)


def revert_reason(data: str | None, message: str = "") -> str:
    """Return the contract's own words from revert data, or say that it gave none.

    Args:
        data: 0x text: `Error(string)`, `Panic(uint256)`, something else, or nothing.
        message: What the node said, used where there is no data.
    """
    try:
        raw = bytes.fromhex((data or "0x")[2:])
    except ValueError:
        raw = b""
    if raw[:4] == b"\x08\xc3\x79\xa0" and len(raw) >= 68:
        length = int.from_bytes(raw[36:68], "big")
        return _one_line(raw[68 : 68 + min(length, 1024)].decode(errors="replace"))
    if raw[:4] == b"\x4e\x48\x7b\x71" and len(raw) >= 36:
        return f"panic {int.from_bytes(raw[4:36], 'big'):#04x} in the contract"
    if raw:
        return f"the contract refuses with unknown data 0x{raw[:36].hex()}"
    _, _, words = message.partition("execution reverted: ")
    return _one_line(words) or "the contract refuses and gives no reason"


def _one_line(text: str) -> str:
    """Keep what strangers say from breaking lines or steering a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


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
