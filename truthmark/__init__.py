# SPDX-License-Identifier: Apache-2.0
"""Truthmark: buy labels you can check and sell data without having to trust anyone.

The stable surface, described in docs/python.md; everything else may change between releases:

* `connect` opens a session with a market.
* `search`, `card`, `preview`, `get`, `load` are for buyers, `pack`, `list_dataset` for sellers.
* `Bounty` has items labeled, labels them, and has what that brought.
* `follow` yields what happens.
* `testing.devnet` is a whole local network to try it on.

Importing this package costs nothing; names are loaded when they are first used.
"""

# As `typing` has it, which is not imported: this runs before the command line listens for Ctrl-C.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from truthmark import testing
    from truthmark.market.surface import (
        card,
        follow,
        get,
        list_dataset,
        load,
        pack,
        preview,
        search,
    )
    from truthmark.session import connect
    from truthmark.surface import Bounty

__all__ = [
    "Bounty",
    "card",
    "connect",
    "follow",
    "get",
    "list_dataset",
    "load",
    "pack",
    "preview",
    "search",
    "testing",
]

_HOMES = {
    "Bounty": "truthmark.surface",
    "connect": "truthmark.session",
    **dict.fromkeys(
        ("card", "get", "list_dataset", "load", "pack", "preview", "search", "follow"),
        "truthmark.market.surface",
    ),
}


def __getattr__(name: str) -> "Any":
    import importlib

    if name == "testing":
        return importlib.import_module("truthmark.testing")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
