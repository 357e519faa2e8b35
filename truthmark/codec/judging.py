# SPDX-License-Identifier: Apache-2.0
"""What a container holds that cannot be read, although its key is the one that was committed to.

A contract can judge whether a shard is sealed under its key, and never whether what it holds
parses. Everybody can be shown both: keys of single shards give no other key away.
"""

from dataclasses import dataclass, field
from pathlib import Path

from truthmark.codec.container import open_container, read_index, read_manifest
from truthmark.codec.limits import DATA_NAME, DEFAULT_LIMITS, FILES_SEGMENT, Limits
from truthmark.codec.shards import ContentOpener, FileShards
from truthmark.errors import LimitError, MalformedError
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
    limits: Limits = DEFAULT_LIMITS,
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
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    index = read_index(folder, manifest, limits)
    shards = FileShards(folder / DATA_NAME, shard_size=manifest.shard_size, count=manifest.count)
    try:
        opener = ContentOpener(index, shards, cek=cek, shard_size=manifest.shard_size)
        buffer = memoryview(bytearray(opener.payload))
        for i in range(index.count):
            try:
                opener.open_into(i, buffer)
            except MalformedError as error:
                return Unreadable(str(error), i, opener.key(i), (i,))
            if progress is not None:
                progress((i + 1) * manifest.shard_size, manifest.size)
    finally:
        shards.close()
    segment = index.segments[FILES_SEGMENT]
    try:
        with open_container(folder, cek=cek, limits=limits) as container:
            for table in container.tables:
                for segment in container.segments_of(table):
                    container.decode_segment(table, segment)
    except (MalformedError, LimitError) as error:
        rotten = range(segment.shard, segment.shard + segment.shards)
        return Unreadable(str(error), shards=tuple(rotten))
    return None
