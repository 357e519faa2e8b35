# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC over HTTP with patience, failover and batches of the size that an endpoint takes.

Public endpoints refuse for many reasons that say nothing about the question: too much asked at
once, too often, a machine behind their address that fails or lags. So an error is an answer only
where it says that a contract refused or what is wrong with a transaction; all else is asked again
in smaller pieces, later and elsewhere, within bounds. Sending the same signed transaction twice
has one effect, so every method may be repeated.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from truthmark.chain.http import BusyError, Endpoint, ReplyTooLargeError, TooMuchError
from truthmark.chain.node_errors import Kind, Refusal
from truthmark.chain.replies import (
    MISSING,
    busy_text,
    hex_int,
    hidden_outcomes,
    malformed,
    parse_json,
    read_outcomes,
    refusal_of,
)
from truthmark.chain.sheets import BATCH, Habits, Params, Parse, Request, Sheet
from truthmark.errors import (
    ChainError,
    ChainMismatchError,
    ChainUnavailableError,
    ConfigError,
    MalformedReplyError,
    NodeError,
)
from truthmark.waiting import growing

_T = TypeVar("_T")

PATIENCE_SECONDS = 30.0
"""How long busy endpoints are waited for, in all, before a question is given up."""

_LONGEST_PAUSE = 10.0  # seconds, whatever an endpoint asks for
_DOUBTS = 3  # times that an error of unknown meaning must come before it is believed


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
        self._habits = {endpoint: Habits() for endpoint in self.endpoints}
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
        for start in range(0, len(requests), BATCH):
            part = requests[start : start + BATCH]
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

    def prefer(self, measure: Callable[[Endpoint], int], leeway: int = 0, least: int = 0) -> int:
        """Measure every endpoint that answers, prefer the farthest, and return its figure.

        What no other place comes near is not believed where others agree, or any endpoint could
        have itself preferred by an absurd figure. Where no two agree, the one is preferred that
        claims the least of those that are far enough.

        Args:
            measure: Returns how far an endpoint is.
            leeway: By how much two places that agree may be apart.
            least: How far is far enough.

        Raises:
            ChainUnavailableError: No endpoint answers.
        """
        if len(self.endpoints) == 1:
            return measure(self.endpoints[0])
        found: list[tuple[int, Endpoint]] = []
        failure: ChainError | None = None
        for endpoint in self.endpoints:
            try:
                found.append((measure(endpoint), endpoint))
            except (ChainUnavailableError, MalformedReplyError, NodeError) as error:
                failure = error
        if not found:
            raise failure or ChainUnavailableError("no chain endpoint answers; try again later")
        near = [
            (figure, endpoint)
            for figure, endpoint in found
            if any(
                abs(figure - other) <= leeway and place.place != endpoint.place
                for other, place in found
            )
        ]
        if not near:
            enough = [entry for entry in found if entry[0] >= least]
            near = [min(enough or [max(found, key=_figure)], key=_figure)]
        figure, endpoint = max(near, key=_figure)
        self.put_first(endpoint)
        return figure

    def put_first(self, endpoint: Endpoint) -> None:
        """Prefer an endpoint."""
        self._preferred = self.endpoints.index(endpoint)

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
        sheets = {endpoint: Sheet(requests, parse) for endpoint in endpoints}
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

    def _fill(self, endpoint: Endpoint, sheet: Sheet) -> Exception | None:
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
        self, endpoint: Endpoint, sheet: Sheet, places: Sequence[int], outcomes: Sequence[Any]
    ) -> tuple[Exception | None, bool]:
        """Keep the outcomes; return what ends the turn, and whether to ask for fewer at once."""
        habits, count = self._habits[endpoint], len(places)
        busy: BusyError | None = None
        fewer = False
        for place, outcome in zip(places, outcomes, strict=True):
            kind = outcome.kind if isinstance(outcome, Refusal) else None
            if outcome is MISSING:
                if count == 1:
                    return malformed("answers other questions"), False
                habits.failed(count)
                fewer = True
            elif kind is Kind.TOO_MUCH:
                # Where others are answered it is the range that is too long, not the body.
                if count == 1 or (_is_range(sheet.requests[place]) and not _are_too_much(outcomes)):
                    error = TooMuchError(refusal_of(endpoint, outcome))
                    return self._too_much(error, endpoint, sheet.requests[place]), False
                habits.refused(count)
                fewer = True
            elif kind is Kind.BUSY:
                busy = BusyError(busy_text(endpoint, outcome), outcome.seconds)
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
        if outcome is MISSING:
            raise malformed("answers other questions")
        if isinstance(outcome, Refusal):
            raise BusyError(busy_text(endpoint, outcome), outcome.seconds)
        found = hex_int(outcome)
        if found != self._chain_id:
            raise ChainMismatchError(
                f"endpoint {endpoint.shown} is of chain {found}, the profile means "
                f"{self._chain_id}; choose another endpoint or profile"
            )

    def _exchange(self, endpoint: Endpoint, requests: Sequence[Request]) -> list[Any]:
        """Send one body; return a result, a refusal or `MISSING` for each question.

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
            if (hidden := hidden_outcomes(error.body, requests, first)) is None:
                raise
            return hidden
        return read_outcomes(parse_json(data, endpoint), requests, first, endpoint)


def _are_too_much(outcomes: Sequence[Any]) -> bool:
    return all(isinstance(o, Refusal) and o.kind is Kind.TOO_MUCH for o in outcomes)


def _is_range(request: Request) -> bool:
    """Tell whether a question is for the logs of several blocks, and so can be cut in two."""
    method, params = request
    query = params[0] if method == "eth_getLogs" and params else None
    return isinstance(query, dict) and query.get("fromBlock") != query.get("toBlock")


def _count(sheets: Mapping[Endpoint, Sheet]) -> int:
    return sum(len(sheet.answers) for sheet in sheets.values())


def _figure(entry: tuple[int, Endpoint]) -> int:
    return entry[0]


def _is_damaged(error: Exception) -> bool:
    return isinstance(error, MalformedReplyError)
