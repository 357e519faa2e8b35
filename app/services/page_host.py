# SPDX-License-Identifier: Apache-2.0
"""The label page at this server, beside the app: what links and QR codes lead to."""

from app.services.reading import shared_session
from truthmark.web.hosting import PageHost, relays_of


def page_host() -> PageHost:
    """Return what serves the page; it holds no keys and sees no labels of visitors."""
    return PageHost(
        session=shared_session,
        relays=lambda bounty_id: relays_of(shared_session(), bounty_id),
    )
