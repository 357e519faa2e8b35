# SPDX-License-Identifier: Apache-2.0
"""PyArrow, which is loaded when something of it is used: that takes longer than a short command."""

from typing import TYPE_CHECKING

from truthmark.lazy import LazyModule

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    pa = LazyModule("pyarrow")
    pc = LazyModule("pyarrow.compute")
    pq = LazyModule("pyarrow.parquet")

__all__ = ["pa", "pc", "pq"]
