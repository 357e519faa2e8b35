# SPDX-License-Identifier: Apache-2.0
"""Tells which numbers a 64-bit float holds exactly as they are written."""

from typing import Final

from truthmark.arrow import pa, pc

# Any decimal number of so many digits comes back from a 64-bit float (DBL_DIG of C).
SAFE_DIGITS: Final = 15
# Below, floats begin to have fewer digits than that; the true limit is 2.2e-308.
_SAFE_TINY: Final = 1e-300
# No shorter text is so small a number that it becomes zero: "1e-400".
_UNDERFLOW_LENGTH: Final = 6


def are_floats(texts: "pa.Array") -> bool:
    """Tell whether floats keep the number that each text, none of them null, says.

    Raises:
        pyarrow.ArrowInvalid: a text is not a number.
    """
    values = texts.cast(pa.float64())
    if any_of(pc.is_nan(values)):
        return False  # pandas would take it for an empty cell
    if any_of(pc.match_substring_regex(texts, r"^[+]|^-?0[^.]|^-0$")):
        return False
    # Most cells are short, which is enough to know; only the others need a closer look.
    lengths = pc.binary_length(texts)
    exact = pc.or_(pc.greater(pc.abs(values), _SAFE_TINY), pc.less(lengths, _UNDERFLOW_LENGTH))
    safe = pc.and_(pc.and_(exact, pc.is_finite(values)), pc.less_equal(lengths, SAFE_DIGITS))
    if all_of(safe):
        return True
    unsafe = pc.invert(safe)
    return _are_shortest(texts.filter(unsafe), values.filter(unsafe))


def _are_shortest(texts: "pa.Array", values: "pa.Array") -> bool:
    """Tell whether the shortest text of each float has the digits of the text it was read from.

    Both are read as the same float, so that with the same digits they are the same number.
    """
    shortest = values.cast(pa.string())
    other = pc.not_equal(texts, shortest)
    if not any_of(other):
        return True
    texts, values, shortest = texts.filter(other), values.filter(other), shortest.filter(other)
    # A long whole number is more likely a name of something, and floats print it as 1.2e+22.
    if not all_of(pc.and_(pc.is_finite(values), pc.match_substring_regex(texts, "[.eE]"))):
        return False
    return all_of(pc.equal(_digits(texts), _digits(shortest)))


def _digits(texts: "pa.Array") -> "pa.Array":
    found = pc.replace_substring_regex(texts, r"[eE].*|[-.]", "")
    return pc.ascii_trim(found, characters="0")


def any_of(mask: "pa.Array") -> bool:
    """Tell whether one of these is true; null is not."""
    return bool(mask.true_count)


def all_of(mask: "pa.Array") -> bool:
    """Tell whether each of these is true; null is not."""
    return bool(mask.true_count == len(mask))
