# SPDX-License-Identifier: Apache-2.0
"""The manifest: the one small public page whose hash stands on chain."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import rfc8785

from truthmark.cid import CID, raw_cid
from truthmark.codec.limits import MAX_COUNT, MAX_MANIFEST_SIZE, is_shard_size
from truthmark.errors import LimitError, MalformedError
from truthmark.hashing import sha256
from truthmark.types import Point

FORMAT: Final = "tmk1"
MAX_LICENCE_SIZE: Final = 256
MAX_DEPTH: Final = 64

_FIELD_PRIME: Final = 2**256 - 2**32 - 977
_HEX_32: Final = re.compile(r"0x[0-9a-f]{64}")
_REQUIRED: Final = frozenset(
    {
        "format",
        "shard_size",
        "count",
        "root",
        "container",
        "index",
        "index_size",
        "card",
        "card_size",
        "public_key",
        "licence",
        "provenance",
    }
)


@dataclass(frozen=True)
class Manifest:
    """What a version of a dataset is: where its parts are and what they must hash to.

    Attributes:
        shard_size: S, bytes of a shard.
        count: shards in the container, whose size is `count * shard_size`.
        root: root of the tree over the shards' leaves.
        container: CID of `data.tmk` in chunks of S.
        index: CID of `index.arrow` in chunks of 1 MiB.
        index_size: bytes of the index.
        card: CID of `card.json` in chunks of 1 MiB.
        card_size: bytes of the card.
        public_key: PK = s·G.
        licence: an SPDX expression, or a `LicenseRef-` name.
        provenance: what the data comes from, as the seller states it; any JSON object.
    """

    shard_size: int
    count: int
    root: bytes
    container: CID
    index: CID
    index_size: int
    card: CID
    card_size: int
    public_key: Point
    licence: str
    provenance: Mapping[str, Any] | None = None

    @property
    def size(self) -> int:
        """Bytes of the container."""
        return self.count * self.shard_size

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: the 32 bytes that stand on chain."""
        return sha256(self.to_bytes())

    @property
    def cid(self) -> CID:
        """CID of the manifest itself, which is always one raw block."""
        return raw_cid(self.digest)

    def to_bytes(self) -> bytes:
        """Return canonical JSON (RFC 8785).

        Raises:
            MalformedError: licence or provenance cannot be written as canonical JSON.
            LimitError: it would be larger than 1 MiB.
        """
        fields = {
            "format": FORMAT,
            "shard_size": self.shard_size,
            "count": self.count,
            "root": "0x" + self.root.hex(),
            "container": str(self.container),
            "index": str(self.index),
            "index_size": self.index_size,
            "card": str(self.card),
            "card_size": self.card_size,
            "public_key": {
                "x": f"0x{self.public_key.x:064x}",
                "y": f"0x{self.public_key.y:064x}",
            },
            "licence": self.licence,
            "provenance": None if self.provenance is None else dict(self.provenance),
        }
        data = to_canonical_json(fields, "manifest")
        if len(data) > MAX_MANIFEST_SIZE:
            raise LimitError(
                f"manifest: {len(data)} bytes, at most {MAX_MANIFEST_SIZE}; shorten the provenance"
            )
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> "Manifest":
        """Read canonical JSON strictly.

        Unknown fields are refused: two readers must not see two things in one manifest.

        Raises:
            LimitError: it is larger than 1 MiB.
            MalformedError: a field is missing, unknown or out of its range, or the bytes are
                not the canonical ones of what they say.
        """
        if len(data) > MAX_MANIFEST_SIZE:
            raise LimitError(f"manifest: {len(data)} bytes, at most {MAX_MANIFEST_SIZE} are read")
        fields = from_canonical_json(data, "manifest")
        if fields.keys() != _REQUIRED:
            odd = sorted(fields.keys() ^ _REQUIRED)[0]
            raise MalformedError(f"manifest: field {ascii(odd)[:60]} is missing or unknown")
        if fields["format"] != FORMAT:
            raise MalformedError(f"manifest: format is not {FORMAT!r}; is it a newer version's?")
        if not is_shard_size(fields["shard_size"]):
            raise MalformedError(
                "manifest: shard_size is not a power of two from 4096 to 1048576; get it again"
            )
        provenance = fields["provenance"]
        if provenance is not None and not isinstance(provenance, dict):
            raise _wrong("provenance")
        return cls(
            shard_size=fields["shard_size"],
            count=_integer(fields, "count", 1, MAX_COUNT),
            root=bytes.fromhex(_hex_32(fields, "root")),
            container=_cid(fields, "container"),
            index=_cid(fields, "index"),
            index_size=_integer(fields, "index_size", 1, 2**48),
            card=_cid(fields, "card"),
            card_size=_integer(fields, "card_size", 1, 2**48),
            public_key=_point(fields["public_key"]),
            licence=check_licence(fields["licence"]),
            provenance=provenance,
        )


