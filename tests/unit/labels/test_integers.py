# SPDX-License-Identifier: Apache-2.0
"""LN(k) = floor(1000·ln k), held against sixty decimal places."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.errors import ConfigError
from truthmark.labels.integers import MOST, ln_milli, ln_milli_of

KNOWN = {1: 0, 2: 693, 3: 1098, 4: 1386, 10: 2302, 1_000: 6907, 10**6: 13815, MOST: 43668}


def by_decimals(k: int) -> int:
    with localcontext() as context:
        context.prec = 60
        return int(1000 * Decimal(k).ln())


@pytest.mark.parametrize("k", KNOWN)
def test_ln_milli__known_values__are_these(k: int) -> None:
    assert ln_milli(k) == KNOWN[k] == by_decimals(k)


@given(st.integers(1, MOST) | st.integers(1, 10**6))
def test_ln_milli__any_count__is_the_floor(k: int) -> None:
    assert ln_milli(k) == by_decimals(k)


@given(st.integers(0, 43_667))
def test_ln_milli__around_each_step__changes_where_it_must(m: int) -> None:
    """Where floats would err: the whole numbers next to e^(m/1000)."""
    with localcontext() as context:
        context.prec = 60
        step = int((Decimal(m) / 1000).exp())
    for k in range(max(1, step - 1), step + 3):
        assert ln_milli(k) == by_decimals(k)


def test_ln_milli_of__array__is_each_alone() -> None:
    k = np.array([[1, 2, 3], [518_000, 2**40, MOST]])
    assert ln_milli_of(k).tolist() == [[ln_milli(int(x)) for x in row] for row in k]
    assert ln_milli_of(np.zeros(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("k", [0, -1, MOST + 1])
def test_ln_milli__out_of_range__is_refused(k: int) -> None:
    with pytest.raises(ConfigError, match=r"1 to 2\^63"):
        ln_milli(k)


def test_ln_milli_of__zero_among_counts__is_refused() -> None:
    with pytest.raises(ConfigError, match="not 0"):
        ln_milli_of(np.array([4, 0]))
