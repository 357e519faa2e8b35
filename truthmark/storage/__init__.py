# SPDX-License-Identifier: Apache-2.0
"""Where files are kept and found by content: a local folder, Kubo, gateways.

Every implementation checks every block before a byte of it is used.
"""

from truthmark.storage.block_storage import Stat, Storage
from truthmark.storage.car import export_car
from truthmark.storage.limits import MAX_BLOCK, MAX_FILE
from truthmark.storage.local import LocalStore
from truthmark.storage.multi import MultiStore, open_storage, replicate

__all__ = [
    "MAX_BLOCK",
    "MAX_FILE",
    "LocalStore",
    "MultiStore",
    "Stat",
    "Storage",
    "export_car",
    "open_storage",
    "replicate",
]
