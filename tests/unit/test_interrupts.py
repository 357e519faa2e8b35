# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C that was swallowed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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


def test_listen__interrupted_while_a_module_is_loaded__is_told_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = """
import os, signal, time
os.kill(os.getpid(), signal.SIGINT)
time.sleep(0.1)
whole = True
"""
    (tmp_path / "slowly_loaded.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        import slowly_loaded  # type: ignore[import-not-found]

        for _ in range(1_000):
            time.sleep(0.01)
    assert slowly_loaded.whole


def test_check__interrupted_while_a_module_was_loaded__is_told_once() -> None:
    """Else the alarm ends the command while it says that it has stopped."""
    interrupts._was_interrupted = True
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
    time.sleep(0.1)


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
    program = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.argv = ["truthmark", "--version"]
from truthmark.cli.start import main
try:
    main()
finally:
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("last", ["atexit.register(interrupt)", "kept = AtTheVeryEnd()"])
@pytest.mark.parametrize(("option", "code"), [("--version", 0), ("--nonsense", 2)])
def test_main__interrupted_when_all_is_said__ends_with_the_code_of_what_was_done(
    last: str, option: str, code: int
) -> None:
    program = f"""
import atexit, os, signal, sys
def interrupt(kill=os.kill, pid=os.getpid(), number=signal.SIGINT):
    kill(pid, number)
class AtTheVeryEnd:
    def __del__(self, interrupt=interrupt):
        interrupt()
sys.argv = ["truthmark", {option!r}]
from truthmark.cli import main as commands
from truthmark.cli.start import main
def run(before=commands.main):
    global kept
    {last}
    before()
commands.main = run
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (code == 0)


@pytest.mark.parametrize(
    ("caught", "code", "said"), [("Exception", 130, "stopped"), ("BaseException", 0, "")]
)
def test_main__interrupted_within_c_that_runs_python__ends_with_the_code_of_what_became_of_it(
    caught: str, code: int, said: str, tmp_path: Path
) -> None:
    program = f"""
import contextlib, ctypes, os, signal, sys
from truthmark.cli import main as commands
from truthmark.cli.start import main
def version(before=commands.Root.invoke, *arguments):
    run = ctypes.pythonapi.PyRun_String
    run.restype = ctypes.py_object
    scope = ctypes.py_object({{}})
    with contextlib.suppress({caught}):
        run(b"import os, signal; os.kill(os.getpid(), signal.SIGINT)", 257, scope, scope)
    sys.exit(0)
commands.Root.invoke = version
sys.argv = ["truthmark", "search"]
main()
"""
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "-m", "program"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr
