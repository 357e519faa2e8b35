# SPDX-License-Identifier: Apache-2.0
"""Arrow tables of every type, nesting, claim and shape, by a seed.

`tests/faults/test_arrow_versions.py` tries others than the few of `make test`.
"""

import os
import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

Make = Callable[[random.Random], Any]


def _text(r: random.Random) -> str:
    return r.choice(["", "a", "ünï", "x" * 40, "a longer text than a view holds inline"])


LEAVES: list[tuple[pa.DataType, Make]] = [
    (pa.bool_(), lambda r: r.random() < 0.5),
    *[
        (make(), lambda r: r.randrange(0, 100))
        for make in (pa.int8, pa.int16, pa.int32, pa.int64, pa.uint8, pa.uint16, pa.uint32)
    ],
    (pa.uint64(), lambda r: r.randrange(0, 1 << 64)),
    (pa.float16(), lambda r: float(r.randrange(-10, 10))),
    (pa.float32(), lambda r: float(r.randrange(-10, 10)) / 4),
    (pa.float64(), lambda r: r.random()),
    *[(make(), _text) for make in (pa.string, pa.large_string, pa.string_view)],
    *[
        (make(), lambda r: _text(r).encode() + b"\xff")
        for make in (pa.binary, pa.large_binary, pa.binary_view)
    ],
    (pa.binary(3), lambda r: r.randbytes(3)),
    (pa.binary(0), lambda r: b""),
    (pa.decimal32(7, 2), lambda r: Decimal(r.randrange(-999, 999)).scaleb(-2)),
    (pa.decimal64(12, 0), lambda r: Decimal(r.randrange(-999, 999))),
    (pa.decimal128(20, 4), lambda r: Decimal(r.randrange(-999, 999)).scaleb(-4)),
    (pa.decimal128(9, -2), lambda r: Decimal(r.randrange(-999, 999)).scaleb(2)),
    (pa.decimal256(60, 10), lambda r: Decimal(r.randrange(-999, 999)).scaleb(-10)),
    (pa.date32(), lambda r: date(1900, 1, 1) + timedelta(r.randrange(99999))),
    (pa.date64(), lambda r: date(1900, 1, 1) + timedelta(r.randrange(99999))),
    (pa.time32("s"), lambda r: time(r.randrange(24), 1, 2)),
    (pa.time32("ms"), lambda r: time(r.randrange(24), 1, 2, 3000)),
    (pa.time64("us"), lambda r: time(r.randrange(24), 1, 2, 3)),
    (pa.time64("ns"), lambda r: time(r.randrange(24), 1, 2, 3)),
    *[
        (pa.timestamp(unit, zone), lambda r: datetime(1950, 1, 1) + timedelta(r.randrange(50000)))
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "Europe/Paris")
    ],
    *[(pa.duration(unit), lambda r: timedelta(r.randrange(500))) for unit in ("s", "ms", "us")],
    (pa.month_day_nano_interval(), lambda r: pa.MonthDayNano([r.randrange(9), -1, 7])),
    (pa.null(), lambda r: None),
]
INDICES = [pa.int8(), pa.uint16(), pa.int32(), pa.int64()]
RUN_ENDS = [pa.int16(), pa.int32(), pa.int64()]
SAYS = [
    {
        "ARROW:extension:name": "arrow.opaque",
        "ARROW:extension:metadata": '{"type_name":"t","vendor_name":"v"}',
    },
    {"ARROW:extension:name": "arrow.opaque", "ARROW:extension:metadata": "{"},
    {"ARROW:extension:name": "arrow.uuid", "ARROW:extension:metadata": ""},
    {"ARROW:extension:name": "arrow.json"},
    {"ARROW:extension:name": "arrow.bool8", "ARROW:extension:metadata": ""},
    {
        "ARROW:extension:name": "arrow.fixed_shape_tensor",
        "ARROW:extension:metadata": '{"shape":[1000000]}',
    },
    {"ARROW:extension:name": "arrow.parquet.variant", "ARROW:extension:metadata": ""},
    {"ARROW:extension:name": "somebody.elses", "ARROW:extension:metadata": b"\x80\xff"},
    {"ARROW:extension:name": "pandas.period", "ARROW:extension:metadata": '{"freq":"D"}'},
    {"own": "metadata"},
    None,
]


def kind_of(r: random.Random, depth: int) -> pa.DataType:
    """Return any type with at most `depth` levels of nesting."""
    if depth == 0 or r.random() < 0.3:
        return r.choice(LEAVES)[0]

    def part(name: str = "item") -> pa.Field:
        says = r.choice(SAYS) if r.random() < 0.3 else None
        return pa.field(name, kind_of(r, depth - 1), metadata=says)

    makes: list[Callable[[], pa.DataType]] = [
        lambda: pa.struct([part(f"f{i}") for i in range(r.randrange(4))]),
        lambda: pa.struct([part(f"f{i}") for i in range(2)]),
        lambda: pa.list_(part(r.choice(["item", "element", "x"]))),
        lambda: pa.large_list(part()),
        lambda: pa.list_view(part()),
        lambda: pa.large_list_view(part()),
        lambda: pa.list_(part(), r.randrange(4)),
        lambda: pa.map_(pa.string(), part("value")),
        lambda: pa.dictionary(
            r.choice(INDICES), _plain(part().type, pa.DictionaryType), ordered=r.random() < 0.3
        ),
        lambda: pa.union([part("a"), part("b")], r.choice(["sparse", "dense"])),
        lambda: pa.run_end_encoded(r.choice(RUN_ENDS), part().type),
        lambda: pa.opaque(_plain(part().type), "t", "v"),
    ]
    return r.choice(makes)()


def _plain(kind: pa.DataType, *more: type) -> pa.DataType:
    # Arrow cannot write an extension of an extension, nor a dictionary of a dictionary.
    while isinstance(kind, (pa.BaseExtensionType, *more)):
        kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind.value_type
    return kind


def array(r: random.Random, kind: pa.DataType, rows: int) -> pa.Array:
    """Return a valid array of a type; some are slices of longer ones."""
    skipped, more = r.choice([(0, 0), (0, 0), (1, 0), (3, 2), (9, 0)])
    return _array(r, kind, rows + skipped + more).slice(skipped, rows)


def _array(r: random.Random, kind: pa.DataType, rows: int) -> pa.Array:
    missing = r.choice([0.0, 0.3, 1.0])
    for leaf, make in LEAVES:
        if kind == leaf:
            return pa.array([None if r.random() < missing else make(r) for _ in range(rows)], kind)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, array(r, kind.storage_type, rows))
    if isinstance(kind, pa.DictionaryType):
        picked = [None if r.random() < missing else r.randrange(5) for _ in range(rows)]
        indices = pa.array(picked, kind.index_type)
        values = array(r, kind.value_type, 5)
        return pa.DictionaryArray.from_arrays(indices, values, ordered=kind.ordered)
    if isinstance(kind, pa.UnionType):
        return _union(r, kind, rows)
    if isinstance(kind, pa.RunEndEncodedType):
        ends = [0]
        while ends[-1] < rows:
            ends.append(min(ends[-1] + r.randrange(1, 4), rows))
        values = array(r, kind.value_type, len(ends) - 1)
        return pa.RunEndEncodedArray.from_arrays(
            pa.array(ends[1:], kind.run_end_type), values, kind
        )
    if isinstance(kind, pa.StructType) and not kind.num_fields:
        return pa.array([None if r.random() < missing else {} for _ in range(rows)], kind)
    if isinstance(kind, pa.FixedSizeListType) and not kind.list_size:
        valid = pa.array([r.random() >= missing for _ in range(rows)], pa.bool_()).buffers()[1]
        return pa.Array.from_buffers(kind, rows, [valid], children=[array(r, kind.value_type, 0)])
    mask = pa.array([r.random() < missing for _ in range(rows)], pa.bool_()) if missing else None
    if isinstance(kind, pa.StructType):
        parts = [array(r, kind.field(i).type, rows) for i in range(kind.num_fields)]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=mask)
    if isinstance(kind, pa.FixedSizeListType):
        values = array(r, kind.value_type, rows * kind.list_size)
        return pa.FixedSizeListArray.from_arrays(values, type=kind, mask=mask)
    return _list(r, kind, rows, mask)


