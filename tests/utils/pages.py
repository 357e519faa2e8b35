# SPDX-License-Identifier: Apache-2.0
"""Runs the examples of a page as a newcomer would, with nothing of this machine's settings."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

TOOLS = Path(sys.executable).parent
_FENCE = re.compile(r"^```(bash|python)\n(.*?)^```$", re.M | re.S)


def script_of(page: str) -> str:
    """Return the page's blocks as one program of the shell, which ends at its first failure.

    Each block in Python is a process of its own.
    """
    # What a page leaves running in the background ends with it, also where it fails.
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    for language, text in _FENCE.findall(page):
        lines += [text] if language == "bash" else ["python - <<'END'", text.rstrip(), "END"]
    return "\n".join(lines)


def plain_environment() -> dict[str, str]:
    """Return this process's environment without settings of Truthmark."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TRUTHMARK_")}


def run_script(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a program of the shell in a folder, with the project's tools on its PATH."""
    path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=plain_environment() | {"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=800)
    except subprocess.TimeoutExpired:
        # With what it left running: a shell that is killed ends nothing.
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, -1, out, err + "\nit took too long")
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def stop_network(folder: Path) -> None:
    """Stop the network that a page has started in `folder`, if it has."""
    if (folder / "net").exists():
        command = [sys.executable, "-m", "truthmark.cli", "devnet", "down", "net"]
        subprocess.run(command, cwd=folder, capture_output=True, timeout=300, check=False)
