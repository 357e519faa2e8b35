# SPDX-License-Identifier: Apache-2.0
"""Files opened as what they are named: each kind opens, and noise under its name does not."""

import io
import json
import os
import struct
import wave
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.utils.onnx_models import softmax
from truthmark.codec import media_child
from truthmark.codec.media import MediaOpener, Opened, is_typed, kind_of


def picture(name: str) -> bytes:
    image = pytest.importorskip("PIL.Image")
    sink = io.BytesIO()
    image.new("RGB", (20, 10), (1, 2, 3)).save(sink, name)
    return sink.getvalue()


def sound() -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(200))
    return sink.getvalue()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2]}), sink)
    return sink.getvalue()


def safetensors() -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(8)


GOOD = {
    "a.jpg": lambda: picture("JPEG"),
    "a.PNG": lambda: picture("PNG"),
    "a.webp": lambda: picture("WEBP"),
    "a.gif": lambda: picture("GIF"),
    "a.wav": sound,
    "a.flac": lambda: b"fLaC\x80\x00\x00\x22" + bytes(34) + b"\xff\xf8" + bytes(9),
    "a.json": lambda: b'{"a": [1, 2]}',
    "a.jsonl": lambda: b'{"a": 1}\n{"a": 2}\n',
    "a.parquet": parquet,
    "a.safetensors": safetensors,
    "a.onnx": lambda: softmax(4),
    "a.pdf": lambda: b"%PDF-1.4\n" + bytes(100) + b"%%EOF\n",
    "a.zip": lambda: b"PK\x05\x06" + bytes(18),
    "a.txt": lambda: "äöü and so on\n".encode("latin-1") * 9,
}


@pytest.fixture(scope="module")
def media() -> Iterator[MediaOpener]:
    with MediaOpener() as opener:
        yield opener


@pytest.mark.parametrize("name", GOOD)
def test_open__what_its_name_says__opens(media: MediaOpener, name: str) -> None:
    kind = kind_of(name)
    assert kind is not None
    assert media.open(kind, GOOD[name]()) is Opened.YES


@pytest.mark.parametrize("name", GOOD)
def test_open__noise_under_its_name__does_not_open(media: MediaOpener, name: str) -> None:
    assert media.open(kind_of(name) or "", os.urandom(5_000)) is Opened.NO


@pytest.mark.parametrize("name", ["a.jpg", "a.parquet", "a.onnx", "a.safetensors", "a.wav"])
def test_open__cut_short__does_not_open(media: MediaOpener, name: str) -> None:
    data = GOOD[name]()
    assert media.open(kind_of(name) or "", data[: len(data) // 2]) is Opened.NO


@pytest.mark.parametrize("name", GOOD)
def test_openers__by_themselves__tell_good_from_damaged(name: str) -> None:
    """What the child runs, in this process: of its own lines a limited child tells nothing."""
    opens = media_child.OPENERS[kind_of(name) or ""]
    good = GOOD[name]()
    assert opens(good)
    for damaged in (b"", good[: len(good) // 3], os.urandom(5_000)):
        try:
            is_open = opens(damaged)
        except Exception:  # any reader may raise what it likes; the child takes it for a no
            continue
        # A part of a text is one, too, and of archives the end alone is looked at.
        assert not is_open or (kind_of(name) in ("TEXT", "ZIP") and damaged in good)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("WAV", b"RIFF\x24\0\0\0WAVEfmt \x02\0\0\0ab"),
        ("FLAC", b"fLaC\0\0\0\x02ab"),
        (
            "SAFETENSORS",
            struct.pack("<Q", 47) + b'{"w": {"dtype": "F32", "data_offsets": [4, 8]}}' * 2,
        ),
        ("ONNX", b"\x08\x01\x3b"),
        ("ONNX", b"\xff" * 12),
        ("ONNX", b"\x09" + bytes(8) + b"\x0d" + bytes(4)),
        ("JSONL", b"\n\n"),
    ],
)
def test_openers__damaged_within__is_seen(
    kind: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_child, "_limit", lambda _: None)  # it is for the child alone
    assert media_child._open(kind, data, 5.0) == media_child.FAILS


def test_openers__more_pixels_than_are_opened__do_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_child, "_limit", lambda _: None)
    monkeypatch.setattr(media_child, "MAX_PIXELS", 100)
    assert not media_child.OPENERS["PNG"](picture("PNG"))
    assert media_child._open("PNG", picture("PNG"), 5.0) == media_child.FAILS
    assert media_child._open("?", b"", 5.0) == media_child.LACKS


def test_open__one_kind_under_the_name_of_another__does_not_open(media: MediaOpener) -> None:
    assert media.open("JPEG", GOOD["a.PNG"]()) is Opened.NO


def test_open__nothing_known_of_its_kind__is_unknown(media: MediaOpener) -> None:
    assert kind_of("film.mp4") is None
    assert is_typed("film.mp4")
    assert media.open("", b"") is Opened.UNKNOWN


def test_open__takes_more_memory_than_granted__does_not_open() -> None:
    image = pytest.importorskip("PIL.Image")
    sink = io.BytesIO()
    image.new("1", (6_500, 6_500)).save(sink, "PNG")
    with MediaOpener() as media:
        assert media.open("PNG", sink.getvalue()) is Opened.NO
        assert media.open("JSON", b"1") is Opened.YES


def test_kind_of__name_of_a_column__says_its_type() -> None:
    assert kind_of("jpeg") == "JPEG"
    assert kind_of("photo.png") == "PNG"
    assert kind_of("embedding") is None
    assert kind_of("image") is None


def test_is_typed__names_of_people_and_numbers__say_no_type() -> None:
    assert not any(map(is_typed, ["Dr. Smith", "v1.0", "2024.12", "plain", "a.", ".hidden x"]))
    assert all(map(is_typed, ["a.mp4", "b/c.JPG", "x.7z", "y.h5"]))


def test_open__child_is_broken_into__has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUTHMARK_PASSPHRASE", "secret")
    monkeypatch.setenv("OPERATOR_KEY", "secret")
    with MediaOpener() as media:
        assert media.open("JSON", b"1") is Opened.YES
        child = media._child
        assert child is not None
        environment = Path(f"/proc/{child._process.pid}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"secret" not in environment
