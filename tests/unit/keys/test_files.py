# SPDX-License-Identifier: Apache-2.0
"""Files of secrets are private, whole, and never replaced."""

import errno
import os
import stat

import pytest

from truthmark.errors import KeysError
from truthmark.keys import files


def test_write_new__new_file__is_whole_and_private(tmp_path):
    path = tmp_path / "a" / "b" / "secret"
    files.write_new(path, b"data")
    assert path.read_bytes() == b"data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path.parent.parent)] == [
        0o700
    ] * 2
    assert [p.name for p in path.parent.iterdir()] == ["secret"]


def test_write_new__permissive_umask__is_private_all_the_same(tmp_path):
    old = os.umask(0)
    try:
        files.write_new(tmp_path / "folder" / "secret", b"data")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "folder" / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700


def test_write_new__file_exists__leaves_it_alone(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        files.write_new(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_new__symbolic_link_in_the_place__is_not_followed(tmp_path):
    target = tmp_path / "elsewhere"
    path = tmp_path / "secret"
    path.symlink_to(target)
    with pytest.raises(FileExistsError):
        files.write_new(path, b"new")
    assert not target.exists()


def test_write_new__synced_before_it_is_named__and_its_folder_after(tmp_path, monkeypatch):
    steps = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_fsync(descriptor)

    def link(source, target):
        steps.append("link")
        real_link(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    files.write_new(tmp_path / "new" / "secret", b"data")
    # The parent of a new folder first: else a power cut loses the folder with all in it.
    assert steps == ["folder", "file", "link", "folder"]
    steps.clear()
    with pytest.raises(FileExistsError):
        files.write_new(tmp_path / "new" / "secret", b"data")
    assert steps == ["file", "link", "folder"]


@pytest.mark.parametrize("step", ["open", "fsync", "link"])
def test_write_new__disk_full__leaves_nothing(tmp_path, monkeypatch, step):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    path = tmp_path / "secret"
    monkeypatch.setattr(os, step, full)
    with pytest.raises(KeysError, match="No space left"):
        files.write_new(path, b"data")
    monkeypatch.undo()
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def no_links(monkeypatch):
    """Answer as a memory stick does, which has no hard links."""

    def install(code=errno.EPERM):
        def link(*_args, **_options):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "link", link)

    install()
    return install


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP])
def test_write_new__no_hard_links__is_written_all_the_same(tmp_path, no_links, code):
    no_links(code)
    path = tmp_path / "stick" / "secret"
    files.write_new(path, b"data")
    assert path.read_bytes() == b"data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_write_new__no_hard_links_and_file_exists__leaves_it_alone(tmp_path, no_links):
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        files.write_new(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_new__no_hard_links__is_on_disk_with_its_folder(tmp_path, no_links, monkeypatch):
    steps, real = [], os.fsync

    def fsync(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    files.write_new(tmp_path / "secret", b"data")
    assert steps == ["file", "file", "folder"]


def test_write_new__no_hard_links_and_disk_full__leaves_nothing(tmp_path, no_links, monkeypatch):
    path, real, left = tmp_path / "secret", os.fsync, [1]

    def fsync(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            left.pop()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KeysError, match="No space left"):
        files.write_new(path, b"data")
    assert list(tmp_path.iterdir()) == []


def test_make_private_folder__file_in_the_way__says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeysError, match="cannot be created"):
        files.make_private_folder(tmp_path / "file" / "folder")


def test_read_limited__file__is_returned_up_to_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert files.read_limited(path, 5) == b"12345"
    with pytest.raises(KeysError, match="larger than 4"):
        files.read_limited(path, 4)
    with pytest.raises(FileNotFoundError):
        files.read_limited(tmp_path / "nothing", 5)
    with pytest.raises(KeysError, match="cannot be read"):
        files.read_limited(tmp_path, 5)
