# SPDX-License-Identifier: Apache-2.0
"""The manifest is read strictly: one meaning, one form."""

import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.containers import Draft
from truthmark.codec.manifest import Manifest
from truthmark.errors import LimitError, MalformedError
from truthmark.hashing import sha256

MANIFEST = replace(Draft().forge().manifest, provenance={"from": ["a", 1, None]})
FIELDS: dict[str, Any] = json.loads(MANIFEST.to_bytes())


def test_from_bytes__what_to_bytes_wrote__is_the_same() -> None:
    again = Manifest.from_bytes(MANIFEST.to_bytes())
    assert again == MANIFEST
    assert again.digest == sha256(MANIFEST.to_bytes())
    assert again.cid.digest == again.digest
    assert again.size == again.count * again.shard_size


BAD_VALUES = [
    ("format", "tmk2"), ("format", None),
    ("shard_size", 4095), ("shard_size", 2048), ("shard_size", 1 << 21), ("shard_size", "4096"),
    ("shard_size", True), ("shard_size", -4096), ("shard_size", 6144), ("shard_size", None),
    ("count", 0), ("count", -1), ("count", 2**32), ("count", True), ("count", "1"), ("count", 1.5),
    ("root", "0x"), ("root", "00" * 32), ("root", "0x" + "AB" * 32), ("root", "0x" + "ab" * 33),
    ("root", None), ("root", 7),
    ("container", ""), ("container", "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"),
    ("container", None), ("index", FIELDS["index"].upper()), ("card", FIELDS["card"] + " "),
    ("index_size", 0), ("index_size", 2**49), ("card_size", -1), ("card_size", None),
    ("public_key", None), ("public_key", {"x": FIELDS["public_key"]["x"]}),
    ("public_key", {"x": "0x" + "00" * 32, "y": "0x" + "00" * 32}),
    ("public_key", {"x": "0x" + "ff" * 32, "y": "0x" + "ff" * 32}),
    ("public_key", {**FIELDS["public_key"], "z": 1}),
    ("public_key", {"x": FIELDS["public_key"]["y"], "y": FIELDS["public_key"]["x"]}),
    ("licence", ""), ("licence", "x" * 257), ("licence", "a\nb"), ("licence", "é"),
    ("licence", None), ("licence", "\u202e"),
    ("provenance", []), ("provenance", "text"), ("provenance", 1),
]  # fmt: skip


# The names are numbered: those of values would differ from run to run, and xdist's workers compare.
@pytest.mark.parametrize(
    ("name", "value"), BAD_VALUES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(BAD_VALUES)]
)
def test_from_bytes__field_out_of_range__is_refused(name: str, value: Any) -> None:
    with pytest.raises(MalformedError) as caught:
        Manifest.from_bytes(rfc8785.dumps({**FIELDS, name: value}))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_from_bytes__field_missing__is_refused(name: str) -> None:
    fields = {key: value for key, value in FIELDS.items() if key != name}
    with pytest.raises(MalformedError, match="missing or unknown"):
        Manifest.from_bytes(rfc8785.dumps(fields))


GOOD = MANIFEST.to_bytes()
BAD_BYTES = {
    "nothing": b"",
    "no json": b"{",
    "a list": b"[]",
    "null": b"null",
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "space behind": GOOD + b"\n",
    "space inside": GOOD.replace(b":", b": ", 1),
    "repeated key": GOOD[:-1] + b',"shard_size":4096}',
    "unknown key": rfc8785.dumps({**FIELDS, "extra": 1}),
    "unsorted": json.dumps(dict(reversed(FIELDS.items())), separators=(",", ":")).encode(),
    "escaped": GOOD.replace(b"tmk1", b"\\u0074mk1"),
    "float count": GOOD.replace(b'"count":3', b'"count":3.0'),
    "exponent": GOOD.replace(b'"shard_size":4096', b'"shard_size":4.096e3'),
    "huge number": GOOD.replace(b'"count":3', b'"count":' + b"9" * 5000),
    "nan": GOOD.replace(b'"count":3', b'"count":NaN'),
    "not utf-8": GOOD.replace(b"tmk1", b"tmk\xff"),
    "lone surrogate": GOOD.replace(b"tmk1", b"\\ud800"),
    "deep": GOOD.replace(b'["a",1,null]', b"[" * 50_000 + b"]" * 50_000),
    "utf-16": GOOD.decode().encode("utf-16"),
}


@pytest.mark.parametrize("data", BAD_BYTES.values(), ids=BAD_BYTES.keys())
def test_from_bytes__not_canonical__is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        Manifest.from_bytes(data)
    assert str(caught.value).isprintable()


def test_from_bytes__too_large__is_refused_unread() -> None:
    with pytest.raises(LimitError, match="1048576"):
        Manifest.from_bytes(b" " * ((1 << 20) + 1))


def test_to_bytes__provenance_too_large__is_refused() -> None:
    with pytest.raises(LimitError, match="shorten"):
        replace(MANIFEST, provenance={"x": "y" * (1 << 20)}).to_bytes()


@given(st.binary(max_size=300))
def test_from_bytes__random_bytes__are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Manifest.from_bytes(data)
