# SPDX-License-Identifier: Apache-2.0
"""What a container holds that cannot be read, although its key is the one that was committed to.

A contract can judge whether a shard is sealed under its key, and never whether what it holds
parses. Everybody can be shown both: keys of single shards give no other key away.

It may cost money, and data, what is said here. So a computer that was too slow says nothing of the
container (`UnableError`), and what does not open or parse is looked at twice.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from truthmark.codec.container import Container, open_container, read_index, read_manifest
from truthmark.codec.limits import DATA_NAME, FILES_SEGMENT, PATIENT, Limits
from truthmark.codec.shard_index import Segment
from truthmark.codec.shards import ContentOpener, FileShards
from truthmark.errors import CodecError, LimitError, MalformedError
from truthmark.types import Progress


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a container cannot be read.

    Attributes:
        text: What is wrong, for people.
        shard: The first shard that does not open; None where all open and do not parse.
        key: K_i of that shard, as committed to. It opens nothing, and no other key follows from
            it, so it can be shown to everybody; None where all open.
        shards: Those that show it when they are opened: that one, or all of the segment that does
            not parse.
    """

    text: str
    shard: int | None = None
    key: bytes | None = field(default=None, repr=False)
    shards: tuple[int, ...] = ()


def find_unreadable(
    folder: Path | str,
    cek: bytes,
    *,
    limits: Limits = PATIENT,
    progress: Progress | None = None,
) -> Unreadable | None:
    """Open every shard up to the first that does not open, then parse all that they hold.

    Args:
        folder: Container, index, manifest and card, verified.
        cek: The content key, which gives every committed key hash; see `find_wrong_key`.
        limits: What may be spent on it.
        progress: Told how many bytes are open.

    Returns:
        What is wrong; None where everything can be read.

    Raises:
        IntegrityError: A file of the folder is not what the manifest names.
        WrongKeyError: A key hash is another one, which a contract decides.
        UnableError: This computer could not read it, which says nothing of it.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    index = read_index(folder, manifest, limits)
    shards = FileShards(folder / DATA_NAME, shard_size=manifest.shard_size, count=manifest.count)
    try:
        opener = ContentOpener(index, shards, cek=cek, shard_size=manifest.shard_size)
        buffer = memoryview(bytearray(opener.payload))
        for i in range(index.count):
            error = _failure(partial(opener.open_into, i, buffer))
            if error is not None:
                return Unreadable(str(error), i, opener.key(i), (i,))
            if progress is not None:
                progress((i + 1) * manifest.shard_size, manifest.size)
    finally:
        shards.close()
    opened: list[Container] = []
    error = _failure(lambda: opened.append(open_container(folder, cek=cek, limits=limits)))
    if error is not None:
        return _unparsed(error, index.segments[FILES_SEGMENT])
    with opened[0] as container:
        for table in container.tables:
            for segment in container.segments_of(table):
                error = _failure(partial(container.decode_segment, table, segment))
                if error is not None:
                    return _unparsed(error, segment)
    return None


def _failure(work: Callable[[], object]) -> MalformedError | LimitError | None:
    """Return why something fails twice; None if it goes well."""
    with contextlib.suppress(MalformedError, LimitError):
        work()
        return None
    try:
        work()
    except (MalformedError, LimitError) as error:
        return error
    return None


def _unparsed(error: CodecError, segment: Segment) -> Unreadable:
    shards = range(segment.shard, segment.shard + segment.shards)
    return Unreadable(str(error), shards=tuple(shards))
