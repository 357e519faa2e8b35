# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC over HTTP with patience, failover and batches of the size that an endpoint takes.

Public endpoints refuse for many reasons that say nothing about the question: too much asked at
once, too often, a machine behind their address that fails or lags. So an error is an answer only
where it says that a contract refused or what is wrong with a transaction; all else is asked again
in smaller pieces, later and elsewhere, within bounds. Sending the same signed transaction twice
has one effect, so every method may be repeated.
"""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from truthmark.chain.http import BusyError, Endpoint, ReplyTooLargeError, TooMuchError
from truthmark.chain.node_errors import Kind, Refusal, RpcReplyError, read_error
from truthmark.errors import (
    ChainError,
    ChainMismatchError,
    ChainUnavailableError,
    ConfigError,
    MalformedReplyError,
    NodeError,
)
from truthmark.waiting import growing

Params = Sequence[object]
Request = tuple[str, Params]
Parse = Callable[[Any], Any]
_T = TypeVar("_T")

PATIENCE_SECONDS = 30.0
"""How long busy endpoints are waited for, in all, before a question is given up."""

_BATCH = 100  # requests in one HTTP body; several providers refuse more
_LONGEST_PAUSE = 10.0  # seconds, whatever an endpoint asks for
_DOUBTS = 3  # times that an error of unknown meaning must come before it is believed


@dataclass
class _Habits:
    """What this session has learnt of an endpoint.

    Attributes:
        most: Questions that it takes in one body; halved whenever it refuses so many.
        batch: Questions to put into one body now: fewer while there is trouble.
        worked_in_a_row: Bodies of this size that were answered.
        grows_after: How many of them it takes to try longer ones.
        busy_until: When it may be asked again, by the client's clock.
        busy_in_a_row: Bodies that it did not want to read just now.
    """

    most: int = _BATCH
    batch: int = _BATCH
    worked_in_a_row: int = 0
    grows_after: int = 8
    busy_until: float = 0.0
    busy_in_a_row: int = 0

    def refused(self, count: int) -> None:
        """Note that so many questions are too many."""
        self.most = max(1, min(self.most, count // 2))
        self.batch = min(self.batch, self.most)

    def failed(self, count: int) -> None:
        """Note that a body got no proper answer, which may have been too long a one."""
        if count > 1:
            self.batch = max(1, min(self.batch, count // 2))
            # It may be so for ever: the wall is not run into each time round.
            self.grows_after = min(2 * self.grows_after, 10_000)
            self.worked_in_a_row = 0

    def worked(self, count: int) -> None:
        """Note that a body was answered."""
        self.busy_in_a_row = 0
        self.worked_in_a_row += count >= self.batch
        if self.worked_in_a_row >= self.grows_after:
            self.batch = min(2 * self.batch, self.most)
            self.worked_in_a_row = 0


@dataclass
class _Sheet:
    """What one endpoint has answered to questions that belong together.

    Attributes:
        requests: The questions.
        parse: Makes of a result what is wanted, or refuses it with MalformedReplyError.
        answers: By place: what was made of a result, or an error that counts as an answer.
        unable: Errors that say that this endpoint cannot tell.
        doubts: Errors of unknown meaning, and results that cannot be used.
        tries: How often each of these came.
    """

    requests: Sequence[Request]
    parse: Parse | None
    answers: dict[int, Any] = field(default_factory=dict)
    unable: dict[int, Exception] = field(default_factory=dict)
    doubts: dict[int, Exception] = field(default_factory=dict)
    tries: Counter[int] = field(default_factory=Counter)

    @property
    def is_answered(self) -> bool:
        """Whether there is nothing left to ask or to doubt."""
        return len(self.answers) == len(self.requests)

    @property
    def is_believable(self) -> bool:
        """Whether there is at least an error for every question."""
        return len(self.answers | self.unable | self.doubts) == len(self.requests)

    @property
    def least_tries(self) -> float:
        """How often every doubt came; infinite where there is none."""
        return min((self.tries[place] for place in self.doubts), default=math.inf)

    def open(self) -> list[int]:
        """Return the places that this endpoint may still be asked for."""
        done = self.answers.keys() | self.unable.keys()
        return [place for place in range(len(self.requests)) if place not in done]

    def outcomes(self) -> list[Any]:
        """Return what is known, in the order of the questions."""
        known = self.doubts | self.unable | self.answers
        return [known[place] for place in range(len(self.requests))]

    def note(self, place: int, outcome: Any) -> None:
        """Take a result, or the refusal of one that is worth keeping."""
        self.doubts.pop(place, None)
        self.tries[place] += 1
        if not isinstance(outcome, Refusal):
            try:
                self.answers[place] = self.parse(outcome) if self.parse else outcome
            except MalformedReplyError as error:
                self.doubts[place] = error
        elif outcome.kind in (Kind.REVERTED, Kind.ANSWER):
            self.answers[place] = outcome.error
        elif outcome.kind is Kind.UNABLE:
            self.unable[place] = outcome.error
        else:
            self.doubts[place] = outcome.error


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
        verify: Callable[[Endpoint], None] | None = None,
        timeout: float = 20.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the endpoints.

        Args:
            urls: At least one, the preferred one first.
            chain_id: What each endpoint must report before it is asked anything else.
            verify: Called with each endpoint before its first use; raises if it must not be used.
            timeout: Seconds to wait for one answer.
            attempts: Rounds over all endpoints before giving up those that do not answer.
            sleep: Waits for so many seconds.
            clock: Tells seconds.

        Raises:
            ConfigError: There is no endpoint, or one that is not of HTTP.
        """
        if not urls:
            raise ConfigError("no chain endpoint is set; name one with `truthmark init --rpc URL`")
        self.endpoints = tuple(Endpoint(url, timeout) for url in urls)
        self._chain_id = chain_id
        self._verify = verify
        self._checked: set[Endpoint] = set()
        self._habits = {endpoint: _Habits() for endpoint in self.endpoints}
        self._checking = threading.RLock()
        self._in_check: Endpoint | None = None
        self._attempts = attempts
        self._sleep = sleep
        self._clock = clock
        self._preferred = 0
        self._lock = threading.Lock()
        self._last_id = 0

    @property
    def preferred(self) -> Endpoint:
        """The endpoint that is asked first."""
        return self.endpoints[self._preferred]

    @property
    def url(self) -> str:
        """Address of the endpoint that is asked first, without a key in its path."""
        return self.preferred.shown

    def others(self) -> list[Endpoint]:
        """Return the endpoints in other places than the one that is asked first."""
        place = self.endpoints[self._preferred].place
        return [endpoint for endpoint in self.endpoints if endpoint.place != place]

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

    def batch(
        self, requests: Sequence[Request], *, endpoint: Endpoint | None = None, attempts: int = 0
    ) -> list[Any]:
        """Ask several questions in few HTTP bodies and return the results in their order.

        Args:
            requests: Methods with their parameters.
            endpoint: Ask only this one.
            attempts: Rounds before giving up, if not the usual number.

        Raises:
            NodeError: The node answered one of them with an error.
            RevertedError: A contract refused one of them.
            ChainUnavailableError: No endpoint answered.
        """
        results = []
        for outcome in self.batch_outcomes(requests, endpoint=endpoint, attempts=attempts):
            if isinstance(outcome, Exception):
                raise outcome
            results.append(outcome)
        return results

    def batch_outcomes(
        self, requests: Sequence[Request], *, endpoint: Endpoint | None = None, attempts: int = 0
    ) -> list[Any]:
        """Do as `batch`, but return a node's error in the place of the result it prevented."""
        outcomes: list[Any] = []
        for start in range(0, len(requests), _BATCH):
            part = requests[start : start + _BATCH]
            outcomes += self._ask(part, None, endpoint, attempts)
        return outcomes

    def parsed(
        self,
        method: str,
        params: Params,
        parse: Callable[[Any], _T],
        *,
        attempts: int = 0,
        endpoint: Endpoint | None = None,
    ) -> _T:
        """Ask one question and return what `parse` makes of its result.

        A result that `parse` refuses with MalformedReplyError counts as a fault of the endpoint:
        the question is asked again and elsewhere.

        Args:
            method: Such as "eth_getLogs".
            params: As JSON-RPC has them.
            parse: Takes the `result`.
            attempts: Rounds over all endpoints, if not the usual number.
            endpoint: Ask only this one.

        Raises:
            NodeError: The node answered with an error.
            TooMuchError: It is a question about logs, and no endpoint gives so many at once.
            ChainUnavailableError: No endpoint gave an answer that could be used.
        """
        outcome = self._ask([(method, params)], parse, endpoint, attempts)[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome  # type: ignore[no-any-return]

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

    def pass_over(self) -> None:
        """Prefer the endpoint after the one that is preferred now."""
        self._preferred = (self._preferred + 1) % len(self.endpoints)

    # ------------------------------------------------------------------ turns over the endpoints

    def _ask(
        self,
        requests: Sequence[Request],
        parse: Parse | None,
        only: Endpoint | None,
        attempts: int = 0,
    ) -> list[Any]:
        """Return an outcome for each question; all of them are of one endpoint."""
        endpoints = self.endpoints if only is None else (only,)
        sheets = {endpoint: _Sheet(requests, parse) for endpoint in endpoints}
        is_range = len(requests) == 1 and _is_range(requests[0])
        attempts = attempts or self._attempts
        patience = PATIENCE_SECONDS if attempts > 1 else 0.0
        doubts = 1 if is_range else min(_DOUBTS, attempts)
        idle, left = 0, patience
        while True:
            sizes, got = self._sizes(endpoints), _count(sheets)
            troubles: list[Exception] = []
            for endpoint in self._in_order(endpoints):
                sheet = sheets[endpoint]
                trouble = self._fill(endpoint, sheet)
                if sheet.is_answered:
                    if only is None:
                        self._preferred = self.endpoints.index(endpoint)
                    return sheet.outcomes()
                if trouble is not None:
                    troubles.append(trouble)
            busy = [error for error in troubles if isinstance(error, BusyError)]
            if _count(sheets) > got:  # it gets on, so patience begins again
                idle, left = 0, patience
            if self._sizes(endpoints) >= sizes or not any(map(_is_damaged, troubles)):
                idle += 1  # else it may have been a way of saying that it was too much
            known = [s for s in sheets.values() if s.is_believable and s.least_tries >= doubts]
            if known and (not busy or idle >= doubts):
                return known[0].outcomes()
            if too_much := [error for error in troubles if isinstance(error, TooMuchError)]:
                raise too_much[0]
            pause = self._pause(idle, endpoints if busy else ())
            left -= pause if busy else 0.0
            if left < 0 or (not busy and idle >= attempts):
                raise (busy or troubles)[0]
            self._sleep(pause)

    def _sizes(self, endpoints: Sequence[Endpoint]) -> int:
        return sum(self._habits[endpoint].batch for endpoint in endpoints)

    def _in_order(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """Return the endpoints from the preferred one on, those that asked for a pause last."""
        first = self._preferred if len(endpoints) > 1 else 0
        turned = [*endpoints[first:], *endpoints[:first]]
        now = self._clock()
        return sorted(turned, key=lambda endpoint: self._habits[endpoint].busy_until > now)

    def _pause(self, idle: int, busy: Sequence[Endpoint]) -> float:
        """Return for how many seconds to wait before the next turn."""
        longest = growing(0.25, idle, 5.0)
        if not busy:
            return random.uniform(0.0, longest)  # noqa: S311 - spreads clients, keeps no secret
        asked = min(self._habits[endpoint].busy_until for endpoint in busy) - self._clock()
        return min(max(asked, random.uniform(longest / 2, longest)), _LONGEST_PAUSE)  # noqa: S311

    # ------------------------------------------------------------------ one endpoint

    def _fill(self, endpoint: Endpoint, sheet: _Sheet) -> Exception | None:
        """Ask an endpoint what it has not answered yet; return what stood in the way, if not all.

        Each time round either more is answered or fewer are asked at once.
        """
        habits = self._habits[endpoint]
        doubted: set[int] = set()
        while places := [p for p in sheet.open() if p not in doubted][: habits.batch]:
            count = len(places)
            requests = [sheet.requests[place] for place in places]
            try:
                self._check_chain(endpoint)
                outcomes = self._exchange(endpoint, requests)
            except TooMuchError as error:
                if count == 1:
                    return self._too_much(error, endpoint, requests[0])
                habits.refused(count)
                continue
            except BusyError as error:
                return self._note_busy(error, endpoint, count)
            except (ChainUnavailableError, MalformedReplyError) as error:
                habits.failed(count)
                return error
            trouble, fewer = self._note(endpoint, sheet, places, outcomes)
            if trouble is not None:
                return trouble
            if fewer:
                continue
            habits.worked(count)
            doubted |= sheet.doubts.keys() & set(places)
        return next(iter((sheet.doubts | sheet.unable).values()), None)

    def _note(
        self, endpoint: Endpoint, sheet: _Sheet, places: Sequence[int], outcomes: Sequence[Any]
    ) -> tuple[Exception | None, bool]:
        """Keep the outcomes; return what ends the turn, and whether to ask for fewer at once."""
        habits, count = self._habits[endpoint], len(places)
        busy: BusyError | None = None
        fewer = False
        for place, outcome in zip(places, outcomes, strict=True):
            kind = outcome.kind if isinstance(outcome, Refusal) else None
            if outcome is _MISSING:
                if count == 1:
                    return _malformed("answers other questions"), False
                habits.failed(count)
                fewer = True
            elif kind is Kind.TOO_MUCH:
                if count == 1:
                    error = TooMuchError(_says(endpoint, outcome))
                    return self._too_much(error, endpoint, sheet.requests[place]), False
                habits.refused(count)
                fewer = True
            elif kind is Kind.BUSY:
                busy = BusyError(_is_busy(endpoint, outcome), outcome.seconds)
            else:
                sheet.note(place, outcome)
        return (self._note_busy(busy, endpoint, count) if busy else None), fewer

    def _note_busy(self, error: BusyError, endpoint: Endpoint, count: int) -> BusyError:
        habits = self._habits[endpoint]
        habits.busy_until = self._clock() + min(error.seconds, _LONGEST_PAUSE)
        habits.busy_in_a_row += 1
        if habits.busy_in_a_row > 1:  # it may count questions, and let fewer of them pass
            habits.failed(count)
        return error

    def _too_much(self, error: TooMuchError, endpoint: Endpoint, request: Request) -> Exception:
        """Return what it means that a single question is too much."""
        if isinstance(error, ReplyTooLargeError):
            raise error  # by our own measure: it would be so elsewhere
        if _is_range(request):
            return error
        # There is nothing to ask less of, so it means a rate, or a time that was too short.
        return self._note_busy(BusyError(f"{error}; try again later"), endpoint, 1)

    def _check_chain(self, endpoint: Endpoint) -> None:
        """Refuse an endpoint of another chain; a failover must not lead there unseen."""
        if endpoint in self._checked:
            return
        with self._checking:
            if endpoint in self._checked or endpoint is self._in_check:
                return  # the check itself asks questions
            self._in_check = endpoint
            try:
                self._require_chain_id(endpoint)
                if self._verify is not None:
                    self._verify(endpoint)
            finally:
                self._in_check = None
            self._checked.add(endpoint)

    def _require_chain_id(self, endpoint: Endpoint) -> None:
        if self._chain_id is None:
            return
        outcome = self._exchange(endpoint, [("eth_chainId", ())])[0]
        if outcome is _MISSING:
            raise _malformed("answers other questions")
        if isinstance(outcome, Refusal):
            raise BusyError(_is_busy(endpoint, outcome), outcome.seconds)
        found = hex_int(outcome)
        if found != self._chain_id:
            raise ChainMismatchError(
                f"endpoint {endpoint.shown} is of chain {found}, the profile means "
                f"{self._chain_id}; choose another endpoint or profile"
            )

    def _exchange(self, endpoint: Endpoint, requests: Sequence[Request]) -> list[Any]:
        """Send one body; return a result, a refusal or `_MISSING` for each question.

        Raises:
            TooMuchError: The body was refused as a whole, and not because there are too many.
            BusyError: It was refused for now.
            ChainUnavailableError: There is no answer.
            MalformedReplyError: The answer is not JSON-RPC.
        """
        with self._lock:
            first = self._last_id + 1
            self._last_id += len(requests)
        bodies = [
            {"jsonrpc": "2.0", "id": id_, "method": method, "params": list(params)}
            for id_, (method, params) in enumerate(requests, first)
        ]
        # A single question is not wrapped in a list: some endpoints take no batches at all.
        body = orjson.dumps(bodies[0] if len(bodies) == 1 else bodies)
        try:
            data = endpoint.post(body)
        except BusyError as error:
            # Some gateways send what a contract says with a status of their own.
            if (hidden := _hidden_answer(error.body, requests, first)) is None:
                raise
            return hidden
        return _read(_parse(data, endpoint), requests, first, endpoint)


class _Missing:
    """Stands for a question that an answer leaves out."""


_MISSING = _Missing()


def _is_range(request: Request) -> bool:
    """Tell whether a question is for the logs of several blocks, and so can be cut in two."""
    method, params = request
    query = params[0] if method == "eth_getLogs" and params else None
    return isinstance(query, dict) and query.get("fromBlock") != query.get("toBlock")


def _count(sheets: Mapping[Endpoint, _Sheet]) -> int:
    return sum(len(sheet.answers) for sheet in sheets.values())


def _is_damaged(error: Exception) -> bool:
    return isinstance(error, MalformedReplyError)


def _parse(data: bytes, endpoint: Endpoint) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedReplyError(
            f"chain endpoint {endpoint.shown} answers with something that is not JSON; "
            "check its address"
        ) from error


def _read(reply: Any, requests: Sequence[Request], first: int, endpoint: Endpoint) -> list[Any]:
    """Return an outcome for each question, whose ids count up from the first."""
    if isinstance(reply, dict) and len(requests) > 1:
        raise _refused_whole(reply, endpoint)
    entries = [reply] if isinstance(reply, dict) else reply
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _malformed("answers with something that is not JSON-RPC")
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
            raise _malformed("answers one question twice")
    ids = [str(id_) for id_ in range(first, first + len(requests))]
    if not by_id.keys() <= set(ids):
        raise _malformed("answers other questions")
    return [
        _outcome(by_id[id_], method) if id_ in by_id else _MISSING
        for id_, (method, _) in zip(ids, requests, strict=True)
    ]


def _outcome(entry: dict[str, Any], method: str) -> Any:
    if entry.get("error") is not None:
        return read_error(entry["error"], method)
    if "result" not in entry:
        raise _malformed("gives an answer without a result")
    return entry["result"]


def _refused_whole(reply: dict[str, Any], endpoint: Endpoint) -> ChainError:
    """Return what it means that a batch got one answer."""
    if reply.get("error") is None:
        return _malformed("answers several questions with one answer")
    refusal = read_error(reply["error"])
    if refusal.kind is Kind.BUSY:
        return BusyError(_is_busy(endpoint, refusal), refusal.seconds)
    return TooMuchError(_says(endpoint, refusal))


def _hidden_answer(body: bytes, requests: Sequence[Request], first: int) -> list[Any] | None:
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


def _says(endpoint: Endpoint, refusal: Refusal) -> str:
    return f"chain endpoint {endpoint.shown} refuses: {_words(refusal)}"


def _is_busy(endpoint: Endpoint, refusal: Refusal) -> str:
    return (
        f"chain endpoint {endpoint.shown} is busy: {_words(refusal)}; try again later, or add "
        "an endpoint with `truthmark init --rpc URL,URL`"
    )


def _words(refusal: Refusal) -> str:
    error = refusal.error
    return error.node_message if isinstance(error, RpcReplyError) else str(error)


def _malformed(what: str) -> MalformedReplyError:
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
