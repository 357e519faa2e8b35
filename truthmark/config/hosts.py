# SPDX-License-Identifier: Apache-2.0
"""Which hosts are this machine."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host, as it stands in a URL, is the machine itself: a name or an IP address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
