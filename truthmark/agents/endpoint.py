# SPDX-License-Identifier: Apache-2.0
"""An HTTP endpoint that labels: one item is posted, one answer comes back.

The body is the item's bytes under its own media type; what is asked stands in the headers
`Label-Bounty`, `Label-Kind` and `Label-Classes` (JSON, percent-encoded).
"""

import json
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import httpx

from truthmark.agents.agent import Agent, Answer, Task
from truthmark.agents.replies import read_text
from truthmark.bounty.items import Item
from truthmark.errors import AgentError
from truthmark.text import one_line
from truthmark.waiting import Deadline

_MAX_REPLY: Final = 64 * 1024
_ATTEMPTS: Final = 3
_PAUSE: Final = 0.5
_SHOWN: Final = 120


class EndpointAgent(Agent):
    """An HTTP endpoint.

    Args:
        url: Where items are posted.
        timeout: Seconds for an item.
    """

    is_shareable = True

    def __init__(self, url: str, *, timeout: float) -> None:
        """Take the address; nothing is sent yet."""
        self._url, self._timeout = url, timeout
        self._client = httpx.Client(timeout=timeout)

    def answer(self, task: Task, items: Sequence[Item]) -> list[Answer]:
        """Post each item; what fails on the way, or at the server's end, is tried again."""
        return [read_text(self._ask(task, item), task.classes) for item in items]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(self, task: Task, item: Item) -> str:
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE * 2**attempt)
            try:
                status, text = self._post(task, item)
            except httpx.HTTPError as error:
                problem = f"does not answer ({one_line(str(error)) or type(error).__name__})"
                continue
            if status < 300:
                return text
            problem = f"answers with status {status}: {one_line(text)[:_SHOWN]}"
            if status < 500 and status != 429:
                break
        raise AgentError(f"{self._url} {problem}; look at the program that serves it")

    def _post(self, task: Task, item: Item) -> tuple[int, str]:
        headers = {
            "Content-Type": item.media.mime,
            "Label-Bounty": str(task.bounty),
            "Label-Kind": task.kind,
            "Label-Classes": quote(json.dumps(task.classes)),
        }
        deadline = Deadline(self._timeout)
        with self._client.stream("POST", self._url, content=item.data, headers=headers) as reply:
            found = bytearray()
            for part in reply.iter_bytes():
                found += part
                # httpx counts its time from byte to byte: a drop a second would last for ever.
                if len(found) > _MAX_REPLY or deadline.is_over:
                    raise AgentError(
                        f"{self._url} replies too much or too slowly; reply with the answer alone"
                    )
        return reply.status_code, found.decode("utf-8", "replace")
