# SPDX-License-Identifier: Apache-2.0
"""How long short `truthmark` commands take: `python -m bench.cli`.

Helps are measured from starting the process to its end, beside Python that imports click and does
nothing, in the same run. Of commands that read the chain it is processor time (user and system),
with one new block to read each time: how long the chain takes to answer is not ours. The best of
seven. Python may keep what it compiled, as it does wherever the program is installed: a shell in
which PYTHONDONTWRITEBYTECODE is set would have every module compiled again by every command.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report import Report
from truthmark.testing.network import Devnet

ROUNDS = 7
LIMIT = 0.3
CHAIN_LIMIT = 0.45
CHAIN_COMMANDS = (("search",), ("show", "1"), ("balance",))
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
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
    read_chain(report)
    return report.write()


def read_chain(report: Report) -> None:
    """Measure commands that read the index and the chain."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Devnet.start(Path(folder) / "net", block_time=None) as net,
    ):
        list_something(net)
        env = {**ENVIRONMENT, "TRUTHMARK_HOME": str(net.home("buyer"))}
        for command in CHAIN_COMMANDS:
            times = []
            for _ in range(ROUNDS):
                net.warp(1)  # mines a block
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run(
                    [sys.executable, "-m", "truthmark.cli", *command],
                    check=True,
                    stdout=subprocess.DEVNULL,
                    env=env,
                )
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                times.append(spent)
            name = " ".join(("truthmark", *command))
            report.add(f"{name}, processor time", min(times), "s", at_most=CHAIN_LIMIT)


def list_something(net: Devnet) -> None:
    """Sell a small table, so that there is something to show."""
    import pandas as pd

    import truthmark

    with net.session("seller") as seller:
        folder = net.folder / "packed"
        frame = pd.DataFrame({"number": range(100)})
        truthmark.pack(
            frame, folder, licence="CC-BY-4.0", title="numbers", preview=False, session=seller
        )
        truthmark.list_dataset(folder, price="25 TUSD", custodians=0, session=seller)


def best(command: list[str]) -> float:
    """Return the least seconds of a process."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
        times.append(time.perf_counter() - start)
    print(f"{command[-2:]}: median {statistics.median(times):.3f} s", file=sys.stderr)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
