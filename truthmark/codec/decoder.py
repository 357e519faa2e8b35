# SPDX-License-Identifier: Apache-2.0
"""Decodes Arrow that somebody else made, in a child process under a memory limit.

The child is kept warm and replaced when it dies. Bytes go over in shared memory: callers decrypt
straight into `Decoder.buffer`, and the table that comes back is a view of sealed memory, so that a
warm decode costs little more than decompression. It holds no extension types, and was validated
in full on both sides.

What bytes do to the child in each computer alike is said of the bytes: that they crash it, or take
more memory or processor time than `decoder_child` grants. What only happened here, as that it was
too slow or was ended by somebody else, is an `UnableError`.
"""

import atexit
import contextlib
import fcntl
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Final

from truthmark.arrow import pa
from truthmark.codec import decoder_child as child
from truthmark.codec.arrow_sizes import require_modest
from truthmark.codec.child_environment import child_command, child_environment
from truthmark.codec.storage_types import has_values, is_rebuilt, rebuilt
from truthmark.errors import LimitError, MalformedError, TruthmarkError, UnableError

_START_SECONDS: Final = 60.0
# Large blocks are given back at once: what one table took is no part of the next one's limit.
_ALLOCATOR: Final = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
}
_END_SECONDS: Final = 10.0
CRASHES: Final = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP}
)
"""Signals by which a process ends of what it reads; others come from outside."""


@contextlib.contextmanager
def _here() -> Iterator[None]:
    """Turn what the operating system refuses into an error of this computer."""
    try:
        yield
    except (OSError, MemoryError) as error:
        reason = error.strerror if isinstance(error, OSError) else "out of memory"
        raise UnableError(
            f"this computer cannot start another process, or share memory with it ({reason}); "
            "close programs, or raise their limits"
        ) from error


