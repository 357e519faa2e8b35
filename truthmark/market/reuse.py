# SPDX-License-Identifier: Apache-2.0
"""Shards of a listing that somebody else has listed before: the same ciphertext, or the same key.

Who bought data can list it again under a key of their own, but not without its ciphertext or its
shards' keys, unless they pack it once more. Indices are public: each client compares them itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from truthmark.errors import CodecError, LimitError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.fetch import Fetcher
from truthmark.session import Session
from truthmark.storage.read_once import RETRY_SECONDS, ReadOnce
from truthmark.text import plural

if TYPE_CHECKING:
    from truthmark.codec import ShardIndex
    from truthmark.waiting import Deadline

_WIDTH: Final = 8
"""Bytes that are kept of a hash: enough to tell the shards of all listings apart."""

MAX_SHARDS: Final = 1 << 18
"""Of one listing; larger ones are not compared."""

MAX_COMPARED: Final = 1_000
"""How many listings one is compared with, the newest of those before it."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """What names the shards of a version.

    Attributes:
        ciphertexts: First bytes of the shards' SHA-256, end to end, in order of the shards.
        keys: The same of their key hashes.
    """

    ciphertexts: bytes
    keys: bytes

    @classmethod
    def of(cls, index: "ShardIndex") -> Self:
        """Return those of an index."""
        shards = range(index.count)
        return cls(
            b"".join(index.sha256(i)[:_WIDTH] for i in shards),
            b"".join(index.key_hash(i)[:_WIDTH] for i in shards),
        )


@dataclass(frozen=True, slots=True)
class Reuse:
    """Shards that stand in an older listing under another key.

    Attributes:
        older: That listing's version.
        shards: How many of the newer one's shards have its ciphertext or its shard key.
        count: How many shards the newer one has.
        is_sellers: Whether the same account sells both.
    """

    older: Version
    shards: int
    count: int
    is_sellers: bool

    @property
    def line(self) -> str:
        """What to show a person."""
        who = "the same account" if self.is_sellers else self.older.terms.seller
        return (
            f"{self.shards} of its {plural(self.count, 'part')} stood in {self.older.ref} before, "
            f"listed by {who} under another key"
        )


class ShardHashes(ReadOnce[Version, Hashes]):
    """What names the shards of versions, by the ids of the terms that commit to them."""

    kind = Hashes
    wrong = (CodecError,)

    @classmethod
    def of(cls, session: Session, *, retry_seconds: float = RETRY_SECONDS) -> Self:
        """Return those of a session, which all that use it share."""
        path, fetcher = session.index_folder / "shards.sqlite", Fetcher(session)

        def read(version: Version) -> Hashes:
            if version.terms.shard_count > MAX_SHARDS:
                raise LimitError(f"{version.ref} has too many shards to be compared")
            return Hashes.of(fetcher.index(version))

        return session.part(cls, lambda: cls(path, read, retry_seconds=retry_seconds))

    def key(self, question: Version) -> bytes:
        """Return the id of the version's terms."""
        return question.terms_id


def find_reuse(session: Session, version: Version, deadline: "Deadline") -> list[Reuse]:
    """Return the older listings in which shards of a version stood under another key.

    Older versions of its own listing are left out: what they share was taken over.

    Args:
        session: Whose catalogue and storage are used; `sync` the catalogue before.
        version: What is looked at.
        deadline: When to go on without the indices that have not come.

    Returns:
        Those that share most in front.

    Raises:
        ConfigError: What was read before cannot be used.
    """
    older = [
        other
        for other in Catalogue.of(session).versions()
        if other.listing_id < version.listing_id
        and other.terms.public_key != version.terms.public_key
    ][:MAX_COMPARED]
    if not older:
        return []
    read = ShardHashes.of(session)
    known = read.read([version, *older], deadline)
    mine = known.get(version.terms_id)
    if mine is None:
        return []
    found = []
    for other in older:
        theirs = known.get(other.terms_id)
        shards = 0 if theirs is None else _shared(mine, theirs)
        if shards:
            is_sellers = other.terms.seller == version.terms.seller
            found.append(Reuse(other, shards, version.terms.shard_count, is_sellers))
    return sorted(found, key=lambda reuse: -reuse.shards)


def _shared(mine: Hashes, theirs: Hashes) -> int:
    """Return how many shards of one stand in the other."""
    import numpy as np

    def among(left: bytes, right: bytes) -> "np.ndarray":  # type: ignore[type-arg]
        return np.isin(np.frombuffer(left, np.uint64), np.frombuffer(right, np.uint64))

    return int(
        np.count_nonzero(
            among(mine.ciphertexts, theirs.ciphertexts) | among(mine.keys, theirs.keys)
        )
    )
