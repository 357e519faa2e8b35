# SPDX-License-Identifier: Apache-2.0
"""What must stay of older versions, so that all clients see what a newer one takes over."""

from collections import deque

from truthmark.cid import CID, raw_cid
from truthmark.errors import MarketError
from truthmark.market.entries import Version
from truthmark.market.preview.looking import names_taken, read_seed
from truthmark.market.preview.older import MAX_DOWNLOAD_BEFORE, Allowance, named_by
from truthmark.market.preview.opening import EndError
from truthmark.market.preview.public import Public, read_public
from truthmark.market.preview.sampling import prepare
from truthmark.market.preview.states import PreviewState
from truthmark.session import Session


def blocks_of_older(
    session: Session, version: Version, *, most: float = MAX_DOWNLOAD_BEFORE
) -> list[CID]:
    """Return what must stay of older versions for one that takes over from them.

    Manifest, card, index and drawn shards of each that exempts something, and of those that exempt
    something of these; without the shards that the version has itself. The newest first, as much as
    a look may fetch.

    Args:
        session: Where to look.
        version: What is kept.
        most: Bytes of all, if less.

    Raises:
        MarketError: What is public of the version cannot be read now.
        ChainError: The chain cannot be read.
        UnableError: This computer cannot tell.
    """
    try:
        public = read_public(session, version)
    except EndError as end:
        if end.state is not PreviewState.UNREACHABLE:
            return []  # nobody can tell what it takes over
        raise MarketError(f"{version.ref} is not kept yet: {end.why}") from end
    own = {raw_cid(public.index.sha256(i)) for i in range(public.index.count)}
    allowance, left = Allowance(), min(most, MAX_DOWNLOAD_BEFORE)
    found: dict[CID, None] = {}
    queue, seen = deque([public]), {version.terms_id}
    while queue:
        for older in _exempting(session, queue.popleft(), allowance):
            if older.terms_id in seen:
                continue
            seen.add(older.terms_id)
            try:
                public = read_public(session, older)
                shards = _drawn_shards(session, public, allowance)
            except EndError:
                continue  # it was seen before, and can be had no more
            manifest = public.manifest
            left -= manifest.index_size + manifest.card_size + len(shards) * manifest.shard_size
            if left < 0:
                return list(found)
            blocks = [raw_cid(public.index.sha256(i)) for i in shards]
            found |= dict.fromkeys((manifest.cid, manifest.card, manifest.index))
            found |= dict.fromkeys(block for block in blocks if block not in own)
            queue.append(public)
    return list(found)


def _exempting(session: Session, public: Public, allowance: Allowance) -> list[Version]:
    """Return the older versions that exempt something of a newer one; see `names_taken`."""
    if public.asked is None or not public.asked.previous:
        return []
    listed = read_seed(session, public.version).listed
    try:
        names_taken(session, public, listed, allowance)
    except EndError:
        return []  # more than anyone looks at
    named = named_by(session, public.version, public.asked, allowance)
    shown = [(version, allowance.known.get(version.terms_id)) for version in named]
    return [version for version, it in shown if it is not None and it.block <= listed]


def _drawn_shards(session: Session, public: Public, allowance: Allowance) -> list[int]:
    """Return the shards that the sample of a version opened."""
    beacon = read_seed(session, public.version)
    if public.asked is None or beacon.seed is None:
        return []
    taken = names_taken(session, public, beacon.listed, allowance)
    return prepare(public.opening, public.asked, taken, beacon.seed).wanted
