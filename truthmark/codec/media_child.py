# SPDX-License-Identifier: Apache-2.0
"""The process that opens files from outside; run by path, imports nothing of Truthmark.

Readers of pictures and tables are written in C, and their input is a stranger's: a file can crash
them, hang them, or claim gigabytes. Here it costs this process, whose memory, processor time and
files are limited; one answer byte is all that comes back.

Each request is a head (`HEAD`: what it is said to be, its length, seconds of processor time) with
the file behind it; each reply is one byte. Of the file only `OPENS` and `FAILS` say something:
`LACKS` is of a type that nothing here opens, `MISSING` needs a library that is not installed, and
`SHORT` more than this computer grants its programs.
"""

import importlib
import io
import json
import math
import mmap
import re
import resource
import signal
import struct
import sys
import warnings
from collections.abc import Callable
from typing import Any

HEAD = ">16sQd"
OPENS, FAILS, LACKS, MISSING, SHORT = 1, 2, 3, 4, 5
MEMORY = 768 << 20
MAX_PIXELS = 40_000_000
MAX_FILE = 64 << 20
START_SECONDS = 30.0


def main() -> None:
    """Serve requests until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    warnings.simplefilter("ignore")
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(kind, (0, 0))
    while True:
        head = source.read(struct.calcsize(HEAD))
        if len(head) < struct.calcsize(HEAD):
            return
        kind, size, seconds = struct.unpack(HEAD, head)
        if size > MAX_FILE:
            return
        answer = _open(kind.strip().decode("ascii", "replace"), source.read(size), seconds)
        sink.write(bytes([answer]))
        sink.flush()


def _open(kind: str, data: bytes, seconds: float) -> int:
    opener = OPENERS.get(kind)
    if opener is None:
        return LACKS
    # Before there are limits, which are for the file and not for what reads it.
    if not _has_reader(kind):
        return MISSING
    try:
        _limit(seconds)
    except (OSError, ValueError):
        return SHORT
    try:
        return OPENS if opener(data) else FAILS
    except Exception:  # a damaged file may raise anything
        return FAILS if _can_have(MEMORY) else SHORT


def _has_reader(kind: str) -> bool:
    try:
        if kind == "PARQUET":
            importlib.import_module("pyarrow.parquet")
        elif kind in _FEATURES:
            features = importlib.import_module("PIL.features")
            importlib.import_module("PIL.Image")
            feature = _FEATURES[kind]
            return feature is None or bool(features.check(feature))
    except Exception:  # one that is there and broken is not there
        return False
    return True


def _limit(seconds: float) -> None:
    """Limit memory and processor time; raises where this computer does not grant as much."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    processor = int(used.ru_utime + used.ru_stime + seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or processor < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (processor, hard))
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (as little as possible here)
        now = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))


def _can_have(memory: int) -> bool:
    """Whether this computer grants so much memory at all."""
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        mmap.mmap(-1, memory).close()
    except (OSError, MemoryError, ValueError):
        return False
    return True


_FEATURES: dict[str, str | None] = {"JPEG": "jpg", "PNG": "zlib", "WEBP": "webp", "GIF": None}
"""What Pillow must have been built with."""


def _picture(name: str) -> Callable[[bytes], bool]:
    def opens(data: bytes) -> bool:
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = None
        # Left to guess, it opens some forty formats, of which one is handed to Ghostscript.
        with Image.open(io.BytesIO(data), formats=[name]) as picture:
            if picture.size[0] * picture.size[1] > MAX_PIXELS:
                return False
            picture.load()
        return True

    return opens


def _wav(data: bytes) -> bool:
    if data[:4] not in (b"RIFF", b"RF64") or data[8:12] != b"WAVE":
        return False
    names, at = set(), 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        names.add(name)
        if name == b"data":
            # Recorders that could not go back leave a length of nothing or of everything.
            is_whole = at + 8 + size <= len(data) or size == 0xFFFFFFFF
            return b"fmt " in names and is_whole
        at += 8 + size + size % 2
    return False


def _flac(data: bytes) -> bool:
    if data[:4] != b"fLaC" or data[4] & 0x7F:
        return False
    at = 4
    while at + 4 <= len(data):
        is_last, size = data[at] >> 7, int.from_bytes(data[at + 1 : at + 4], "big")
        at += 4 + size
        if is_last:
            # A tag that players of the nineties put behind any sound.
            end = len(data) - (128 if data[-128:-125] == b"TAG" else 0)
            # The sync code of a frame: fourteen bits, a reserved one, and the blocking strategy.
            is_frame = data[at : at + 1] == b"\xff" and data[at + 1] & 0xFE == 0xF8
            return is_frame and _crc_16(data[at:end]) == 0
    return False


def _crc_16(frames: bytes) -> int:
    """Return what is left of frames, each of which ends with its checksum: nothing."""
    table, rest = [_crc_16_of_byte(byte) for byte in range(256)], 0
    for byte in frames:
        rest = (rest << 8 & 0xFF00) ^ table[rest >> 8 ^ byte]
    return rest


def _crc_16_of_byte(byte: int) -> int:
    rest = byte << 8
    for _ in range(8):
        rest = rest << 1 ^ (0x18005 if rest & 0x8000 else 0)
    return rest


def _json(data: bytes) -> bool:
    json.loads(data.decode("utf-8-sig"))
    return True


def _json_lines(data: bytes) -> bool:
    # Unlike other ends of lines, these cannot stand in a text of JSON.
    lines = re.split(r"[\r\n]+", data.decode("utf-8-sig"))
    lines = [line for line in lines if line.strip()]
    for line in lines:
        json.loads(line)
    return bool(lines)


def _parquet(data: bytes) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data), memory_map=False)
    for batch in file.iter_batches(batch_size=4096, use_threads=False):
        batch.validate(full=True)
    return True


def _safetensors(data: bytes) -> bool:
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= len(data) - 8:
        return False
    head = json.loads(data[8 : 8 + size].decode())
    tensors = [tensor for name, tensor in head.items() if name != "__metadata__"]
    at = 0
    for tensor in sorted(tensors, key=lambda it: it["data_offsets"]):
        start, end = tensor["data_offsets"]
        if start != at or end < start or not _fits(tensor, end - start):
            return False
        at = end
    return at == len(data) - 8 - size


def _fits(tensor: dict[str, Any], size: int) -> bool:
    """Whether a tensor of its type and shape has so many bytes; of types not known here any."""
    bits = _BITS.get(tensor["dtype"])
    return bits is None or math.prod(tensor["shape"]) * bits == 8 * size


_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64"), 64),
}


def _onnx(data: bytes) -> bool:
    """Walk the fields of a ModelProto: ir_version (1) and a graph (7) must be among them."""
    model = _message(data)
    if model is None or (1, 0) not in model or (7, 2) not in model:
        return False
    # Of the graph, which has nearly all bytes, its nodes (1) or its outputs (12).
    graph = _message(model[7, 2])
    return graph is not None and ((1, 2) in graph or (12, 2) in graph)


def _message(data: bytes) -> dict[tuple[int, int], bytes] | None:
    """Return the last content of each field of a message, by number and wire type."""
    at, fields = 0, dict[tuple[int, int], bytes]()
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        size = 0
        if wire == 0:
            _, at = _varint(data, at)
        elif wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        if wire not in (0, 1, 2, 5) or not number:
            return None
        fields[number, wire] = data[at : at + size]
        at += size
    return fields if at == len(data) else None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:1024] and b"%%EOF" in data[-2048:]


def _zip(data: bytes) -> bool:
    # The end of the directory stands within the last 64 KiB.
    return data[:2] == b"PK" and b"PK\x05\x06" in data[-65_557:]


def _text(data: bytes) -> bool:
    # In any encoding: noise has an eighth of control bytes, texts have none.
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data.decode("utf-16")
        return True
    control = sum(data.count(byte) for byte in (*range(9), *range(14, 27), *range(28, 32)))
    return 100 * control <= len(data)


OPENERS: dict[str, Callable[[bytes], bool]] = {
    **{name: _picture(name) for name in ("JPEG", "PNG", "WEBP", "GIF")},
    "WAV": _wav,
    "FLAC": _flac,
    "JSON": _json,
    "JSONL": _json_lines,
    "PARQUET": _parquet,
    "SAFETENSORS": _safetensors,
    "ONNX": _onnx,
    "PDF": _pdf,
    "ZIP": _zip,
    "TEXT": _text,
}


if __name__ == "__main__":
    main()
