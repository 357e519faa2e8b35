# SPDX-License-Identifier: Apache-2.0
"""What a process is told that reads bytes of strangers: nothing that is worth breaking out for."""

import os
import re
import site
import sys
from typing import Final

# A private key may be in a variable of any name (`env:NAME`), so what is harmless is listed.
_HARMLESS: Final = re.compile(
    r"PATH|HOME|LANG|LC_\w+|LD_\w+|MALLOC_\w+|(GUIX_)?PYTHON\w+|TZ|TMPDIR"
)


def child_environment() -> dict[str, str]:
    """Return the variables of this process that are no secrets."""
    return {name: value for name, value in os.environ.items() if _HARMLESS.fullmatch(name)}


def child_command(script: str) -> list[str]:
    """Return what starts a script in a process that finds the packages of this one."""
    # Who installed for themselves only (`pip install --user`) has pyarrow there.
    return [sys.executable, "-P", *([] if site.ENABLE_USER_SITE else ["-s"]), script]
