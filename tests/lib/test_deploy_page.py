# SPDX-License-Identifier: Apache-2.0
"""The local example of docs/deploy.md, run as it stands, on a free port."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.pages import run_script, script_of, stop_network
from truthmark.testing.ports import free_port

pytestmark = [pytest.mark.chain]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What Ape needs of a clone; the network that was started in it is stopped."""
    for name in ("ape-config.yaml", "contracts", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    stop_network(tmp_path)


def test_deploy_page__local_example__works(folder: Path) -> None:
    script = script_of((ROOT / "docs" / "deploy.md").read_text())
    done = run_script(script.replace("8545", str(free_port())), folder)
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
    done = run_script(f"ape run deploy {command}", folder)
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
