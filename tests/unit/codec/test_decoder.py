# SPDX-License-Identifier: Apache-2.0
"""The child process that decodes what comes from outside."""

import contextlib
import os
import resource
import signal
import site
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.utils.containers import stream_of
from truthmark.codec import decoder, decoder_child, segments
from truthmark.codec.child_environment import child_command, child_environment
from truthmark.errors import CodecError, LimitError, MalformedError, UnableError

TABLE = pa.table({"x": [1, 2, 3]})


@pytest.fixture
def fresh() -> Iterator[decoder.Decoder]:
    made = decoder.Decoder()
    yield made
    made.close()


def decode(made: decoder.Decoder, data: bytes, limit: int = 1 << 20, **options: Any) -> pa.Table:
    with made.buffer(len(data)) as view:
        view[:] = data
    return made.decode(len(data), limit, **{"what": "x", "seconds": 10.0, **options})


GOOD = b"".join(stream_of(TABLE))


def test_decode__stream__gives_the_table(fresh: decoder.Decoder) -> None:
    assert decode(fresh, GOOD).equals(TABLE)
    assert decode(fresh, GOOD + bytes(100)).equals(TABLE)


def test_decode__table__outlives_the_next_request_and_the_child(fresh: decoder.Decoder) -> None:
    first = decode(fresh, GOOD)
    decode(fresh, b"".join(stream_of(pa.table({"x": [9] * 1000}))))
    os.kill(fresh._process.pid, signal.SIGKILL)
    assert first.equals(TABLE)


@pytest.mark.parametrize("data", [b"", b"\0", b"garbage" * 10, GOOD[:20], GOOD[:-1] + b"x" * 9])
def test_decode__garbage__is_refused_and_the_child_lives_on(
    data: bytes, fresh: decoder.Decoder
) -> None:
    if data.startswith(GOOD[:100]):
        data = GOOD[: len(GOOD) // 2]
    with pytest.raises(MalformedError) as caught:
        decode(fresh, data)
    assert str(caught.value).isprintable()
    assert decode(fresh, GOOD).equals(TABLE)


def test_decode__more_than_granted__is_refused(fresh: decoder.Decoder) -> None:
    data = b"".join(stream_of(pa.table({"x": pa.array([0] * 10_000_000)}), "zstd"))
    assert len(data) < 1 << 20
    with pytest.raises(LimitError, match="declares"):
        decode(fresh, data, 1000)
    assert decode(fresh, GOOD).equals(TABLE)


def test_decode__child_was_ended_while_idle__is_replaced(fresh: decoder.Decoder) -> None:
    decode(fresh, GOOD)
    os.kill(fresh._process.pid, signal.SIGKILL)
    assert decode(fresh, GOOD).equals(TABLE)


CHILD = """
import os, signal, socket, sys
socket.socket(fileno=int(sys.argv[1])).recv(64)
{}
"""


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", UnableError),  # as for memory
        ("os.kill(os.getpid(), signal.SIGTERM)", UnableError),
        ("sys.exit(1)", UnableError),  # such as a library that cannot be loaded
        ("os.abort()", MalformedError),
        ("os.kill(os.getpid(), signal.SIGSEGV)", MalformedError),
        ("os.kill(os.getpid(), signal.SIGXCPU)", MalformedError),
    ],
)
def test_decode__child_ends__says_whose_fault_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, kind: type[Exception]
) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(end))
    monkeypatch.setattr(decoder.child, "__file__", str(script))
    made = decoder.Decoder()
    try:
        with pytest.raises(kind) as caught:
            decode(made, GOOD)
        assert type(caught.value) is kind
    finally:
        made.close()


def test_decode__child_hangs__is_an_error_of_this_computer(fresh: decoder.Decoder) -> None:
    decode(fresh, GOOD)
    os.kill(fresh._process.pid, signal.SIGSTOP)
    with pytest.raises(UnableError, match=r"within 0\.2 seconds"):
        decode(fresh, GOOD, seconds=0.2)
    assert decode(fresh, GOOD).equals(TABLE)


def test_buffer__somebody_keeps_a_part_of_it__grows_all_the_same(fresh: decoder.Decoder) -> None:
    """As an error does that was raised while a shard was opened into it."""
    kept = fresh.buffer(100)[10:20]
    data = b"".join(stream_of(pa.table({"x": list(range(5_000))})))
    assert decode(fresh, data).num_rows == 5_000
    kept.release()


LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 10, 1 << 10))
runpy.run_path({!r}, run_name="__main__")
"""


def test_decode__computer_grants_less_memory__is_an_error_of_this_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "child.py"
    script.write_text(LIMITED.format(decoder.child.__file__))
    monkeypatch.setattr(decoder.child, "__file__", str(script))
    made = decoder.Decoder()
    try:
        with pytest.raises(UnableError, match="too little free memory"):
            decode(made, b"".join(stream_of(pa.table({"x": list(range(2_000))}))))
    finally:
        made.close()


def test_decode__names_that_are_no_texts__are_refused() -> None:
    """Python cannot read them, wherever somebody asks what the columns are called."""
    nested = pa.struct([pa.field("abcd", pa.int8())])
    values = pa.dictionary(pa.int32(), nested)
    for field in (pa.field("abcd", pa.int64()), pa.field("x", nested), pa.field("x", values)):
        message = pa.schema([field]).serialize().to_pybytes()
        bad = message.replace(b"abcd", b"\xff\xfe\xff\xfe")
        with pytest.raises(MalformedError, match=r"(?i)utf-8"):
            decoder.decode_schema(bad, what="x", seconds=10)
    marked = pa.schema([pa.field("\ufffd", pa.int8())])
    message = marked.serialize().to_pybytes()
    assert decoder.decode_schema(message, what="x", seconds=10).equals(marked)


def test_decoder__child__has_no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUTHMARK_PASSPHRASE", "secret")
    made = decoder.Decoder()
    try:
        decode(made, GOOD)
        environment = Path(f"/proc/{made._process.pid}/environ").read_bytes()
    finally:
        made.close()
    assert b"PATH=" in environment and b"secret" not in environment


def test_decode__interrupt_while_waiting__does_not_mix_up_replies(
    fresh: decoder.Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode(fresh, GOOD)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(decoder.socket, "recv_fds", interrupt)
        with pytest.raises(KeyboardInterrupt):
            decode(fresh, b"".join(stream_of(pa.table({"other": [7]}))))
    assert decode(fresh, GOOD).equals(TABLE)


def test_decode__memory_that_comes_back__cannot_change(fresh: decoder.Decoder) -> None:
    table = decode(fresh, GOOD)
    buffer = table["x"].chunk(0).buffers()[1]
    assert not buffer.is_mutable


def test_decode_schema__garbage__is_refused() -> None:
    schema = TABLE.schema.serialize().to_pybytes()
    assert decoder.decode_schema(schema, what="x", seconds=10).equals(TABLE.schema)
    for bad in (b"", schema[:-8], schema[8:], b"\xff" * 64):
        with pytest.raises(MalformedError):
            decoder.decode_schema(bad, what="x", seconds=10)


def test_borrowed_decoder__after_a_fork__is_another() -> None:
    with decoder.borrowed_decoder() as mine:
        number = mine._process.pid
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        with decoder.borrowed_decoder() as theirs:
            os.write(writer, str(theirs._process.pid).encode())
            theirs._process.kill()
        os._exit(0)
    os.waitpid(pid, 0)
    assert int(os.read(reader, 100)) != number
    with decoder.borrowed_decoder() as again:
        assert decode(again, GOOD).equals(TABLE)


def test_child__imports__nothing_of_the_package() -> None:
    assert decoder_child.__file__ is not None
    assert "from truthmark" not in Path(decoder_child.__file__).read_text()


def test_child__broken_into__has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUTHMARK_PASSPHRASE", "secret")
    monkeypatch.setenv("OPERATOR_KEY", "secret")
    made = decoder.Decoder()
    try:
        assert decode(made, GOOD).equals(TABLE)
        environment = Path(f"/proc/{made._process.pid}/environ").read_bytes()
    finally:
        made.close()
    assert b"PATH=" in environment
    assert b"ARROW_DEFAULT_MEMORY_POOL=" in environment
    assert b"secret" not in environment


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process have no more files open than it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_decode__no_descriptor_is_free__is_an_error_of_this_computer(
    fresh: decoder.Decoder,
) -> None:
    """It was said of honest bytes that they are no Arrow."""
    decode(fresh, GOOD)
    with no_descriptors(), pytest.raises(UnableError, match="file descriptors"):
        decode(fresh, GOOD)
    assert decode(fresh, GOOD).equals(TABLE)


def test_borrowed_decoder__child_could_not_be_started_again__is_not_lent_again() -> None:
    with decoder.borrowed_decoder() as made:
        assert decode(made, GOOD).equals(TABLE)
        made._process.kill()
    with no_descriptors(), pytest.raises(UnableError):
        decoder.decode_stream(GOOD, 1 << 20, what="x", seconds=10)
    assert decoder.decode_stream(GOOD, 1 << 20, what="x", seconds=10).equals(TABLE)
    with decoder.borrowed_decoder() as other:
        assert other is not made


def test_buffer__cannot_be_mapped__has_no_size(fresh: decoder.Decoder) -> None:
    with no_descriptors(), pytest.raises(UnableError):
        fresh.buffer(1 << 20)
    assert fresh._size == 0
    assert len(fresh.buffer(1 << 20)) == 1 << 20


def test_map_table__memory_that_may_still_change__is_refused() -> None:
    """Somebody who broke into the child could change it behind every check, or take it away."""

    def memory(seals: int) -> int:
        made = os.memfd_create("x", os.MFD_ALLOW_SEALING)
        os.write(made, GOOD)
        decoder.fcntl.fcntl(made, decoder.fcntl.F_ADD_SEALS, seals)
        return made

    assert decoder._map_table(memory(decoder_child.SEALS), len(GOOD), 1 << 20, "x").equals(TABLE)
    for size in (0, len(GOOD) + 1, 2**63, 2**64 - 1):
        with pytest.raises(MalformedError):
            decoder._map_table(memory(decoder_child.SEALS), size, 2**64, "x")
    with pytest.raises(MalformedError):
        decoder._map_table(memory(decoder_child.SEALS), len(GOOD), len(GOOD) - 1, "x")
    for seals in (0, decoder.fcntl.F_SEAL_SHRINK | decoder.fcntl.F_SEAL_GROW):
        with pytest.raises(MalformedError):
            decoder._map_table(memory(seals), len(GOOD), 1 << 20, "x")
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(MalformedError):
        decoder._map_table(ours.detach(), len(GOOD), 1 << 20, "x")


def test_child__many_batches_of_many_columns__are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each array takes memory of who reads them, even one of nothing."""
    values = pa.array([{"a": 1.0}]).type
    schema = pa.schema([("x", pa.list_(pa.null())), ("y", pa.dictionary(pa.int8(), values))])
    assert decoder_child.count_fields(schema) == 4
    table = pa.table({"x": pa.chunked_array([[None]] * 10), "y": pa.chunked_array([[1]] * 10)})
    data = b"".join(stream_of(table))
    for most, is_taken in ((20, True), (19, False)):
        monkeypatch.setattr(decoder_child, "MAX_ARRAYS", most)
        output = os.memfd_create("x")
        with contextlib.nullcontext() if is_taken else pytest.raises(ValueError, match="arrays"):
            decoder_child._decode(decoder_child.STREAM, data, 0, 0, output)
        os.close(output)


