# SPDX-License-Identifier: Apache-2.0
"""In which order the two items of a pair are shown: by chance, so that no place is preferred.

The first two classes of a pair say "the first" and "the second"; answers are stored as if nothing
had been swapped.
"""

from typing import Final

from truthmark.keys.abi_hash import hash_words, tag

_ORDER: Final = tag("truthmark/pair-order/1")


def is_swapped(seed: bytes, worker: int, item: int) -> bool:
    """Return whether a worker sees the second item of a pair first.

    Args:
        seed: The bounty's, 32 bytes.
        worker: The row of the roster.
        item: Its number.
    """
    return hash_words(_ORDER, seed, worker, item)[-1] & 1 == 1


def unswapped(code: int) -> int:
    """Return the code of the other one of the first two classes; of others the code itself."""
    return 1 - code if code in (0, 1) else code
