# SPDX-License-Identifier: Apache-2.0
"""Which key of a keyboard stands for which answer, wherever people label."""

from collections.abc import Sequence

from truthmark.bounty.document import LabelClass


def keys_of(classes: Sequence[LabelClass]) -> dict[str, int]:
    """Return which key stands for which class: its own, else its name, else the next digit left.

    A name is a key where it is one letter or digit: who sees a 3 and may answer 0 to 9 presses 3.
    """
    found = {entry.key: number for number, entry in enumerate(classes) if entry.key}
    for number, entry in enumerate(classes):
        if not entry.key and len(entry.name) == 1 and entry.name.isalnum():
            found.setdefault(entry.name, number)
    keyed = {*found.values()}
    digits = iter([digit for digit in "1234567890" if digit not in found])
    for number in range(len(classes)):
        if number not in keyed and (digit := next(digits, None)) is not None:
            found[digit] = number
    return found
