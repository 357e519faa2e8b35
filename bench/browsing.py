# SPDX-License-Identifier: Apache-2.0
"""What benchmarks in a browser begin with: Chromium, and a local chain with a relay at work."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.utils.browsers import find_chromium
from tests.utils.label_bounty import Rounds
from truthmark.testing.network import Devnet, role_address

PATIENCE_MS = 120_000
"""Against hangs alone."""


def require_chromium() -> str:
    """Return where Chromium is; end the program where it is nowhere."""
    program = find_chromium()
    if program is None:
        sys.exit("error: there is no Chromium; install the package chromium")
    return program


@contextmanager
def labeling_net() -> Iterator[tuple[Devnet, Rounds]]:
    """Give a network, and relay and receiver of its requester."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Devnet.start(Path(folder) / "net") as net,
        closing(Rounds(net, role_address("requester"))) as rounds,
    ):
        yield net, rounds
