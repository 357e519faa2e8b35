# SPDX-License-Identifier: Apache-2.0
"""Every table of speed, one after the other; each alone is `python -m bench.<name>`."""

import subprocess
import sys

from bench.report import LONG, SPEED


def main() -> int:
    """Run all tables in processes of their own; return 1 if one does not hold."""
    code = 0
    for name in SPEED:
        if name in LONG:
            print(f"\n=== {name} takes hours; run it by itself: python -m bench.{name}", flush=True)
            continue
        print(f"\n=== {name}", flush=True)
        code |= subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main())