class Decoder:
    """One child process and the shared memory towards it; used by one thread at a time."""

    def __init__(self) -> None:
        """Start the child without waiting for it.

        Raises:
            UnableError: this computer cannot start one.
        """
        self._warm = False
        self._end: int | None = None
        with _here():
            self._descriptor = os.memfd_create("tmk-encoded", os.MFD_CLOEXEC)
        try:
            self._start()
        except BaseException:
            os.close(self._descriptor)
            raise
        self._size = 0
        self._memory: mmap.mmap | None = None

    def buffer(self, size: int) -> memoryview:
        """Return `size` writable bytes that the next `decode` reads; release before decoding."""
        if self._memory is None or size > self._size:
            if self._memory is not None:
                # An error that somebody keeps holds what it was raised over: that part stays mapped
                # for as long.
                with contextlib.suppress(BufferError):
                    self._memory.close()
                self._memory = None
            room = max(size, 2 * self._size, mmap.PAGESIZE)
            with _here():
                os.ftruncate(self._descriptor, room)
                self._memory = mmap.mmap(self._descriptor, room)
            self._size = room
        return memoryview(self._memory)[:size]

    def decode(
        self,
        size: int,
        limit: int,
        *,
        what: str,
        seconds: float,
        is_file: bool = False,
        head: int | None = None,
    ) -> "pa.Table":
        """Decode the first `size` bytes of the buffer.

        Args:
            size: bytes of an Arrow stream (or file), schema message included.
            limit: bytes that all decoded buffers may have together.
            what: names the source in errors.
            seconds: time the child gets.
            is_file: it is an Arrow IPC file instead of a stream.
            head: it is a segment of a table instead, behind a schema message of so many bytes; if
                that is in frames, these hold exactly `limit` bytes.

        Raises:
            LimitError: it decodes to more than `limit`.
            MalformedError: it is not valid Arrow, it crashed the child, or it took more processor
                time than any computer needs for it.
            UnableError: this computer was too slow, has too little memory, or the child was ended
                from outside.
        """
        kind = child.FILE if is_file else child.STREAM if head is None else child.SEGMENT
        request = child.REQUEST.pack(kind, size, head or 0, limit)
        reply, descriptors, is_cut = self._ask(request, seconds, what)
        if not reply:
            # Perhaps it was ended while it had nothing to do: what is said of the bytes, or of this
            # computer, is said of two children.
            reply, descriptors, is_cut = self._ask(request, seconds, what)
        if not reply:
            raise self._why_died(what)
        self._warm = True
        try:
            status, length = child.REPLY.unpack_from(reply)
        except struct.error as error:  # the bytes have the child in their hands
            raise MalformedError(f"{what}: cannot be decoded as Arrow; get it again") from error
        text = reply[child.REPLY.size :].decode("utf-8", "replace")
        if status == child.UNABLE:
            raise UnableError(
                f"{what}: this computer has too little free memory to decode it ({text}); close "
                "programs, or raise their limits"
            )
        if status == child.TOO_LARGE:
            raise LimitError(f"{what}: decodes to more than it declares ({text})")
        if status == child.OK and is_cut and not descriptors:
            raise UnableError(
                "this computer is out of file descriptors; close programs, or raise their limit"
            )
        if status != child.OK or not descriptors:
            raise MalformedError(f"{what}: is not valid Arrow ({text}); get it again")
        return _map_table(descriptors[0], length, limit + size + child.FRAME, what)

    def _ask(self, request: bytes, seconds: float, what: str) -> tuple[bytes, list[int], bool]:
        """Return the child's reply; an empty one if it died, and then there is another child.

        With it come its descriptors, and whether there were some that this process could not take.

        Raises:
            UnableError: It hung.
        """
        flags = 0
        try:
            # The first request also waits for the child's imports.
            self._channel.settimeout(seconds + (0 if self._warm else _START_SECONDS))
            socket.send_fds(self._channel, [request], [self._descriptor])
            reply, descriptors, flags, _ = socket.recv_fds(self._channel, 1024, 1)
        except TimeoutError as error:
            self._restart()
            raise UnableError(
                f"{what}: this computer did not decode it within {seconds:g} seconds; try again "
                "when it has less to do"
            ) from error
        except OSError:
            reply, descriptors = b"", []
        except BaseException:  # an interrupt: the reply would answer somebody else's request
            self._restart()
            raise
        if not reply:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
            self._end = self._process.returncode
            self._restart()
        return reply, descriptors, bool(flags & socket.MSG_CTRUNC)

    def _why_died(self, what: str) -> MalformedError | UnableError:
        """Return what the end of a child says."""
        code = self._end
        if code == -signal.SIGXCPU:
            return MalformedError(
                f"{what}: takes more than {child.PROCESSOR_SECONDS} seconds of processor time to "
                "decode; get it again"
            )
        if code is not None and -code in CRASHES:
            return MalformedError(f"{what}: cannot be decoded as Arrow; get it again")
        if code is not None and code > 0:
            return UnableError(
                f"{what}: the process that decodes it cannot start; is pyarrow installed for "
                f"{sys.executable}?"
            )
        return UnableError(
            f"{what}: the process that decodes it was ended from outside; see that this computer "
            "has enough free memory, and try again"
        )

    def close(self) -> None:
        """End the child and free the shared memory."""
        self._stop()
        if self._memory is not None:
            with contextlib.suppress(BufferError):
                self._memory.close()
        os.close(self._descriptor)

    def _start(self) -> None:
        with _here():
            self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, _here():
                self._process = subprocess.Popen(
                    [*child_command(child.__file__), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=child_environment() | _ALLOCATOR,
                )
        except BaseException:
            self._channel.close()
            raise

    def _stop(self) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _restart(self) -> None:
        self._stop()
        self._warm = False
        self._start()


class _Pool:
    """Idle decoders of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._idle: list[Decoder] = []

    def take(self) -> Decoder:
        with self._lock:
            if self._owner != os.getpid():
                # After a fork these are the parent's; two users of one socket would mix replies.
                self._owner, self._idle = os.getpid(), []
            if self._idle:
                return self._idle.pop()
        return Decoder()

    def give(self, decoder: Decoder) -> None:
        with self._lock:
            self._idle.append(decoder)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        if self._owner == os.getpid():
            for decoder in idle:
                decoder.close()


_pool = _Pool()
atexit.register(_pool.close)


@contextlib.contextmanager
def borrowed_decoder() -> Iterator[Decoder]:
    """Lend a decoder of this process to one thread, warm where there is one."""
    decoder = _pool.take()
    is_sound = False
    try:
        yield decoder
        is_sound = True
    except TruthmarkError as error:
        is_sound = not isinstance(error, UnableError)
        raise
    finally:
        # What this computer lacked may have left it without a child: no other has to have it.
        if is_sound:
            _pool.give(decoder)
        else:
            decoder.close()


def warm_up() -> None:
    """Start a child now, so that it imports while the caller does other work."""
    with borrowed_decoder():
        pass


def decode_stream(data: bytes, limit: int, *, what: str, seconds: float) -> "pa.Table":
    """Decode an Arrow stream held in `data`; see `Decoder.decode`."""
    return _decode_bytes(data, limit, what=what, seconds=seconds, is_file=False)


def decode_file(data: bytes, limit: int, *, what: str, seconds: float) -> "pa.Table":
    """Decode an Arrow IPC file held in `data`; see `Decoder.decode`."""
    return _decode_bytes(data, limit, what=what, seconds=seconds, is_file=True)


def decode_schema(message: bytes, *, what: str, seconds: float) -> "pa.Schema":
    """Return the schema of an encapsulated Arrow schema message."""
    # Schemas decode to no buffers at all; the slack of the child is room enough for the rest.
    return decode_stream(message + child.STREAM_END, 0, what=what, seconds=seconds).schema


def _decode_bytes(
    data: bytes, limit: int, *, what: str, seconds: float, is_file: bool
) -> "pa.Table":
    with borrowed_decoder() as decoder:
        with decoder.buffer(len(data)) as view:
            view[:] = data
        return decoder.decode(len(data), limit, what=what, seconds=seconds, is_file=is_file)


def _map_table(descriptor: int, size: int, most: int, what: str) -> "pa.Table":
    try:
        if not (_is_sealed(descriptor) and 0 < size <= most):
            raise MalformedError(f"{what}: cannot be decoded as Arrow; get it again")
        with _here():
            memory = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
    except (ValueError, OverflowError) as error:  # it is not as long as the child says
        raise MalformedError(f"{what}: cannot be decoded as Arrow; get it again") from error
    finally:
        os.close(descriptor)
    # Anyone who sent the bytes had the child in their hands: what it hands back is checked as it
    # is seen here, and before any array of it is touched.
    if memory.find(child.EXTENSION, 0, _schema_size(memory)) >= 0:
        raise MalformedError(f"{what}: comes back with an extension type; get it again")
    try:
        require_modest(memory, child.MAX_ARRAYS)
        table = pa.ipc.open_stream(pa.py_buffer(memory)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MalformedError(f"{what}: is not valid Arrow ({reason}); get it again") from error
    if not _is_text(table.schema):
        raise MalformedError(f"{what}: a name in its schema is not UTF-8; get it again")
    if not is_rebuilt(table.schema):
        return table
    if not all(map(has_values, table.schema.types)):
        raise MalformedError(
            f"{what}: has intervals beside a union or an extension type, which cannot be read; get "
            "it again"
        )
    batches = [rebuilt(batch, table.schema) for batch in table.to_batches()]
    return pa.Table.from_batches(batches, table.schema)


def _is_sealed(descriptor: int) -> bool:
    """Whether nobody can change any more what is in shared memory, nor take it away."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & child.SEALS == child.SEALS
    except OSError:  # it is something else
        return False


def _is_text(schema: "pa.Schema") -> bool:
    """Whether all names in a schema are texts: Arrow does not look, and Python cannot read them."""
    # What cannot be read comes out of Arrow's own text as this mark, which may also be meant.
    if "\ufffd" not in schema.to_string(show_field_metadata=False, show_schema_metadata=False):
        return True
    try:
        fields = list(schema)
        while fields:
            field = fields.pop()
            field.name.encode()
            fields += child.fields_of(field.type)
    except UnicodeError:
        return False
    return True


def _schema_size(memory: mmap.mmap) -> int:
    """Return the length of an encapsulated message: mark, u32 length, metadata."""
    return 8 + int.from_bytes(memory[4:8], "little")
