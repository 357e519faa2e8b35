# SPDX-License-Identifier: Apache-2.0
"""What one address may ask of a server that answers strangers."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MAX_ADDRESSES: Final = 20_000


class Rates:
    """Lets each address spend so much at once, and so much a second from then on.

    Args:
        burst: What it may spend at once; reading costs 1, all else 10.
        per_second: What it gets back.
        clock: In seconds.
    """

    def __init__(
        self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Know nobody."""
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._lock = threading.Lock()
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, address: str, cost: float) -> bool:
        """Return whether an address may spend this now, and note it if so."""
        who, now = _network(address), self._clock()
        with self._lock:
            spent, at = self._spent.pop(who, (0.0, now))
            spent = max(0.0, spent - (now - at) * self._per_second)
            may = spent + cost <= self._burst
            self._spent[who] = (spent + cost if may else spent), now
            if len(self._spent) > _MAX_ADDRESSES:
                self._spent.popitem(last=False)
            return may


def _network(address: str) -> str:
    """Return whom an address belongs to: of IPv6 everybody has 2^64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)
