# SPDX-License-Identifier: Apache-2.0
"""What is public of a version: what it says of itself, its index, and the keys that are open."""

from dataclasses import dataclass
from typing import Any

from truthmark.codec.limits import PATIENT
from truthmark.codec.manifest import Manifest
from truthmark.codec.sampling import PreviewAsked, preview_asked
from truthmark.codec.shard_index import ShardIndex
from truthmark.errors import CodecError, StorageError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.market.preview.opening import MAX_DOWNLOAD, EndError, FetchedShards, Opening
from truthmark.market.preview.published import Published, count_published, read_published
from truthmark.market.preview.states import PreviewState
from truthmark.session import Session
from truthmark.text import format_size


@dataclass(slots=True)
class Public:
    """What is public of a version.

    Attributes:
        version: Which.
        manifest: Checked against the terms.
        card: As the manifest commits to it.
        index: Likewise.
        asked: The sample that the card asks for; None if none, or none that is understood.
        blind: Why it is None.
        published: Keys.
        opening: With these.
    """

    version: Version
    manifest: Manifest
    card: dict[str, Any]
    index: ShardIndex
    asked: PreviewAsked | None
    blind: str
    published: Published
    opening: Opening


@dataclass(frozen=True, slots=True)
class Heading:
    """What a version says of itself.

    Attributes:
        manifest: Checked against the terms.
        card: As the manifest commits to it.
        asked: The sample that it asks for; None if none, or none that is understood.
        blind: Why it is None.
        size: Bytes of manifest and card.
    """

    manifest: Manifest
    card: dict[str, Any]
    asked: PreviewAsked | None
    blind: str
    size: int


def read_heading(session: Session, version: Version) -> Heading:
    """Fetch what a version says of itself.

    Raises:
        EndError: It cannot be fetched, or contradicts itself.
    """
    fetcher = Fetcher(session)
    try:
        manifest = fetcher.manifest(version)
        card = fetcher.card(version, manifest)
    except StorageError as error:
        raise EndError(PreviewState.UNREACHABLE, str(error)) from error
    except CodecError as error:
        raise EndError(PreviewState.BAD, str(error)) from error
    asked, blind = None, "the seller asked for no sample"
    try:
        asked = preview_asked(card)
    except CodecError as error:
        blind = str(error)  # and what others open of it is tried as ever
    return Heading(manifest, card, asked, blind, len(manifest.to_bytes()) + manifest.card_size)


def read_public(
    session: Session,
    version: Version,
    *,
    max_download: int = MAX_DOWNLOAD,
    heading: Heading | None = None,
) -> Public:
    """Fetch what is public of a version, and its published keys.

    Raises:
        EndError: It cannot be fetched, or contradicts itself.
        UnableError: This computer cannot read it.
    """
    fetcher = Fetcher(session)
    heading = heading or read_heading(session, version)
    manifest = heading.manifest
    try:
        if manifest.index_size > max_download:
            raise EndError(
                PreviewState.PARTIAL,
                f"its index has {format_size(manifest.index_size)}, "
                f"{format_size(max_download)} are fetched",
            )
        index = fetcher.index(version, manifest, PATIENT)
    except StorageError as error:
        raise EndError(PreviewState.UNREACHABLE, str(error)) from error
    except CodecError as error:
        raise EndError(PreviewState.BAD, str(error)) from error
    published = read_published(Catalogue.of(session).index, roots_of(session, version), index)
    source = FetchedShards(fetcher, version, index, manifest.shard_size)
    opening = Opening(manifest, index, source, published.keys, max_download=max_download)
    asked, blind = heading.asked, heading.blind
    return Public(version, manifest, heading.card, index, asked, blind, published, opening)


def roots_of(session: Session, version: Version) -> set[bytes]:
    """Return the roots under which keys count for a version: those of all versions of its listing.

    So what was opened of one stays open in those that have taken it over.
    """
    siblings = Catalogue.of(session).siblings(version)
    return {version.terms.root, *(sibling.terms.root for sibling in siblings)}


def published_of(session: Session, version: Version) -> tuple[int, int]:
    """Return how much of a version is published; `sync` the catalogue before.

    Costs two questions to the index. It is another value when anything more is.
    """
    return count_published(Catalogue.of(session).index, roots_of(session, version))
