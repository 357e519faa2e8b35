# SPDX-License-Identifier: Apache-2.0
"""A `truthmark` command that kills itself while it sends.

    python -m tests.utils.killed_command POINT TIME ARGUMENTS...

It dies when it comes to the point, on which see `tests.utils.sender.POINTS`, the TIME-th time.
"""

import sys

from tests.utils.sender import POINTS, kill_at
from truthmark.cli.main import cli


def main(point: str, time: str, *arguments: str) -> None:
    kill_at(*POINTS[point], time=int(time))
    cli(arguments, prog_name="truthmark")


if __name__ == "__main__":
    main(*sys.argv[1:])