def _list(r: random.Random, kind: pa.DataType, rows: int, mask: pa.Array | None) -> pa.Array:
    sizes = [r.randrange(3) for _ in range(rows)]
    is_large = isinstance(kind, pa.LargeListType | pa.LargeListViewType)
    width = pa.int64() if is_large else pa.int32()
    if isinstance(kind, pa.ListViewType | pa.LargeListViewType):
        values = array(r, kind.value_type, 7)
        starts = pa.array([r.randrange(8 - size) for size in sizes], width)
        cls = pa.LargeListViewArray if is_large else pa.ListViewArray
        return cls.from_arrays(starts, pa.array(sizes, width), values, type=kind, mask=mask)
    ends = [r.randrange(3) if isinstance(kind, pa.ListType) else 0]
    for size in sizes:
        ends.append(ends[-1] + size)
    offsets = pa.array(ends, width)
    if isinstance(kind, pa.MapType):
        keys = pa.array([f"k{i}" for i in range(ends[-1])], pa.string())
        items = array(r, kind.item_type, ends[-1])
        return pa.MapArray.from_arrays(offsets, keys, items, kind, mask=mask)
    values = array(r, kind.value_type, ends[-1] + r.randrange(3))
    cls = pa.LargeListArray if is_large else pa.ListArray
    return cls.from_arrays(offsets, values, type=kind, mask=mask)


def _union(r: random.Random, kind: pa.UnionType, rows: int) -> pa.Array:
    codes = pa.array([r.randrange(2) for _ in range(rows)], pa.int8())
    if kind.mode == "sparse":
        parts = [array(r, kind.field(i).type, rows) for i in range(2)]
        return pa.Array.from_buffers(kind, rows, [None, codes.buffers()[1]], children=parts)
    parts = [array(r, kind.field(i).type, 4) for i in range(2)]
    places = pa.array(sorted(r.randrange(4) for _ in range(rows)), pa.int32())
    buffers = [None, codes.buffers()[1], places.buffers()[1]]
    return pa.Array.from_buffers(kind, rows, buffers, children=parts)


def seeds() -> range:
    """Return the seeds to try: few, unless `TRUTHMARK_ARROW_SEEDS=first:count` says others."""
    first, count = map(int, os.environ.get("TRUTHMARK_ARROW_SEEDS", "0:12").split(":"))
    return range(first, first + count)


def table(seed: int, *, made: bool = True) -> pa.Table:
    """Return a valid table: one or two columns of any type, and `n`, in one to three batches.

    Args:
        seed: tells everything.
        made: with extension types in it; else fields only claim to be ones, as in files.
    """
    r = random.Random(seed)
    fields: list[pa.Field] = []
    while not fields or r.random() < 0.3:
        kind = kind_of(r, r.randrange(4))
        if made or "extension<" not in str(kind):
            name = f"c{len(fields)}"
            fields.append(pa.field(name, kind, metadata=r.choice([None, *SAYS])))
    schema = pa.schema([*fields, pa.field("n", pa.int64())])
    batches = []
    total = 0
    for _ in range(r.randrange(1, 4)):
        rows = r.choice([0, 1, 5, 40])
        numbers = pa.array(range(total, total + rows), pa.int64())
        parts = [array(r, field.type, rows) for field in fields]
        batches.append(pa.RecordBatch.from_arrays([*parts, numbers], schema=schema))
        total += rows
    return pa.Table.from_batches(batches, schema)
