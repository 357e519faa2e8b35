# SPDX-License-Identifier: Apache-2.0
"""Older versions from which one takes over parts: which are to be looked at, and for how much."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from truthmark.codec.sampling import PreviewAsked
from truthmark.errors import MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.preview.opening import EndError, Patience
from truthmark.market.preview.public import Heading, read_heading
from truthmark.market.preview.remembered import Remembered, Shown
from truthmark.market.preview.states import PreviewState
from truthmark.session import Session
from truthmark.text import format_size

MAX_DOWNLOAD_BEFORE: Final = 256 << 20
"""Bytes that older versions may take, all together, in one look: of each manifest, card, index, the
sample and what others opened. The oldest come first, and what is found SHOWN is remembered, so that
the next look gets further."""
MAX_BEFORE: Final = 1_024
"""Older versions, one from the other, that are looked at in one look."""
_SMALL: Final = 16 << 10
"""Bytes of a manifest that is kept on the way down to the oldest."""


@dataclass(slots=True)
class Allowance:
    """What older versions may still take in one look, and what was found of them.

    Each is looked at once, however many newer ones name it: else a long listing of versions that
    are not SHOWN would be gone through along each way from the newest to the oldest.

    Attributes:
        left: Bytes.
        known: What an older version has shown, if it has, by the id of its terms.
        headings: Of those that are not known yet, by the same.
        siblings: All versions of the listing, by digest of their manifests; None until asked for.
        patience: How long decoding may take, of the version that is looked at too.
    """

    left: int = MAX_DOWNLOAD_BEFORE
    known: dict[bytes, Shown | None] = field(default_factory=dict)
    headings: dict[bytes, Heading] = field(default_factory=dict)
    siblings: dict[bytes, list[Version]] | None = None
    patience: Patience = field(default_factory=Patience)

    def spend(self, size: int) -> None:
        """Take bytes of it.

        Raises:
            EndError: There are not so many left.
        """
        self.left -= size
        if self.left < 0:
            raise EndError(
                PreviewState.PARTIAL,
                f"the older versions from which it takes over parts are more than the "
                f"{format_size(MAX_DOWNLOAD_BEFORE)} that are fetched at once; look again: what "
                "was found right is remembered",
            )


def named_by(
    session: Session, version: Version, asked: PreviewAsked, allowance: Allowance
) -> list[Version]:
    """Return the older versions of the listing that a card names."""
    if allowance.siblings is None:
        allowance.siblings = {}
        for sibling in sorted(Catalogue.of(session).siblings(version), key=lambda it: it.number):
            allowance.siblings.setdefault(sibling.terms.manifest, []).append(sibling)
    found = []
    for cid in asked.previous:
        same = allowance.siblings.get(cid.digest, ())
        found += [it for it in same if it.number < version.number][-1:]
    return found


def unknown_older(
    session: Session, named: Sequence[Version], allowance: Allowance, *, must_know: bool
) -> Iterator[Version]:
    """Yield the older versions that are to be looked at, the oldest first.

    So each finds what is said of those that it names itself, however long the chain of them is.

    Args:
        session: Where to look.
        named: By the version that is looked at.
        allowance: What may be fetched, and what is known of older versions.
        must_know: Refuse where one cannot be fetched.

    Raises:
        MarketError: `must_know`, and one cannot be fetched now.
        EndError: PARTIAL: there are too many, or they are too large.
    """
    remembered = Remembered.of(session)
    found: dict[bytes, Version] = {}
    waiting = list(named)
    while waiting:
        version = waiting.pop()
        terms_id = version.terms_id
        if terms_id in found or terms_id in allowance.known:
            continue
        if (shown := remembered.shown(terms_id)) is not None:
            allowance.known[terms_id] = shown
            continue
        found[terms_id] = version
        if len(found) > MAX_BEFORE:
            raise EndError(
                PreviewState.PARTIAL,
                f"it takes over parts from more than {MAX_BEFORE:,} older versions, one from the "
                "other, which are too many to be looked at",
            )
        try:
            heading = read_heading(session, version)
        except EndError as end:
            if must_know and end.state is PreviewState.UNREACHABLE:
                raise unserved(version, end.why) from end
            # Not asked for again: who serves it only then could have the walk begin once more.
            del found[terms_id]
            allowance.known[terms_id] = None
            continue
        allowance.spend(heading.size)
        if heading.asked is None:
            continue
        waiting += named_by(session, version, heading.asked, allowance)
        if heading.size - heading.manifest.card_size <= _SMALL:
            allowance.headings[terms_id] = replace(heading, card={})
    yield from sorted(found.values(), key=lambda version: version.number)


def unserved(version: Version, why: str) -> MarketError:
    """Return the error of a seller who cannot know what an older version has shown."""
    return MarketError(
        f"nothing is opened yet: {version.ref}, from which this version takes over parts, is "
        f"{PreviewState.UNREACHABLE.value} ({why}); try again once it is served"
    )
