# SPDX-License-Identifier: Apache-2.0
"""Notices to requesters, posted as JSON until they arrive or are too old.

A notice is a hint: who gets one asks the relay, or the chain, what is so. Addresses are strangers'
texts, so nothing goes to this machine or its network outside of development chains.
"""

import logging
import threading
import time
from typing import Final

from truthmark.chain.public_http import ERRORS, Lookup, Networks, send_small
from truthmark.node.relay.kept import Notice
from truthmark.node.relay.store import RelayStore

log = logging.getLogger(__name__)

MAX_TRIES: Final = 8
FIRST_WAIT: Final = 15
"""Seconds; doubled after each try, so about an hour in all."""

_PATIENCE: Final = 10.0


class Webhooks:
    """Posts what is due, in a thread of its own.

    Args:
        store: Where notices are.
        private: Which networks may be asked that are not public.
        lookup: Of names; this system's if not given.
    """

    def __init__(
        self, store: RelayStore, *, private: Networks, lookup: Lookup | None = None
    ) -> None:
        """Start nothing yet."""
        self._store = store
        self._private = private
        self._lookup = lookup
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Wait a moment for what is being posted."""
        if self._thread is not None:
            self._thread.join(1.0)

    def post_due(self, now: int) -> None:
        """Post what is due, unless that is going on already.

        Args:
            now: Unix time, of this machine.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        due = self._store.due_notices(now)
        if due:
            self._thread = threading.Thread(
                target=self._post_all, args=(due,), daemon=True, name="webhooks"
            )
            self._thread.start()

    def _post_all(self, due: list[Notice]) -> None:
        for notice in due:
            try:
                self._post(notice)
                self._store.drop_notice(notice.number)
            except ERRORS as error:
                # Not the error's text: the address may hold a token.
                log.info("a notice did not arrive (%s)", type(error).__name__)
                if notice.tries + 1 >= MAX_TRIES:
                    self._store.drop_notice(notice.number)
                else:
                    wait = FIRST_WAIT << notice.tries
                    self._store.delay_notice(notice.number, int(time.time()) + wait)

    def _post(self, notice: Notice) -> None:
        send_small(
            notice.url,
            notice.body.encode(),
            _PATIENCE,
            private=self._private,
            lookup=self._lookup,
        )
