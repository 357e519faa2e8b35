# SPDX-License-Identifier: Apache-2.0
"""TMK1: encrypted containers of files and tables that are verified before they are opened.

No network and no chain. The format is described in `docs/format.md`. Names are imported when
they are first used: importing this package costs nothing.
"""

from typing import TYPE_CHECKING

from truthmark.lazy import lazy_names

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
    from truthmark.codec.extraction import extract
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
    "extraction": ("extract",),
    "shard_index": ("ShardIndex",),
    "judging": ("Unreadable", "find_unreadable"),
    "limits": ("Limits",),
    "manifest": ("Manifest",),
    "packer": ("Packed", "pack"),
    "previous": ("Previous",),
    "shards": ("FileShards", "ShardSource"),
    "verifying": ("VerifyReport", "WrongKey", "container_cid", "find_wrong_key", "verify"),
}

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


__getattr__, __dir__ = lazy_names(globals(), _MODULES)
