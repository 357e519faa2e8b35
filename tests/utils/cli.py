# SPDX-License-Identifier: Apache-2.0
"""Runs the command line in this process or in one of its own, as somebody with a home folder."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from truthmark.cli.main import cli

PROGRAM = [sys.executable, "-m", "truthmark.cli"]
# What the machine's own settings say must not reach a test.
UNSET = {name: None for name in os.environ if name.startswith("TRUTHMARK_")}


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def ok(self) -> "Outcome":
        assert self.code == 0, f"exit {self.code}: {self.err}"
        return self

    def refused(self, code: int, text: str = "") -> "Outcome":
        """Check that it ended with one line of an error, last of all, and that code."""
        assert self.code == code, f"exit {self.code}: {self.out} {self.err}"
        lines = self.err.splitlines()
        assert lines, "no error line"
        assert lines[-1].startswith("error: "), self.err
        assert sum(line.startswith("error: ") for line in lines) == 1
        assert "Traceback" not in self.err
        assert text in lines[-1], lines[-1]
        return self

    def refused_json(self, code: int, text: str = "") -> Any:
        """Check that it ended with an error as JSON, on stdout alone, and return that."""
        assert self.code == code, f"exit {self.code}: {self.out} {self.err}"
        error = self.json["error"]
        assert error["exit_code"] == code
        assert text in error["message"], error
        assert not [line for line in self.err.splitlines() if line.startswith("error: ")]
        return error


class Person:
    """Somebody at a command line.

    Args:
        home: Their home folder.
        env: More of their environment.
    """

    def __init__(self, home: Path, **env: str) -> None:
        self.home = home
        self.env = {"TRUTHMARK_HOME": str(home), **env}

    def __call__(self, *arguments: object, stdin: str = "") -> Outcome:
        """Run a command here."""
        runner = CliRunner(mix_stderr=False, env={**UNSET, **self.env})
        done = runner.invoke(cli, [str(a) for a in arguments], input=stdin)
        return Outcome(done.exit_code, done.stdout, done.stderr)

    def start(
        self, *arguments: object, program: Sequence[str] = tuple(PROGRAM), **options: Any
    ) -> "subprocess.Popen[str]":
        """Start a command in a process of its own, or another program in this person's place."""
        clean = {name: value for name, value in os.environ.items() if name not in UNSET}
        return subprocess.Popen(
            [*program, *map(str, arguments)],
            env={**clean, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: object) -> Outcome:
        """Run a command in a process of its own."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return Outcome(process.returncode, out, err)
