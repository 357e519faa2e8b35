# SPDX-License-Identifier: Apache-2.0
"""TMK1: encrypted containers of files and tables that are verified before they are opened.

No network and no chain. The format is described in `docs/format.md`. Names are imported when
they are first used: importing this package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truthmark.codec.card import CardPolicy, read_card
    from truthmark.codec.container import (
        Container,
        File,
        check_index,
        open_container,
        read_index,
        read_manifest,
    )
    from truthmark.codec.derive import cek_from_point, shard_key, shard_leaf
    from truthmark.codec.extract import extract
    from truthmark.codec.judging import Unreadable, find_unreadable
    from truthmark.codec.limits import Limits
    from truthmark.codec.manifest import Manifest
    from truthmark.codec.packer import Packed, pack
    from truthmark.codec.previous import Previous
    from truthmark.codec.shard_index import ShardIndex
    from truthmark.codec.shards import FileShards, ShardSource
    from truthmark.codec.verifying import (
        VerifyReport,
        WrongKey,
        container_cid,
        find_wrong_key,
        verify,
    )

_MODULES = {
    "card": ("CardPolicy", "read_card"),
    "container": (
        "Container",
        "File",
        "check_index",
        "open_container",
        "read_index",
        "read_manifest",
    ),
    "derive": ("cek_from_point", "shard_key", "shard_leaf"),
    "extract": ("extract",),
    "shard_index": ("ShardIndex",),
    "judging": ("Unreadable", "find_unreadable"),
    "limits": ("Limits",),
    "manifest": ("Manifest",),
    "packer": ("Packed", "pack"),
    "previous": ("Previous",),
    "shards": ("FileShards", "ShardSource"),
    "verifying": ("VerifyReport", "WrongKey", "container_cid", "find_wrong_key", "verify"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CardPolicy",
    "Container",
    "File",
    "FileShards",
    "Limits",
    "Manifest",
    "Packed",
    "Previous",
    "ShardIndex",
    "ShardSource",
    "Unreadable",
    "VerifyReport",
    "WrongKey",
    "cek_from_point",
    "check_index",
    "container_cid",
    "extract",
    "find_unreadable",
    "find_wrong_key",
    "open_container",
    "pack",
    "read_card",
    "read_index",
    "read_manifest",
    "shard_key",
    "shard_leaf",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
