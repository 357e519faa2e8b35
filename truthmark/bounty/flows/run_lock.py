# SPDX-License-Identifier: Apache-2.0
"""Which bounties of a home are being run: one process each, until it ends, however it ends."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from truthmark.bounty.workspace import Workspace
from truthmark.config.files import open_lock
from truthmark.errors import BountyError
from truthmark.session import Session

_ALL: Final = "all"
_PATIENCE: Final = 1.0
"""Seconds that a look of another process at the lock may take."""


@contextlib.contextmanager
def run_lock(session: Session, numbers: Iterable[int], *, is_all: bool) -> Iterator[None]:
    """Keep others from running these bounties meanwhile.

    Args:
        session: Of the requester.
        numbers: Which bounties.
        is_all: All of this home, also those that are created meanwhile.

    Raises:
        BountyError: Another process runs one of them.
        ConfigError: The home folder cannot be written.
    """
    with contextlib.ExitStack() as held:
        for name in [*([_ALL] if is_all else []), *map(str, sorted(numbers))]:
            lock = held.enter_context(open_lock(_path(session, name)))
            if not _try(lock, fcntl.LOCK_EX, _PATIENCE):
                what = "your bounties are" if name == _ALL else f"bounty {name} is"
                raise BountyError(
                    f"{what} being run by process {_pid_of(lock) or '?'} of this machine; leave it"
                    " to that one, or end it first"
                )
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        yield


def is_running(session: Session, workspace: Workspace) -> bool:
    """Return whether a process runs a bounty, or the one of which it is a later wave.

    Args:
        session: Of the requester.
        workspace: Of a bounty that is on chain.
    """
    names, ref = [_ALL], workspace.ref
    if ref is not None:
        names.append(str(ref.bounty_id))
    job = workspace.draft.get("job")
    if isinstance(job, dict):
        # Who runs a bounty takes its later waves on, one after the other.
        earlier = {one.ref.bounty_id: one for one in Workspace.all(session.home) if one.ref}
        while isinstance(job, dict) and (before := int(job["before"])) in earlier:
            names.append(str(before))
            job = earlier[before].draft.get("job")
    return any(_is_held(_path(session, name)) for name in names)


def running_pid(session: Session, number: int) -> int | None:
    """Return which process runs a bounty by its own name; None where none does.

    Args:
        session: Of the requester.
        number: The bounty's number.
    """
    path = _path(session, str(number))
    if not _is_held(path):
        return None
    with open_lock(path) as lock:
        return _pid_of(lock)


def _pid_of(lock: IO[str]) -> int | None:
    lock.seek(0)
    text = lock.read(20)
    return int(text) if text.isdecimal() else None


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    with open_lock(path) as lock:
        return not _try(lock, fcntl.LOCK_SH, 0.0)


def _try(lock: IO[str], how: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(0.05)


def _path(session: Session, name: str) -> Path:
    return session.home / "locks" / f"{session.profile.chain_id}-bounty-run-{name}"
