# SPDX-License-Identifier: Apache-2.0
"""Files opened as what they are named: each kind opens, and noise under its name does not."""

import io
import json
import os
import random
import struct
import wave
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.utils.onnx_models import softmax
from truthmark.codec import media as media_module
from truthmark.codec import media_child
from truthmark.codec.media import MediaOpener, Opened, is_typed, kind_of
from truthmark.codec.media_ends import bytes_behind
from truthmark.errors import UnableError


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


def crc(data: bytes, poly: int, bits: int) -> bytes:
    rest = int.from_bytes(data, "big") << bits
    for at in range(rest.bit_length() - 1, bits - 1, -1):
        rest ^= (poly << (at - bits)) if rest >> at & 1 else 0
    return rest.to_bytes(bits // 8, "big")


def flac(frames: int = 3) -> bytes:
    """Return silence of 16 bits, one channel, 192 samples a frame."""
    data = b"fLaC\x80\x00\x00\x22" + bytes(34)
    for number in range(frames):
        head = b"\xff\xf8\x19\x08" + bytes([number])
        frame = head + crc(head, 0x107, 8) + bytes(3)
        data += frame + crc(frame, 0x18005, 16)
    return data


def onnx(graph: bytes) -> bytes:
    return b"\x08\x08\x3a" + bytes([len(graph)]) + graph


GOOD = {
    "a.jpg": lambda: picture("JPEG"),
    "a.PNG": lambda: picture("PNG"),
    "a.webp": lambda: picture("WEBP"),
    "a.gif": lambda: picture("GIF"),
    "a.wav": sound,
    "a.flac": flac,
    "a.json": lambda: b'{"a": [1, 2]}',
    "a.jsonl": lambda: b'{"a": 1}\n{"a": 2}\n',
    # Ends of lines elsewhere, and in JSON what a text may have as it is.
    "b.jsonl": lambda: '{"a": "x\u2028y\u2029z\x85"}\r\n\r\n["\x7f"]'.encode(),
    "b.flac": lambda: flac() + b"TAG" + bytes(125),
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


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.parquet", "a.onnx", "a.safetensors", "a.wav", "a.flac"]
)
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
        ("FLAC", flac() + bytes([7])),
        ("FLAC", b"fLaC\x80\0\0\x22" + bytes(34) + b"\xff\xf8" + random.Random(1).randbytes(999)),
        (
            "SAFETENSORS",
            safetensors().replace(b'"shape": [2]', b'"shape": [9]'),
        ),
        ("ONNX", onnx(b"noise of a graph")),
        ("ONNX", onnx(b"")),
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


@pytest.mark.parametrize("name", ["a.jpg", "a.PNG", "a.webp", "a.gif", "a.wav"])
@pytest.mark.parametrize("behind", [0, 1_000])
def test_bytes_behind__noise_behind_a_picture__is_counted(name: str, behind: int) -> None:
    """It opens all the same, and would vouch for the noise."""
    kind, data = kind_of(name) or "", GOOD[name]()
    assert bytes_behind(kind, data + os.urandom(behind)) == behind


def test_bytes_behind__other_pictures_and_cut_ones__have_none() -> None:
    image = pytest.importorskip("PIL.Image")
    noisy = image.frombytes("RGB", (90, 70), os.urandom(90 * 70 * 3))
    for name in ("JPEG", "PNG", "GIF", "WEBP"):
        for options in ({}, {"progressive": True, "quality": 95}):
            sink = io.BytesIO()
            noisy.save(sink, name, **options)
            data = sink.getvalue()
            assert bytes_behind(name, data) == 0
            for end in range(0, len(data), 97):
                assert bytes_behind(name, data[:end]) == 0
    assert bytes_behind("JSON", b"1") == bytes_behind("PNG", b"\0" * 99) == 0
    assert bytes_behind("GIF", b"GIF89a" + b"\xff" * 99) == 0


CHILD = """
import os, signal, sys, time
sys.stdin.buffer.read(1)
{}
"""


@pytest.mark.parametrize(
    ("end", "is_of_the_file"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", False),  # as for memory
        ("os.kill(os.getpid(), signal.SIGTERM)", False),
        ("sys.exit(1)", False),
        ("time.sleep(60)", False),
        ("os.kill(os.getpid(), signal.SIGSEGV)", True),
        ("os.abort()", True),
        ("os.kill(os.getpid(), signal.SIGXCPU)", True),
    ],
)
def test_open__child_ends__says_whose_fault_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, is_of_the_file: bool
) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(end))
    monkeypatch.setattr(media_child, "__file__", str(script))
    monkeypatch.setattr(media_child, "START_SECONDS", 0.0 if "sleep" in end else 30.0)
    with MediaOpener(seconds=0.02 if "sleep" in end else 60.0) as media:
        if is_of_the_file:
            assert media.open("JSON", b"1") is Opened.NO
        else:
            with pytest.raises(UnableError, match="ended from outside, or was too slow"):
                media.open("JSON", b"1")


def test_open__child_was_ended_while_idle__is_replaced() -> None:
    with MediaOpener() as media:
        assert media.open("JSON", b"1") is Opened.YES
        assert media._child is not None
        media._child._process.kill()
        assert media.open("JSON", b"1") is Opened.YES


@pytest.mark.parametrize("missing", ["PIL", "PIL.features"])
def test_open__pillow_is_not_there__is_an_error_of_this_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Not there at all, or built without what opens a kind."""
    package = tmp_path / "PIL"
    package.mkdir()
    broken = "raise ImportError" if missing == "PIL" else ""
    (package / "__init__.py").write_text(broken)
    (package / "Image.py").write_text("")
    (package / "features.py").write_text("def check(name): return False")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with MediaOpener() as media:
        for kind in ("JPEG", "PNG", "WEBP"):
            with pytest.raises(UnableError, match=r"pip install 'truthmark\[images\]'"):
                media.open(kind, b"noise")
        assert media.open("JSON", b"1") is Opened.YES


def test_open__computer_grants_less_memory__is_an_error_of_this_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "child.py"
    script.write_text(
        "import resource, runpy\n"
        "resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))\n"
        f"runpy.run_path({media_child.__file__!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(media_child, "__file__", str(script))
    with MediaOpener() as media, pytest.raises(UnableError, match="does not grant"):
        media.open("JSON", b"1")


def test_open__larger_than_any_that_is_opened__is_of_no_known_type() -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return media_child.MAX_FILE + 1

    with MediaOpener() as media:
        assert media.open("JSON", Large(b"1")) is Opened.UNKNOWN
        assert media._child is None


def test_kind_of__name_of_a_column__says_its_type() -> None:
    assert kind_of("jpeg") == "JPEG"
    assert kind_of("photo.png") == "PNG"
    assert kind_of("embedding") is None
    assert kind_of("image") is None
    assert kind_of("a/jpeg") is None


def test_kind_of__path_of_a_million_parts__is_read_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else one value of a stranger's table takes a minute, in the process of who looks."""
    made: list[int] = []

    def path(text: str) -> PurePosixPath:
        made.append(len(text))
        return PurePosixPath(text)

    monkeypatch.setattr(media_module, "PurePosixPath", path)
    long = "a/" * 1_000_000
    assert kind_of(long + "cat.JPG") == kind_of(long + "cat.jpg/") == "JPEG"
    assert kind_of(long) is None and kind_of("jpeg" * 100_000) is None
    assert is_typed(long + "cat.mp4") and not is_typed(long)
    assert max(made) <= 4_096


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
