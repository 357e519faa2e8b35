# SPDX-License-Identifier: Apache-2.0
"""Where files are kept and found by content: a local folder, Kubo, gateways, CAR archives.

Every implementation checks every block before a byte of it is used.
"""

from truthmark.storage.block_storage import MAX_BLOCK, MAX_FILE, Stat, Storage
from truthmark.storage.car import export_car, import_car
from truthmark.storage.local import LocalStore
from truthmark.storage.multi import MultiStore, Replica, open_storage, replicate

__all__ = [
    "MAX_BLOCK",
    "MAX_FILE",
    "LocalStore",
    "MultiStore",
    "Replica",
    "Stat",
    "Storage",
    "export_car",
    "import_car",
    "open_storage",
    "replicate",
]
