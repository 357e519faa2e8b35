# SPDX-License-Identifier: Apache-2.0
"""A process that sends payments through a journal, to be killed while it does.

    python -m tests.utils.sender PROFILE_JSON FOLDER FIRST LAST [KILL_AT]

Pays 1 unit to each of the recipients FIRST ≤ i < LAST, each under a key of its own. With KILL_AT
it kills itself at that point, on which see `POINTS`.
"""

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.utils.token_chain import account, recipient
from truthmark.chain import journal as journal_module
from truthmark.chain.connection import connect_chain
from truthmark.chain.journal import Journal
from truthmark.chain.journal_store import JournalStore
from truthmark.config.profile import ChainProfile
from truthmark.errors import ChainError

POINTS: dict[str, tuple[Any, str, bool]] = {
    "before the intent is written": (JournalStore, "add", False),
    "after the intent is written": (JournalStore, "add", True),
    "before the signed bytes are kept": (JournalStore, "add_attempt", False),
    "after the signed bytes are kept": (JournalStore, "add_attempt", True),
    "before the broadcast": (Journal, "_broadcast", False),
    "after the broadcast": (Journal, "_broadcast", True),
    "before the receipt is kept": (JournalStore, "finish", False),
    "after the receipt is kept": (JournalStore, "finish", True),
}


def kill_at(owner: Any, name: str, after: bool, *, time: int = 1) -> None:
    """Let this process die before, or after, a function is called the `time`-th time."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = itertools.count(1)

    def fatal(*args: Any, **kwargs: Any) -> Any:
        if next(calls) < time:
            return original(*args, **kwargs)
        if after:
            original(*args, **kwargs)
        return os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, fatal)


def intents(chain: Any, first: int, last: int) -> list[journal_module.Intent]:
    transfer = chain.token.functions.transfer
    return [transfer(recipient(i), 1).intent(f"pay:{i}") for i in range(first, last)]


def main(profile: str, folder: str, first: str, last: str, point: str = "") -> None:
    chain = connect_chain(ChainProfile.from_dict(json.loads(Path(profile).read_text())), timeout=5)
    journal = Journal(chain, account(0), Path(folder), timeout=300)
    if point:
        kill_at(*POINTS[point])
    for intent in intents(chain, int(first), int(last)):
        while True:
            try:
                journal.submit(intent)
                break
            except ChainError as error:
                print(error, file=sys.stderr)
    for intent in intents(chain, int(first), int(last)):
        journal.wait(intent.key)


if __name__ == "__main__":
    main(*sys.argv[1:])
