# SPDX-License-Identifier: Apache-2.0
"""Death by signal, and disks that refuse, at any point: the final path is whole or not there."""

import errno
import itertools
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.codec.test_large_tables import tall_table
from tests.utils.containers import P, S, pack
from truthmark.codec import extract, open_container, verify
from truthmark.codec.limits import CARD_NAME, DATA_NAME, INDEX_NAME, MANIFEST_NAME
from truthmark.errors import CodecError

PROJECT = Path(__file__).parents[2]
WHOLE = {CARD_NAME, DATA_NAME, INDEX_NAME, MANIFEST_NAME}
PACKER = """
import sys
from pathlib import Path
from tests.utils.containers import pack
from truthmark.codec import packer, decoder, files_table, container, shard_index
import pyarrow.parquet
target = Path(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
pack(Path(sys.argv[1]), target, shard_size=4096)
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    (folder / "x.bin").write_bytes(os.urandom(3_000_000))
    with pa.ipc.new_file(folder / "x.arrow", tall_table().schema) as writer:
        writer.write_table(tall_table())
    return folder


def kill_once(source: Path, target: Path, seconds: float) -> tuple[bool, float]:
    """Pack in a process that is killed after `seconds`; tell whether it had ended, and its time."""
    with subprocess.Popen(
        [sys.executable, "-c", PACKER, str(source), str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        start = time.monotonic()
        process.stdin.write(b"\n")
        process.stdin.flush()
        if seconds:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        ended = process.stdout.readline() == b"done\n"
        return ended, time.monotonic() - start


def check_whole_or_absent(target: Path) -> bool:
    if not target.exists():
        return False
    assert {path.name for path in target.iterdir()} == WHOLE
    assert verify(target).holds
    return True


def kill_many(source: Path, folder: Path, times: int) -> None:
    ended, whole_time = kill_once(source, folder / "timed", 0)
    assert ended and check_whole_or_absent(folder / "timed")
    chance = random.Random(times)
    outcomes = []
    for _ in range(times):
        target = folder / "packed"
        kill_once(source, target, chance.uniform(0.0005, 1.2 * whole_time))
        outcomes.append(check_whole_or_absent(target))
        if outcomes[-1]:
            for path in target.iterdir():
                path.unlink()
            target.rmdir()
    assert not all(outcomes), "every process ended before it was killed"
    # A later pack starts over, with a fresh secret, and takes away what the dead ones left.
    _, cek = pack(source, folder / "packed", shard_size=S)
    with open_container(folder / "packed", cek=cek) as container:
        assert container.read_bytes("x.bin") == (source / "x.bin").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"timed", "packed"}


def test_pack__killed_at_random_points__leaves_whole_or_nothing(
    source: Path, tmp_path: Path
) -> None:
    kill_many(source, tmp_path, 20)


@pytest.mark.assure
@pytest.mark.timeout(1200)
def test_pack__killed_at_very_many_points__leaves_whole_or_nothing(
    source: Path, tmp_path: Path
) -> None:
    kill_many(source, tmp_path, 200)


def test_pack__beside_one_at_work__does_not_take_its_folder(source: Path, tmp_path: Path) -> None:
    def review(*_: Any) -> None:
        with pytest.raises(Exception, match="stop here"):
            pack(source, tmp_path / "packed", review=stop)

    def stop(*_: Any) -> None:
        raise RuntimeError("stop here")

    pack(source, tmp_path / "packed", review=review)
    assert check_whole_or_absent(tmp_path / "packed")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Make the kernel refuse files longer than `size`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("processes", [1, 2])
def test_pack__disk_refuses_at_any_size__leaves_nothing(
    processes: int, source: Path, tmp_path: Path
) -> None:
    packed, _ = pack(source, tmp_path / "whole")
    size = packed.manifest.size
    for point in range(24):
        with largest_file(size * point // 24), pytest.raises(CodecError, match="make room"):
            pack(source, tmp_path / "packed", processes=processes)
        assert [path.name for path in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize("format", ["parquet", "arrow", "original"])
def test_extract__disk_refuses_at_any_size__leaves_nothing(
    format: Any, source: Path, tmp_path: Path
) -> None:
    _, cek = pack(source, tmp_path / "whole")
    with open_container(tmp_path / "whole", cek=cek) as container:
        container.to_table("x.arrow")  # the child is warm: its memory is no file of ours
        extract(container, tmp_path / "out", format)
        size = max(path.stat().st_size for path in (tmp_path / "out").iterdir())
        (tmp_path / "out").rename(tmp_path / "reference")
        for point in range(24):
            with largest_file(size * point // 24), pytest.raises(CodecError):
                extract(container, tmp_path / "out", format)
            assert {path.name for path in tmp_path.iterdir()} == {"whole", "reference"}


class FullDisk:
    """Fails the nth call that reaches the disk, and all after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
        self.left = nth
        for name in ("pwrite", "fsync", "mkdir", "rename"):
            original = getattr(os, name)

            def limited(*arguments: Any, original: Any = original, **options: Any) -> Any:
                self.left -= 1
                if self.left < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return original(*arguments, **options)

            monkeypatch.setattr(os, name, limited)


def test_pack__disk_full_at_any_call__leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(os.urandom(30 * P))
    points = 0
    for nth in itertools.count():
        with monkeypatch.context() as patch:
            disk = FullDisk(patch, nth)
            try:
                pack(tmp_path / "x", tmp_path / "packed", shard_size=S)
            except CodecError as error:
                assert "make room" in str(error)
            else:
                break
            finally:
                patch.undo()
        if (tmp_path / "packed").exists():
            # Only the sync of the parent was missing: the folder itself is whole.
            assert disk.left == -1 and check_whole_or_absent(tmp_path / "packed")
            break
        assert [path.name for path in tmp_path.iterdir()] == ["x"]
        points += 1
    assert points >= 20