def test_one_batch__small_batches_that_stay__are_not_packed_where_nobody_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segments, "MAX_ARRAYS", 9)
    values = [pa.array([float(i)]).dictionary_encode() for i in range(10)]
    with pytest.raises(CodecError, match="10 small batches"):
        segments.one_batch(pa.table({"x": pa.chunked_array(values)}))


def test_child_command__packages_of_one_user__are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_enabled in (True, False):
        monkeypatch.setattr(site, "ENABLE_USER_SITE", is_enabled)
        assert ("-s" in child_command("x.py")) is not is_enabled
    monkeypatch.setenv("GUIX_PYTHONPATH", "/some/where")
    assert child_environment()["GUIX_PYTHONPATH"] == "/some/where"


def test_decode__child_has_no_pyarrow__says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD.format("import no_such_pyarrow"))
    monkeypatch.setattr(decoder.child, "__file__", str(script))
    made = decoder.Decoder()
    try:
        with pytest.raises(UnableError, match="is pyarrow installed for"):
            decode(made, GOOD)
    finally:
        made.close()


def test_storage_schema__extensions_at_any_depth__are_their_storage() -> None:
    def nested(leaf: pa.DataType) -> list[pa.DataType]:
        lists = (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)
        others = [pa.list_(leaf, 2), pa.struct([("a", leaf)]), pa.map_(pa.string(), leaf)]
        union = pa.dense_union([pa.field("a", leaf)])
        return [leaf, *(make(leaf) for make in lists), *others, union]

    def schema(leaf: pa.DataType) -> pa.Schema:
        return pa.schema([(str(i), kind) for i, kind in enumerate(nested(leaf))])

    found = decoder_child.storage_schema(schema(pa.uuid()))
    assert found == schema(pa.binary(16))
    assert decoder_child.EXTENSION not in found.serialize().to_pybytes()
    assert decoder_child.storage_schema(found) is found
    known = {decoder_child.EXTENSION + b"name": b"x", b"other": b"y"}
    renamed = decoder_child.storage_schema(pa.schema([pa.field("a", pa.int8(), metadata=known)]))
    assert renamed.field(0).metadata == {decoder_child.RENAMED + b"name": b"x", b"other": b"y"}
    with pytest.raises(ValueError, match="holds"):
        decoder_child.storage_schema(pa.schema([(decoder_child.EXTENSION.decode(), pa.int8())]))
