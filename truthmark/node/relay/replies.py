# SPDX-License-Identifier: Apache-2.0
"""Answers of an API in JSON, written in the thread that made them."""

import functools
import inspect
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter


class DirectRoute(APIRoute):
    """A route whose endpoint's answer goes out as its type writes it.

    FastAPI checks what an endpoint returns once more, in a thread of its own, and then writes it:
    a short answer takes half as long again. What is returned here was checked when it was made.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Describe the route by what its endpoint says that it returns."""
        status = options.get("status_code") or HTTPStatus.OK
        super().__init__(path, _writing(endpoint, status), **options)


def _writing(endpoint: Callable[..., Any], status: int) -> Callable[..., Any]:
    """Return an endpoint that answers with JSON; those that give a response do that already."""
    kind = inspect.signature(endpoint).return_annotation
    if inspect.iscoroutinefunction(endpoint) or kind is None or _is_response(kind):
        return endpoint
    adapter = TypeAdapter(kind)

    @functools.wraps(endpoint)
    def written(*args: Any, **kwargs: Any) -> Response:
        text = adapter.dump_json(endpoint(*args, **kwargs))
        return Response(text, status, media_type="application/json")

    return written


def _is_response(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Response)
