# SPDX-License-Identifier: Apache-2.0
"""The local example of docs/deploy.md, run as it stands, on a free port."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What Ape needs of a clone; the network that was started in it is stopped."""
    for name in ("ape-config.yaml", "contracts", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    if (tmp_path / "net").exists():
        command = [sys.executable, "-m", "truthmark.cli", "devnet", "down", "net"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def run(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRUTHMARK_")}
    environment["PATH"] = f"{TOOLS}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", "-c", "set -euo pipefail\n" + script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_deploy_page__local_example__works(folder: Path) -> None:
    (script,) = re.findall(
        r"^```bash\n(.*?)^```$", (ROOT / "docs/deploy.md").read_text(), re.M | re.S
    )
    done = run(script.replace("8545", str(free_port())), folder)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    said = done.stdout + done.stderr
    assert said.count("everything is as planned") == 2
    assert "deploy  market" in said  # what the dry run says
    assert "nothing" in said  # is for sale on what was just deployed


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            "plan",
            "ValidatorStaking(<address of token>, 100000000000000000000, 1209600, <deployer>)",
        ),
        ("check --network ethereum:local:test", "take ethereum:local:foundry, a running chain"),
        ("check --record nowhere.json", "nothing is recorded in nowhere.json; deploy first"),
    ],
)
def test_deploy__alone__says_in_one_line_what_it_needs(
    folder: Path, command: str, told: str
) -> None:
    done = run(f"ape run deploy {command}", folder)
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
