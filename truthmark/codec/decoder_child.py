# SPDX-License-Identifier: Apache-2.0
"""The process that decodes Arrow from outside; run by path, imports nothing of Truthmark.

A small file can claim gigabytes, and a changed offset makes Arrow read where nothing is mapped.
Here both end in an error or in the death of this process, never in harm to the reader's. Memory
and processor time are limited for each request, every array is validated in full before it is
touched, and what passed is handed back as an uncompressed Arrow stream in sealed shared memory.

No extension type is ever made here or behind: pyarrow writes one wrongly whose storage has no
validity bitmap, and believes its parameters. Columns keep their storage, and their fields say
under `RENAMED` what they were called.

One request and one reply at a time over a SEQPACKET socket whose number is the argument:
request  `kind, size, head, limit` with the input as a file descriptor;
reply    `status, size, message` with the output as a file descriptor when status is 0.
"""

import contextlib
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

REQUEST = struct.Struct(">BQQQ")
REPLY = struct.Struct(">BQ")
STREAM, FILE, SEGMENT = 0, 1, 2
OK, MALFORMED, TOO_LARGE, UNABLE = 0, 1, 2, 3
SLACK = 64 << 20
PROCESSOR_SECONDS = 60
"""What honest bytes take is less than a fiftieth of it; waiting for others does not count."""
FRAME = 64 << 10
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
MAX_ARRAYS = 1_000_000
"""Fields at any depth times batches: each array takes memory of who reads, however short it is."""
CONTINUATION = b"\xff\xff\xff\xff"
"""Before the length of an Arrow message, where no length of frames can be."""
STREAM_END = CONTINUATION + bytes(4)
MAX_FRAME = 8 << 20
"""Bytes that a zstd frame may decompress to: every decoder can keep as much in sight."""
MAX_BLOCKS = 1 << 16
"""Of all frames of a segment: each takes time to go over, however little is in it."""
EXTENSION = b"ARROW:extension:"
RENAMED = b"truthmark:extension:"
# All that pyarrow 24 to 26 register by themselves; one of a later version is refused.
EXTENSIONS = (
    "arrow.bool8",
    "arrow.fixed_shape_tensor",
    "arrow.json",
    "arrow.opaque",
    "arrow.uuid",
    "arrow.variable_shape_tensor",
    "arrow.timestamp_with_offset",
    "arrow.parquet.variant",
    "parquet.variant",
)


