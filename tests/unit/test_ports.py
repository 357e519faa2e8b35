# SPDX-License-Identifier: Apache-2.0
"""Ports that stay free for who was promised them."""

import socket

from truthmark.testing import ports


def test_free_port__connections_of_others__never_have_it() -> None:
    first, last = map(int, ports._RANGE.read_text().split())
    found = {ports.free_port() for _ in range(50)}
    assert all(ports._FIRST <= port < 1 << 16 and not first <= port <= last for port in found)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as outgoing:
            given = outgoing.getsockname()[1]
            assert not ports.is_free(given)  # why it must not be one of these
        port = ports.free_port()
        with socket.create_server(("127.0.0.1", port)):
            assert not ports.is_free(port)
        assert ports.is_free(port)
