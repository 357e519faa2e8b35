# SPDX-License-Identifier: Apache-2.0
"""`truthmark bounty run` as processes of their own, which outlive the app and are kept alive by it.

Each holds a lock as long as it lives, so that none runs twice, no matter who started it. The
account's key goes through a pipe, and stands neither on a command line nor in an environment.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import streamlit as st

from app import ask_views as views
from truthmark.bounty.flows.own_bounties import own_bounties
from truthmark.bounty.flows.run_lock import is_running, running_pid
from truthmark.bounty.flows.running import is_done
from truthmark.bounty.workspace import Workspace
from truthmark.errors import TruthmarkError
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session, open_session
from truthmark.text import clean

LOG_NAME: Final = "run.log"
_LOOK_SECONDS: Final = 3.0
_AGAIN_SECONDS: Final = 15.0
"""How long after a start that came to nothing until the next one."""
_MAX_LOG: Final = 4 << 20
_LINES: Final = 8


@dataclass
class _Started:
    process: "subprocess.Popen[bytes]"
    at: float = field(default_factory=time.monotonic)


class Runner:
    """Keeps the bounties of one home running that were funded in the app.

    Args:
        home: The folder.
    """

    def __init__(self, home: Path) -> None:
        """Take a home; nothing is started yet."""
        self._home = home
        self._sessions: dict[bytes, Session] = {}
        self._started: dict[str, _Started] = {}
        self._change = threading.Lock()
        self._thread: threading.Thread | None = None

    def trust(self, session: Session) -> None:
        """Take an unlocked account, for whose bounties processes may be started from now on."""
        account, signer = address_bytes(session.address), session.signer
        with self._change:
            if account not in self._sessions:
                self._sessions[account] = open_session(self._home, signer=signer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bounties", daemon=True)
                self._thread.start()

    def start(self, session: Session, workspace: Workspace) -> None:
        """Run a bounty from now on; nothing happens where it is run already.

        Raises:
            BountyError: The workspace is damaged.
        """
        self.trust(session)
        (workspace.folder / LOG_NAME).touch(mode=0o600)
        self._ensure(session, workspace)

    def state(self, session: Session, workspace: Workspace) -> views.Run:
        """Return how the process of a bounty is."""
        path = workspace.folder / LOG_NAME
        lines = _tail(path)
        if is_done(workspace):
            return views.Run("done", "Everybody is paid; nothing is left to do.", lines, str(path))
        if is_running(session, workspace):
            pid = running_pid(session, workspace.ref.bounty_id) if workspace.ref else None
            which = f", as process {pid}" if pid else ""
            says = f"Running{which}: it serves labelers, signs, scores and pays out by itself."
            return views.Run("running", says, lines, str(path))
        begun = self._started.get(str(workspace.folder))
        if begun is not None and begun.process.poll() is None:
            return views.Run("starting", "Starting.", lines, str(path))
        if begun is not None or path.exists():
            says = "It stopped, and is started again while this app is open and unlocked."
            return views.Run("stopped", says, lines, str(path))
        return views.Run("stopped", "Nothing on this machine runs it.", lines, str(path))

    # ------------------------------------------------------------------- internals

    def _work(self) -> None:
        while True:
            for session in list(self._sessions.values()):
                with contextlib.suppress(TruthmarkError, OSError):  # the chain is away for now
                    self._keep_running(session)
            time.sleep(_LOOK_SECONDS)

    def _keep_running(self, session: Session) -> None:
        for _, workspace in own_bounties(session):
            with contextlib.suppress(TruthmarkError, OSError):  # seen in the log, or later
                if (workspace.folder / LOG_NAME).exists() and not is_done(workspace):
                    self._ensure(session, workspace)

    def _ensure(self, session: Session, workspace: Workspace) -> None:
        with self._change:
            name = str(workspace.folder)
            begun = self._started.get(name)
            if begun is not None:
                code = begun.process.poll()
                # What ended by itself, such as for a port that is taken, would do so again now.
                if code is None or (code >= 0 and time.monotonic() < begun.at + _AGAIN_SECONDS):
                    return
            if not is_running(session, workspace):
                self._started[name] = _Started(self._open(session, workspace))

    def _open(self, session: Session, workspace: Workspace) -> "subprocess.Popen[bytes]":
        ref = workspace.ref
        assert ref is not None  # `own_bounties` and `start` have looked
        log = workspace.folder / LOG_NAME
        is_long = log.exists() and log.stat().st_size > _MAX_LOG
        command = [sys.executable, "-m", "truthmark.cli", "--home", str(self._home)]
        command += ["--profile", session.settings.profile, "--account", "stdin"]
        with log.open("wb" if is_long else "ab") as output:
            process = subprocess.Popen(
                [*command, "bounty", "run", str(ref.bounty_id)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it goes on when the app ends
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        assert process.stdin is not None  # as was asked for
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(session.signer.private_key.hex().encode() + b"\n")
        return process


def _tail(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8_192))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(clean(line, 300) for line in lines if line.strip())[-_LINES:]


@st.cache_resource(show_spinner=False)
def runner_of(home: str) -> Runner:
    """Return the runner of a home, one for all visits."""
    return Runner(Path(home))
