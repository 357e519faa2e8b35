# SPDX-License-Identifier: Apache-2.0
"""Listings with samples, on a market without a chain, as honest or as bad as a test wants."""

import hashlib
import io
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import rlp

from tests.utils.containers import Forged, MemoryShards, P, Part, S, forge, stream_of
from tests.utils.offline_market import BIRTH, PROFILE, OfflineMarket, address, make_custody
from truthmark.cid import CID, build_dag, cid_of_stream, raw_cid
from truthmark.codec import files_table
from truthmark.codec.container import Container
from truthmark.codec.derive import fresh_key
from truthmark.codec.files_table import Entry
from truthmark.codec.limits import DEFAULT_LIMITS
from truthmark.codec.manifest import Manifest
from truthmark.codec.sampling import PreviewAsked
from truthmark.codec.shards import KeyedOpener
from truthmark.config.profile import ChainProfile
from truthmark.errors import BlockNotFoundError, MalformedReplyError
from truthmark.hashing import keccak256, sha256
from truthmark.market.entries import Version
from truthmark.market.preview import Preview, look, wanted_keys
from truthmark.market.preview.media_values import TypedValue, leaves
from truthmark.market.preview.strata import Structure
from truthmark.market.records import Receipt
from truthmark.market.verdicts import cut_keys
from truthmark.storage import Storage
from truthmark.types import Point

SELLER, BUYER, STRANGER = address(0xA0), address(0xB0), address(0xD1)
ROWS = 40
"""Of a segment, if a test does not say otherwise."""


class Shelf(Storage):
    """A storage in memory."""

    name = "shelf"
    writable = True

    def __init__(self) -> None:
        self.blocks: dict[CID, bytes] = {}
        self.read: list[CID] = []

    def _fetch(self, cid: CID) -> bytes:
        self.read.append(cid)
        if cid not in self.blocks:
            raise BlockNotFoundError(f"{cid} is not on the shelf")
        return self.blocks[cid]

    def _holds(self, cid: CID) -> bool:
        return cid in self.blocks

    def pins(self) -> list[CID]:
        return []

    def add(self, data: bytes, chunk: int = 1 << 20) -> CID:
        """Put a file in chunks."""
        parts = [data[at : at + chunk] for at in range(0, len(data), chunk)]
        dag = build_dag((hashlib.sha256(part).digest(), len(part)) for part in parts)
        self.blocks |= {raw_cid(hashlib.sha256(part).digest()): part for part in parts}
        self.blocks |= dict(dag.nodes)
        return dag.root


def plain_rows(number: int, rows: int = ROWS) -> pa.Table:
    """Return rows that nobody else has."""
    first = number * rows
    return pa.table(
        {
            "id": pa.array(range(first, first + rows), pa.int64()),
            "text": [f"row {i} of a table that is worth its price" for i in range(rows)],
            "y": [i % 3 for i in range(rows)],
        }
    )


Rows = Callable[[int], pa.Table]


@dataclass
class Made:
    """A container of one-shard segments.

    Attributes:
        forged: Its bytes.
        bad: Shards that are not what they should be.
    """

    forged: Forged
    bad: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = self.forged.index.count
        self.all_keys = {i: fresh_key(self.forged.cek, i) for i in range(count)}

    def keys(self, shards: Iterable[int] | None = None) -> list[bytes]:
        """Return keys of some shards, or of all."""
        return [self.all_keys[i] for i in (self.all_keys if shards is None else shards)]

    @property
    def container(self) -> Container:
        """The container as its seller opens it."""
        forged = self.forged
        opener = KeyedOpener(
            forged.index, MemoryShards(forged.shards), keys=self.all_keys, shard_size=S
        )
        limits = DEFAULT_LIMITS
        return Container(forged.manifest, opener, limits=limits, card=None, opened=None)

    @property
    def structure(self) -> Structure:
        """Its index and files table."""
        entries = [file.entry for file in self.container.files]
        return Structure(self.forged.index, entries, S)

    def take_over(self, before: "Made") -> "Made":
        """Give the first segments the ciphertext and the keys that they had before."""
        count = before.forged.index.count
        self.forged.shards[1:count] = before.forged.shards[1:]
        self.all_keys |= {i: before.all_keys[i] for i in range(1, count)}
        return self.recommit()

    def recommit(self) -> "Made":
        """Make index and manifest fit shards and keys again."""
        forged, index = self.forged, self.forged.index
        index._sha256 = b"".join(sha256(shard) for shard in forged.shards)
        index._key_hash = b"".join(sha256(key) for key in self.keys())
        for name in ("tree", "segments"):
            index.__dict__.pop(name, None)
        forged.index_bytes = index.to_bytes()
        forged.manifest = replace(
            forged.manifest,
            root=index.tree.root,
            container=build_dag((sha256(shard), S) for shard in forged.shards).root,
            index=cid_of_stream(io.BytesIO(forged.index_bytes)),
            index_size=len(forged.index_bytes),
        )
        return self


