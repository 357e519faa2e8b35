# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that are started later, and again at the same place."""

import random
import socket
from pathlib import Path
from typing import Final

from truthmark.errors import ConfigError

_FIRST: Final = 10_000
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL: Final = 32_768
_TRIES: Final = 200


def free_port() -> int:
    """Return a port of loopback where nothing listens, and which no outgoing connection gets.

    The system gives a port of its own choice to every connection that any program makes, and
    nothing can listen there meanwhile. So a server that was promised such a port may find it taken
    when it starts, or starts again; below their range only those who ask for a port have it.

    Raises:
        ConfigError: None is free.
    """
    for _ in range(_TRIES):
        port = random.randrange(_FIRST, _first_given())  # noqa: S311
        if is_free(port):
            return port
    raise ConfigError("no port is free on this machine; end some programs")


def is_free(port: int) -> bool:
    """Return whether a server could listen at a port of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _first_given() -> int:
    """Return the first port that the system gives to connections."""
    try:
        first = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = _USUAL
    return first if first > _FIRST else 1 << 16  # somebody lets it give all; then chance must do
