# SPDX-License-Identifier: Apache-2.0
"""How long `truthmark --help` takes: `python -m bench.cli`.

Measured from starting the process to its end, the best of seven, beside Python that imports click
and does nothing, in the same run.
"""

import statistics
import subprocess
import sys
import time

from bench.report import Report

ROUNDS = 7
LIMIT = 0.3
COMMANDS = ((), ("list",), ("get",), ("wallet", "new"), ("index", "export"), ("node", "run"))


def main() -> int:
    """Measure, write the table, and return 1 if a figure does not hold."""
    report = Report("cli")
    bare = best([sys.executable, "-c", "import click"])
    report.add("Python that imports click", bare, "s")
    for command in COMMANDS:
        name = " ".join(("truthmark", *command, "--help"))
        taken = best([sys.executable, "-m", "truthmark.cli", *command, "--help"])
        report.add(name, taken, "s", at_most=LIMIT)
    report.write()
    return int(any(figure.holds is False for figure in report.figures))


def best(command: list[str]) -> float:
    """Return the least seconds of a process."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    print(f"{command[-2:]}: median {statistics.median(times):.3f} s", file=sys.stderr)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