def main(number: int) -> None:
    """Serve requests until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=number)
    # Arrow does without it; loading it takes three times as long as all else here.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    _forget_extensions()
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 64, 1)
        if not message:
            return
        kind, size, head, limit = REQUEST.unpack(message)
        memory, is_granted = 0, False
        output = os.memfd_create("tmk-decoded", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            source = mmap.mmap(descriptors[0], size, prot=mmap.PROT_READ) if size else b""
            os.close(descriptors[0])
            # Decoded buffers once; once more dictionaries that grow by deltas, or messages between
            # their frames and their schema.
            memory = 2 * limit + SLACK
            is_granted = _set_limits(_address_space() + memory, limit + size + FRAME)
            _decode(kind, source, head, limit, output)
            fcntl.fcntl(output, fcntl.F_ADD_SEALS, SEALS)
            reply = REPLY.pack(OK, os.fstat(output).st_size)
            socket.send_fds(channel, [reply], [output])
        except Exception as error:
            _set_limits(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            status = _status(error) if is_granted and _can_have(memory) else UNABLE
            channel.send(REPLY.pack(status, 0) + _one_line(error))
        finally:
            os.close(output)
            _set_limits(resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def _decode(kind: int, source: "mmap.mmap | bytes", head: int, limit: int, output: int) -> None:
    import pyarrow as pa

    buffer = pa.py_buffer(source)
    options = pa.ipc.IpcReadOptions(use_threads=False)
    end = None
    if kind == FILE:
        file = pa.ipc.open_file(buffer, options=options)
        schema = file.schema
        batches = (file.get_batch(i) for i in range(file.num_record_batches))
    else:
        if kind == SEGMENT and source[head : head + 4] != CONTINUATION:
            buffer, end = _unpacked(buffer, head, limit)
        stream = pa.BufferReader(buffer)
        batches = pa.ipc.open_stream(stream, options=options)
        schema = batches.schema
    with (
        os.fdopen(output, "wb", closefd=False) as sink,
        pa.ipc.new_stream(sink, storage_schema(schema)) as writer,
    ):
        fields, arrays = count_fields(schema), 0
        for batch in batches:
            arrays += fields
            if arrays > MAX_ARRAYS:
                raise ValueError(f"more than {MAX_ARRAYS:,} arrays, of all fields in all batches")
            batch.validate(full=True)
            writer.write_batch(batch)
    if end is not None and stream.tell() != end:
        raise ValueError("its frames hold more than a stream, or the stream has no end")


def _unpacked(buffer: "pa.Buffer", head: int, size: int) -> "tuple[pa.Buffer, int]":
    """Return a stream whose messages stand in zstd frames behind its schema, and where it ends.

    Args:
        buffer: the schema message, then the segment: length of the frames, frames.
        head: bytes of the schema message.
        size: what the frames decompress to, exactly.
    """
    import pyarrow as pa

    data = memoryview(buffer).cast("B")[head:]
    length = int.from_bytes(data[:4], "little")
    if not 0 < length <= len(data) - 4:
        raise ValueError("its frames have no length, or end behind it")
    if content_size(data[4 : 4 + length]) != size:
        raise ValueError("its frames do not hold as much as it declares")
    messages = pa.Codec("zstd").decompress(buffer.slice(head + 4, length), decompressed_size=size)
    if bytes(memoryview(messages)[-len(STREAM_END) :]) != STREAM_END:
        raise ValueError("its frames do not end where the stream does")
    # Behind its end Arrow would take zeros for another one, which the caller sees.
    stream = b"".join((buffer.slice(0, head), messages, bytes(len(STREAM_END))))
    return pa.py_buffer(stream), head + size


def content_size(frames: memoryview) -> int:
    """Return what zstd frames say that they decompress to.

    Only frames are taken of which every decoder makes the same: each says how much is in it, and
    keeps all of that in sight; there is nothing that is skipped, and no dictionary.
    """
    at = total = blocks = 0
    while at < len(frames):
        descriptor = frames[at + 4] if at + 4 < len(frames) else 0
        # Without a dictionary and reserved bits, of a single segment.
        if bytes(frames[at : at + 4]) != b"\x28\xb5\x2f\xfd" or descriptor & 0x2B != 0x20:
            raise ValueError("its frames are not of the kind that is taken")
        width = 1 << (descriptor >> 6)
        size = int.from_bytes(frames[at + 5 : at + 5 + width], "little")
        size += 256 if width == 2 else 0
        if size > MAX_FRAME:
            raise ValueError(f"one of its frames holds more than {MAX_FRAME:,} bytes")
        total += size
        at += 5 + width
        is_last = False
        while not is_last:
            blocks += 1
            if at + 3 > len(frames) or blocks > MAX_BLOCKS:
                raise ValueError("its frames are cut off, or have too many blocks")
            header = int.from_bytes(frames[at : at + 3], "little")
            is_last, is_repeated = bool(header & 1), header & 6 == 2
            at += 3 + (1 if is_repeated else header >> 3)
        at += descriptor & 4  # a checksum
    if at != len(frames):
        raise ValueError("its frames are cut off")
    return total


def count_fields(schema: "pa.Schema") -> int:
    """Return how many fields a schema has at any depth."""
    count, fields = 0, list(schema)
    while fields:
        count += 1
        fields += fields_of(fields.pop().type)
    return count


def fields_of(kind: "pa.DataType") -> "list[pa.Field]":
    """Return the fields within a type, those of a dictionary's values too."""
    import pyarrow as pa

    while isinstance(kind, pa.DictionaryType | pa.BaseExtensionType):
        is_dictionary = isinstance(kind, pa.DictionaryType)
        kind = kind.value_type if is_dictionary else kind.storage_type
    return [kind.field(i) for i in range(kind.num_fields)]