def to_canonical_json(value: Any, what: str) -> bytes:
    """Return RFC 8785 bytes of `value`.

    Raises:
        MalformedError: `value` has something that JSON or RFC 8785 cannot express.
    """
    try:
        data = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        raise MalformedError(f"{what}: cannot be written as canonical JSON: {error}") from error
    if _depth(data) > MAX_DEPTH:
        raise MalformedError(f"{what}: is nested deeper than {MAX_DEPTH} levels; flatten it")
    return data


def from_canonical_json(data: bytes, what: str) -> dict[str, Any]:
    """Return the object in `data`, which must be exactly its RFC 8785 form.

    Raises:
        MalformedError: it is not JSON, not an object, or not canonical (which also excludes
            repeated keys, fractions where integers are meant, and byte order marks).
    """
    if _depth(data) > MAX_DEPTH:
        raise MalformedError(f"{what}: is nested deeper than {MAX_DEPTH} levels; get it again")
    try:
        value = json.loads(data.decode("utf-8"))
        canonical = rfc8785.dumps(value)
    except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise MalformedError(f"{what}: is not JSON that can be read; get it again") from error
    if not isinstance(value, dict) or canonical != data:
        raise MalformedError(f"{what}: is not one canonical JSON object (RFC 8785); get it again")
    return value


def _depth(data: bytes) -> int:
    # Counted before parsing: a parser that recurses is no place to find out.
    depth = deepest = 0
    for bracket in re.finditer(rb"[\[\]{}]", re.sub(rb'"(?:[^"\\]|\\.)*"', b"", data)):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def check_licence(licence: object) -> str:
    """Return `licence` if it can be one: 1 to 256 printable ASCII characters (SPDX uses no other).

    Raises:
        MalformedError: it cannot.
    """
    if (
        not isinstance(licence, str)
        or not 0 < len(licence) <= MAX_LICENCE_SIZE
        or not (licence.isascii() and licence.isprintable())
    ):
        raise MalformedError(
            "licence: give an SPDX expression such as CC-BY-4.0, or a LicenseRef- name "
            f"of at most {MAX_LICENCE_SIZE} ASCII characters"
        )
    return licence


def _wrong(name: str) -> MalformedError:
    return MalformedError(f"manifest: {name} is not of the right kind or range; get it again")


def _integer(fields: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(name)
    return value


def _hex_32(fields: Mapping[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not _HEX_32.fullmatch(value):
        raise _wrong(name)
    return value[2:]


def _cid(fields: Mapping[str, Any], name: str) -> CID:
    value = fields[name]
    if not isinstance(value, str):
        raise _wrong(name)
    return CID.parse(value)


def _point(value: object) -> Point:
    if not isinstance(value, dict) or value.keys() != {"x", "y"}:
        raise _wrong("public_key")
    x, y = int(_hex_32(value, "x"), 16), int(_hex_32(value, "y"), 16)
    if max(x, y) >= _FIELD_PRIME or (y * y - x * x * x - 7) % _FIELD_PRIME:
        raise MalformedError("manifest: public_key is not on secp256k1; get the manifest again")
    return Point(x, y)
