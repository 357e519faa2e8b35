# SPDX-License-Identifier: Apache-2.0
"""Bounties that only have to be there."""

from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.terms import Terms
from truthmark.keys.curve import multiply
from truthmark.session import Session
from truthmark.testing.network import role_address


def post_team(session: Session, document: Document) -> int:
    """Post a bounty for a team, which nobody is invited to."""
    key = multiply(0xB0B)
    session.storage.put(document.to_bytes())
    terms = Terms(
        requester=session.address,
        token=session.profile.token("TUSD").address,
        relay=role_address("relay"),
        document=document.hash,
        salt=document.hash,
        key_x=key.x,
        key_y=key.y,
        items=document.items.count,
        classes=len(document.classes),
        rounds=1,
        full=0,
        min_seats=1,
        min_run=1,
        max_run=1,
        price=1_000,
        join_seconds=8_000_000,
        label_seconds=60,
        grace_seconds=60,
        release_seconds=60,
        score_seconds=60,
        challenge_seconds=60,
    )
    return BountyClient(session).create(terms)