def storage_schema(schema: "pa.Schema") -> "pa.Schema":
    """Return a schema in which extensions, at any depth, are their storage under another name."""
    import pyarrow as pa

    if EXTENSION not in schema.serialize().to_pybytes():
        return schema
    made = pa.schema([_storage_field(field) for field in schema], metadata=schema.metadata)
    if EXTENSION in made.serialize().to_pybytes():
        raise ValueError(f"a name or a text of the schema holds {EXTENSION.decode()}")
    return made


def _storage_field(field: "pa.Field") -> "pa.Field":
    import pyarrow as pa

    metadata = {
        RENAMED + key.removeprefix(EXTENSION) if key.startswith(EXTENSION) else key: value
        for key, value in (field.metadata or {}).items()
    }
    return pa.field(field.name, _storage_type(field.type), field.nullable, metadata or None)


def _storage_type(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _storage_type(kind.storage_type)
    if isinstance(kind, pa.DictionaryType):
        value = _storage_type(kind.value_type)
        return pa.dictionary(kind.index_type, value, kind.ordered)
    parts = [_storage_field(kind.field(i)) for i in range(kind.num_fields)]
    if not parts:
        return kind
    return rebuilt_type(kind, parts)


def rebuilt_type(kind: "pa.DataType", parts: "list[pa.Field]") -> "pa.DataType":
    """Return a nested type with `parts` as its fields."""
    import pyarrow as pa

    if isinstance(kind, pa.StructType):
        return pa.struct(parts)
    if isinstance(kind, pa.FixedSizeListType):
        return pa.list_(parts[0], kind.list_size)
    if isinstance(kind, pa.MapType):
        entries = parts[0].type
        return pa.map_(entries.field(0), entries.field(1), keys_sorted=kind.keys_sorted)
    if isinstance(kind, pa.UnionType):
        return pa.union(parts, kind.mode, kind.type_codes)
    if isinstance(kind, pa.RunEndEncodedType):
        return pa.run_end_encoded(parts[0].type, parts[1].type)
    for list_type, make in (
        (pa.ListType, pa.list_),
        (pa.LargeListType, pa.large_list),
        (pa.ListViewType, pa.list_view),
        (pa.LargeListViewType, pa.large_list_view),
    ):
        if isinstance(kind, list_type):
            return make(parts[0])
    raise TypeError(f"the type {kind} is not known")


def _forget_extensions() -> None:
    """Make every extension type unknown to this process, so that its storage is read."""
    import pyarrow as pa

    for name in EXTENSIONS:
        with contextlib.suppress(KeyError):
            pa.unregister_extension_type(name)


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (as little as possible here)
        return int(file.read().split()[0]) * resource.getpagesize()


def _status(error: Exception) -> int:
    """Return what an error says of the bytes, on a computer that grants all that they may take."""
    if isinstance(error, MemoryError):
        return TOO_LARGE
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EFBIG:
        return TOO_LARGE
    if number in (errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE):
        return UNABLE
    return MALFORMED


def _can_have(memory: int) -> bool:
    """Whether this computer grants so much memory at all."""
    try:
        mmap.mmap(-1, max(memory, 1)).close()
    except (OSError, MemoryError, ValueError):
        return False
    return True


def _set_limits(address_space: int, file_size: int) -> bool:
    """Limit memory and processor time; return whether this computer grants as much as that."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + PROCESSOR_SECONDS
    is_granted = True
    # Shared memory is a file to the kernel, so its size is limited as one.
    for kind, size in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CPU, seconds),
    ):
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY and (size == resource.RLIM_INFINITY or size > hard):
            if kind != resource.RLIMIT_CPU and size != resource.RLIM_INFINITY:
                is_granted = False  # less processor time ends in a signal of its own
            size = hard
        resource.setrlimit(kind, (size, hard))
    return is_granted


def _one_line(error: BaseException) -> bytes:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300].encode("utf-8", "replace")


if __name__ == "__main__":
    main(int(sys.argv[1]))
