# SPDX-License-Identifier: Apache-2.0
"""The set-up does each step once, again when its inputs change, and never trusts half a step."""

import hashlib
import os
import re
import shutil
import subprocess
import zipfile

import pytest

from tools import bootstrap


def install(progress):
    (bootstrap.VENV / "bin" / "tool").touch()


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """Return the lock file of a tree with an empty environment."""
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    (tmp_path / "bin").mkdir()
    lock = tmp_path / "lock"
    lock.write_text("one")
    return lock


def step(lock, action=install):
    """Return the step as each new run of the set-up makes it."""
    return bootstrap.Step("packages", "install", [lock], "tool", action)


def test_run__first_time__is_done_then(lock):
    assert not step(lock).is_done()
    step(lock).run("[1/1]")
    assert step(lock).is_done()


def test_is_done__lock_changed__no_more(lock):
    step(lock).run("[1/1]")
    lock.write_text("two")
    assert not step(lock).is_done()


def test_is_done__result_removed__no_more(lock):
    step(lock).run("[1/1]")
    (bootstrap.VENV / "bin" / "tool").unlink()
    assert not step(lock).is_done()


def test_run__interrupted__leaves_no_stamp(lock):
    def interrupted(progress):
        (bootstrap.VENV / "bin" / "tool").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        step(lock, interrupted).run("[1/1]")
    assert not step(lock).is_done()


def test_find_python__none_that_fits__says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(bootstrap, "_version_of", lambda python: (3, 9))
    with pytest.raises(bootstrap.BootstrapError, match=r"3\.9.*apt-get install python3\.11"):
        bootstrap._find_python()


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("ERROR: No matching distribution found for click==8.1.8", "cannot be reached"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE", "tampered"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("something else", "again"),
    ],
)
def test_advise_pip__known_failures__says_what_to_do(output, advice):
    assert advice in bootstrap._advise_pip(output)


# ------------------------------------------- an index that has gone on since the day of the lock


def wheel(folder, name, version, requires=()):
    """Write a wheel that holds nothing but its metadata."""
    info = f"{name}-{version}.dist-info"
    lines = [f"Requires-Dist: {r}" for r in requires]
    extras = ["Provides-Extra: fast"] if any("extra ==" in r for r in requires) else []
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *extras, *lines]
    path = folder / name / f"{name}-{version}-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    links = "".join(f'<a href="{file.name}">{file.name}</a>' for file in path.parent.glob("*.whl"))
    (path.parent / "index.html").write_text(links)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Return a package index in which everything is newer than what `locked` names."""
    folder = tmp_path / "index"
    fast = ("engine>=1; extra == 'fast'",)
    locked = [
        wheel(folder, "tool", "1.0", ["speed[fast]>=1"]),
        wheel(folder, "speed", "1.0", fast),
        wheel(folder, "engine", "1.0"),
    ]
    wheel(folder, "tool", "2.0", ["speed[fast]>=2"])
    wheel(folder, "speed", "1.1", [*fast, "another"])
    wheel(folder, "speed", "2.0", fast)
    wheel(folder, "engine", "2.0")
    wheel(folder, "another", "1.0")
    monkeypatch.setenv("PIP_INDEX_URL", folder.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    return locked


def move(monkeypatch, venv):
    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "PYTHON", venv / "bin" / "python")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Run the set-up's first step once, which takes longer than all that follows."""
    venv = tmp_path_factory.mktemp("made") / "venv"
    with pytest.MonkeyPatch.context() as monkeypatch:
        move(monkeypatch, venv)
        monkeypatch.setattr(bootstrap, "LOG", venv.with_name("log"))
        first, *_ = bootstrap._steps()
        first.run("[1/2]")
        assert first.is_done()
    return venv


@pytest.fixture
def places(tmp_path, monkeypatch, made):
    """Move all that the set-up writes into a folder; return its lock files."""
    names = {"packages": "requirements.lock", "vyper-lint": "vyper-lint.lock"}
    locks = {name: tmp_path / file for name, file in names.items()}
    move(monkeypatch, shutil.copytree(made, tmp_path / "venv", symlinks=True))
    monkeypatch.setattr(bootstrap, "LOCK", locks["packages"])
    monkeypatch.setattr(bootstrap, "LOCKS", tmp_path)
    monkeypatch.setattr(bootstrap, "LOG", tmp_path / "log")
    for lock in locks.values():
        lock.write_text("")
    return locks


def install_locked(name):
    """Run the set-up's own step that installs a lock; return its Python."""
    _, packages, *_ = bootstrap._steps()
    if name == "packages":
        packages.run("[2/2]")
        return bootstrap.VENV / "bin" / "python"
    bootstrap._extra_step(name).run("[2/2]")
    return bootstrap.VENV / name / "bin" / "python"


@pytest.mark.parametrize("name", ["packages", "vyper-lint"])
def test_install__newer_versions_in_the_index__takes_what_is_locked(index, places, name):
    places[name].write_text("\n".join(index))
    python = install_locked(name)
    frozen = subprocess.check_output([python, "-m", "pip", "freeze"], text=True)
    assert frozen.split() == ["engine==1.0", "speed==1.0", "tool==1.0"]
    # With its resolver pip stops at the very same lock: it wants the newest engine for the extra.
    command = [python, "-m", "pip", "install", "--require-hashes", "--force-reinstall"]
    resolved = subprocess.run([*command, "-r", places[name]], capture_output=True, text=True)
    assert "must have their versions pinned" in resolved.stderr


def test_install__lock_lacks_a_package__is_refused(index, places):
    places["packages"].write_text("\n".join(line for line in index if "speed" not in line))
    with pytest.raises(bootstrap.BootstrapError, match=r"lock is not whole.*speed"):
        install_locked("packages")


def test_install__other_bytes_than_locked__is_refused(index, places):
    other = [
        re.sub("sha256:..", "sha256:" + ("00" if ":ff" in line else "ff"), line) for line in index
    ]
    places["packages"].write_text("\n".join(other))
    with pytest.raises(bootstrap.BootstrapError, match="tampered"):
        install_locked("packages")
