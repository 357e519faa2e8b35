# SPDX-License-Identifier: Apache-2.0
"""What has its final name is on disk before."""

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from truthmark.codec import barrier, durable
from truthmark.errors import CodecError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what reaches the disk, in order."""
    made: list[str] = []

    def noting(name: str, original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            made.append(name)
            return original(*arguments, **options)

        return call

    monkeypatch.setattr(os, "fsync", noting("fsync", os.fsync))
    monkeypatch.setattr(os, "rename", noting("rename", os.rename))
    monkeypatch.setattr(barrier, "sync_file_system", noting("syncfs", barrier.sync_file_system))
    return made


def fill(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / str(number % 7)).mkdir(exist_ok=True)
        (folder / str(number % 7) / f"{number}.txt").write_text("x")


def test_new_folder__few_files__are_synced_each_before_the_name(
    tmp_path: Path, calls: list[str]
) -> None:
    with durable.new_folder(tmp_path / "out") as folder:
        fill(folder, 3)
    # Three files, their three folders, the folder itself; and its parent at the end.
    assert calls == ["fsync"] * 7 + ["rename", "fsync"]


def test_new_folder__many_files__are_synced_at_once_before_the_name(
    tmp_path: Path, calls: list[str]
) -> None:
    with durable.new_folder(tmp_path / "out", lambda: calls.append("finished")) as folder:
        fill(folder, durable.MANY_FILES)
    assert calls[0] == "syncfs"
    assert calls[-3:] == ["finished", "rename", "fsync"]
    if len(calls) > 4:  # a file system on which a barrier cannot be relied on
        assert calls[1:-3] == ["fsync"] * (durable.MANY_FILES + 8)


def test_new_folder__many_files_without_a_barrier__are_synced_each(
    tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(barrier, "sync_file_system", lambda _: False)
    with durable.new_folder(tmp_path / "out") as folder:
        fill(folder, durable.MANY_FILES)
    assert calls == ["fsync"] * (durable.MANY_FILES + 8) + ["rename", "fsync"]


def test_new_folder__barrier_fails__leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        def fstatfs(self, _: int, answer: object) -> int:
            answer[0] = answer[1] = 0xEF53  # type: ignore[index]
            return 0

        def syncfs(self, _: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1

    monkeypatch.setattr(barrier, "_libc", Library)
    with (
        pytest.raises(CodecError, match="could not be written"),
        durable.new_folder(tmp_path / "out") as folder,
    ):
        fill(folder, durable.MANY_FILES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "release", "holds"),
    [(0xEF53, "6.1.0", True), (0xEF53, "5.7.19", False), (0x65735546, "6.1.0", False)],
)
def test_sync_file_system__elsewhere__is_not_relied_on(
    kind: int, release: str, holds: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        synced = 0

        def fstatfs(self, _: int, answer: object) -> int:
            answer[0] = answer[1] = kind  # type: ignore[index]
            return 0

        def syncfs(self, _: int) -> int:
            self.synced += 1
            return 0

    library = Library()
    system = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*system[:2], release, *system[3:])))
    monkeypatch.setattr(barrier.ctypes, "CDLL", lambda *_, **__: library)
    barrier._libc.cache_clear()
    try:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        assert barrier.sync_file_system(descriptor) is holds
        os.close(descriptor)
        assert library.synced == holds
    finally:
        barrier._libc.cache_clear()


def test_new_folder__finished_raises__leaves_nothing(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), durable.new_folder(tmp_path / "out", stop) as folder:
        fill(folder, 3)
    assert list(tmp_path.iterdir()) == []