def make(
    tables: Mapping[str, int],
    *,
    rows: Rows = plain_rows,
    bad: Collection[int] = (),
    how: str = "noise",
    files: Mapping[str, bytes] | None = None,
    draws: int | None = 16,
    previous: Sequence[CID] = (),
    extra: Mapping[str, Any] | None = None,
    card: Mapping[str, Any] | None = None,
    is_alike: bool = False,
    after: int = 0,
    stream_rows: tuple[bytes, bytes, int] | None = None,
    **sealed: Any,
) -> Made:
    """Make a container.

    Args:
        tables: How many segments each table has, by path.
        rows: Makes the rows of a segment by its place among all.
        bad: Places of segments that are bad.
        how: How: "noise" that is sealed, "random" ciphertext, other "rows" or "schema" than said.
        files: Of the byte stream.
        draws: m, or None for no sample.
        previous: Manifests that the card names.
        extra: More of the card's `extra`.
        card: More of the card.
        is_alike: All segments have the rows of the first; quick for thousands.
        stream_rows: What each segment is instead: its schema, its messages, how many rows.
        after: Added to each place, so that two containers have other rows.
        sealed: For `forge`: `cek` and `public_key`.
    """
    parts: list[Part] = []
    entries: list[Entry] = []
    stream = b""
    for path, data in (files or {}).items():
        entries.append(Entry(path, "bytes", None, len(stream), len(data)))
        stream += data
    if stream:
        shards = -(-len(stream) // P)
        parts.append(Part(1, stream, decoded=shards * P, shards=shards))
    place = row = 0
    number = 2
    made = stream_rows
    random: list[int] = []
    for path, count in tables.items():
        start = row
        for _ in range(count):
            if made is None or not (is_alike or stream_rows):
                table = rows(place + after)
                made = (*stream_of(table), table.num_rows)
            message, body, declared = made
            if place in bad and how == "noise":
                body = os.urandom(P)
            elif place in bad and how == "rows":
                body = stream_of(rows(place + after).slice(1))[1]
            elif place in bad and how == "schema":
                body = stream_of(pa.table({"z": pa.array([1.5] * declared)}))[1]
            elif place in bad and how == "random":
                random.append(place)
            parts.append(Part(number, body, rows=declared, first_row=row, decoded=1 << 16))
            row, place, number = row + declared, place + 1, number + 1
        entries.append(Entry(path, "table", None, start, row - start, message))
    parts.insert(0, Part(0, files_table.encode(entries), decoded=1 << 20))
    firsts: list[int] = []
    at = 0
    for part in parts:
        firsts.append(at)
        at += part.count
    head = 2 if stream else 1
    asked = {} if draws is None else {"preview": PreviewAsked(draws, tuple(previous)).to_json()}
    forged = forge(
        parts,
        random=[firsts[head + place] for place in random],
        card={"extra": {**asked, **(extra or {})}, **(card or {})},
        **sealed,
    )
    return Made(forged, [firsts[head + place] for place in bad])


class PreviewMarket:
    """A market on which versions are listed, keys published, and looked at.

    Attributes:
        shelf: Where all blocks are.
        height: Of the newest final block.
    """

    def __init__(self, offline: OfflineMarket, salt: bytes = b"") -> None:
        self.offline, self.salt = offline, salt
        self.shelf = Shelf()
        self.height = 10**6
        values = {**PROFILE.__dict__, "beacon_blocks": 4, "name": "paper"}
        self.profile = ChainProfile(**values)
        self.endpoints = [SimpleNamespace(place="one", is_local=True)]
        self.lies: dict[str, Callable[[dict[str, Any]], None]] = {}
        offline.chain.profile = self.profile
        offline.chain.registry = SimpleNamespace(address=PROFILE.contracts["registry"].address)
        offline.chain.rpc = self
        offline.chain.final_block = lambda: SimpleNamespace(number=self.height)
        offline.session.__dict__ |= {"profile": self.profile, "storage": self.shelf}
        self.session = offline.session

    # ------------------------------------------------------------------ the chain

    def batch(self, requests: Sequence[Any], endpoint: Any = None, attempts: int = 0) -> list[Any]:
        """Answer for two headers: where it was listed, and by whose word is drawn."""
        (_, (listed, _)), (_, (drawn, _)) = requests
        header = make_header(int(drawn, 16), self.salt)
        if (lie := self.lies.get(endpoint.place)) is not None:
            lie(header)
        return [{"hash": "0x" + int(listed, 16).to_bytes(32, "big").hex()}, header]

    def parsed(self, method: str, params: Sequence[Any], parse: Callable[[Any], Any]) -> Any:
        """Answer for the header of a hash, by the first endpoint whose answer can be read."""
        numbers = (number for number in range(200) if self._hash(number) == params[0])
        number = next(numbers)
        for endpoint in self.endpoints:
            header = make_header(number, self.salt)
            if (lie := self.lies.get(endpoint.place)) is not None:
                lie(header)
            try:
                return parse(header)
            except MalformedReplyError as error:
                refused = error
        raise refused

    def _hash(self, number: int) -> str:
        return str(make_header(number, self.salt)["hash"])

    # ------------------------------------------------------------------ people

    def list_version(self, made: Made, listing: int = 1, number: int = 1, **terms: Any) -> Version:
        """Store and list a container."""
        self.store(made)
        forged = made.forged
        manifest = forged.manifest
        terms = {
            "manifest": manifest.digest,
            "root": manifest.root,
            "shard_count": manifest.count,
            "public_key": manifest.public_key,
            "licence": self.licence_of(manifest),
            **terms,
        }
        made_terms = self.offline.list_version(listing, number, **terms)
        return self.offline.catalogue.with_terms(made_terms.terms_id)

    @staticmethod
    def licence_of(manifest: Manifest) -> bytes:
        """Return what stands for a licence in terms."""
        return keccak256(manifest.licence.encode())

    def store(self, made: Made) -> None:
        """Put all blocks on the shelf."""
        forged = made.forged
        self.shelf.blocks[forged.manifest.cid] = forged.manifest.to_bytes()
        self.shelf.add(forged.index_bytes)
        self.shelf.add(forged.card_bytes)
        for shard in forged.shards:
            self.shelf.blocks[raw_cid(hashlib.sha256(shard).digest())] = shard

    def publish(
        self, made: Made, shards: Iterable[int] | None = None, by: str = SELLER, each: int = 512
    ) -> None:
        """Publish keys of some shards, or of all."""
        self.publish_keys(made, made.keys(shards), by, each)

    def publish_keys(
        self, made: Made, keys: Sequence[bytes], by: str = STRANGER, each: int = 512
    ) -> None:
        """Publish any keys under a container's root."""
        root = made.forged.manifest.root
        self.offline.log_all(
            (
                "openings",
                "KeysPublished",
                {"root": root, "publisher": by, "keys": keys[at : at + each]},
            )
            for at in range(0, len(keys), each)
        )

    def open_sample(self, made: Made, version: Version) -> int:
        """Publish what chance wants, as its seller does; return how many keys that took."""
        wanted = wanted_keys(self.session, version, made.container)
        for keys in cut_keys(wanted.keys):
            self.publish_keys(made, keys, SELLER)
        return len(wanted.keys)

    def buy(self, version: Version, buyer: str = BUYER) -> None:
        """Let somebody have bought a version."""
        custody = make_custody(version.terms)
        receipt = Receipt(buyer, 1, bytes(32), Point(1, 2))
        purchase = receipt.purchase_id(custody.custody_id)
        self.offline.log(
            "market",
            "Purchased",
            purchase_id=purchase,
            terms_id=version.terms_id,
            custody_id=custody.custody_id,
            **{name: getattr(receipt, name) for name in receipt.__slots__},
            deadline=BIRTH + 10**6,
        )
        self.offline.log(
            "market",
            "Delivered",
            purchase_id=purchase,
            custody_id=custody.custody_id,
            index=1,
            part=Point(1, 2),
            challenge=1,
            response=1,
            inspection_until=BIRTH + 10**6,
        )

    def look(self, version: Version, **options: Any) -> Preview:
        """Look at a sample."""
        return look(self.session, version, **options)


def make_header(number: int, salt: bytes = b"") -> dict[str, Any]:
    """Return a block as an endpoint gives it, whose hash is the one of its fields."""
    values: dict[str, Any] = {
        "parentHash": hashlib.sha256(b"parent" + salt + number.to_bytes(8, "big")).digest(),
        "sha3Uncles": keccak256(rlp.encode([])),
        "miner": bytes(20),
        "stateRoot": bytes(32),
        "transactionsRoot": bytes(32),
        "receiptsRoot": bytes(32),
        "logsBloom": bytes(256),
        "difficulty": 0,
        "number": number,
        "gasLimit": 30_000_000,
        "gasUsed": 0,
        "timestamp": BIRTH + number,
        "extraData": b"x",
        "mixHash": hashlib.sha256(b"mix" + salt + number.to_bytes(8, "big")).digest(),
        "nonce": bytes(8),
        "baseFeePerGas": 7,
        "withdrawalsRoot": bytes(32),
    }
    digest = keccak256(rlp.encode(list(values.values())))
    shown = {
        name: hex(value) if isinstance(value, int) else "0x" + value.hex()
        for name, value in values.items()
    }
    return {**shown, "hash": "0x" + digest.hex()}


def typed_values(table: pa.Table, rows: Sequence[int], most: int) -> list[TypedValue]:
    """Return kind and bytes of values in some rows; see `leaves`."""
    return [value for leaf in leaves(table, rows, most) for value in leaf.values]
