# SPDX-License-Identifier: Apache-2.0
"""The set-up does each step once, again when its inputs change, and never trusts half a step."""

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
