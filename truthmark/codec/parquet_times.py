# SPDX-License-Identifier: Apache-2.0
"""Times in Parquet files of other writers that Arrow would read as other times.

- INT96, as Spark, Hive and Impala write times, holds any year to the nanosecond; 64 bits of
  nanoseconds end in 1677 and 2262, and Arrow lets what is beyond come out somewhere between.
- Spark before 3.0, and later ones in legacy mode, count days before 15 October 1582 in the Julian
  calendar. Arrow, like all others, does not.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from truthmark.arrow import pa, pc, pq
from truthmark.codec.refusals import no_table

_BATCH_ROWS: Final = 64 << 10
_MOST_MICROSECONDS: Final = (2**63 - 1) // 1000 - 1
_SPARK_VERSION: Final = b"org.apache.spark.version"
_SPARK_LEGACY: Final = (b"org.apache.spark.legacyDateTime", b"org.apache.spark.legacyINT96")
_GREGORIAN_DAY: Final = -141_427
_SECONDS_A_DAY: Final = 86_400


def int96_unit(location: Path) -> str | None:
    """Return the unit in which the INT96 columns of a file come back; None where it has none.

    Nanoseconds if that holds them all, else microseconds.

    Args:
        location: of the Parquet file.

    Raises:
        CodecError: neither holds all of them.
    """
    with pq.ParquetFile(location) as file:
        leaves = [file.schema.column(i) for i in range(len(file.schema))]
    paths = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
    if not paths:
        return None
    has_far = has_nanoseconds = False
    read = [_times(location, paths, unit) for unit in ("ns", "us", "s")]
    for nano, micro, second in zip(*read, strict=True):
        rest = nano - micro * 1000  # wraps as Arrow's nanoseconds do
        if ((rest < 0) | (rest > 999) | (micro // 1_000_000 != second)).any():
            raise no_table(f"{location} has times that Arrow cannot hold;")
        has_far |= bool((abs(micro) > _MOST_MICROSECONDS).any())
        has_nanoseconds |= bool(rest.any())
    if has_far and has_nanoseconds:
        raise no_table(
            f"{location} has nanoseconds in one time and years beyond 1677 to 2262 in another, "
            "which no type of Arrow holds together; cut them to microseconds, or"
        )
    return "us" if has_far else "ns"


def _times(location: Path, paths: list[str], unit: str) -> Iterator[Any]:
    """Yield arrays of the INT96 values, in units since 1970, null as 0."""
    with pq.ParquetFile(location, coerce_int96_timestamp_unit=unit) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=paths):
            for column in batch.columns:
                for leaf in leaves_of(column):
                    if pa.types.is_timestamp(leaf.type):
                        yield leaf.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)


def leaves_of(array: "pa.Array") -> "Iterator[pa.Array]":
    """Yield the arrays without children of which an array is made."""
    kind = array.type
    if pa.types.is_map(kind):
        yield from leaves_of(array.keys)
        yield from leaves_of(array.items)
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from leaves_of(part)
    elif pa.types.is_nested(kind) and kind.num_fields == 1:
        yield from leaves_of(array.flatten())
    elif pa.types.is_dictionary(kind):
        yield array.dictionary
    else:
        yield array


def is_julian(metadata: "pq.FileMetaData") -> bool:
    """Tell whether a file may count old days in the Julian calendar."""
    found = metadata.metadata or {}
    if _SPARK_VERSION not in found:
        return False
    major = found[_SPARK_VERSION].partition(b".")[0]
    return any(key in found for key in _SPARK_LEGACY) or major in (b"1", b"2")


def check_calendar(batch: "pa.RecordBatch", location: Path) -> None:
    """Check that a batch of a Julian file has no days that the calendar changes.

    Raises:
        CodecError: it has.
    """
    for column in batch.columns:
        for leaf in leaves_of(column):
            if pa.types.is_date(leaf.type):
                days = leaf.cast(pa.date32()).view(pa.int32())
                oldest = pc.min(days).as_py()
                is_old = oldest is not None and oldest < _GREGORIAN_DAY
            elif pa.types.is_timestamp(leaf.type):
                units = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[leaf.type.unit]
                oldest = pc.min(leaf.view(pa.int64())).as_py()
                limit = _GREGORIAN_DAY * _SECONDS_A_DAY * units
                is_old = oldest is not None and oldest < limit
            else:
                continue
            if is_old:
                raise no_table(
                    f"{location} has days before 15 October 1582 that Spark counted in the Julian "
                    "calendar; write it again with Spark 3 in mode CORRECTED, or"
                )
