# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C that was swallowed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from truthmark.cli import interrupts
from truthmark.cli.output import ask


@pytest.fixture(autouse=True)
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(interrupts, "_was_interrupted", False)
    before = signal.getsignal(signal.SIGINT)
    interrupts.listen()
    yield
    signal.signal(signal.SIGINT, before)


def test_ask__interrupt_swallowed_by_a_library__is_not_answered_by_yes() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        ask("pay 5 TUSD?", yes=True)


def test_ask__nothing_happened__yes_is_yes() -> None:
    assert ask("pay 5 TUSD?", yes=True)


@pytest.mark.parametrize("module", ["click", "truthmark.cli.main", "truthmark.cli.browse"])
def test_main__interrupted_while_modules_are_loaded__ends_quietly(module: str) -> None:
    program = f"""
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["truthmark", "search"]
from truthmark.cli.start import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_start__before_it_listens__loads_nothing_else() -> None:
    # Python itself takes a moment to start; nothing of ours may add to it.
    program = (
        "import sys; before = set(sys.modules); import truthmark.cli.start;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["truthmark", "truthmark.cli", "truthmark.cli.start"]


def test_main__interrupts_are_ignored_by_the_starter__stays_so() -> None:
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import truthmark.cli.start;"
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
