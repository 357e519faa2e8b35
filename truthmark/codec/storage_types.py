# SPDX-License-Identifier: Apache-2.0
"""Makes arrays that pyarrow itself can be trusted with.

pyarrow writes, measures and even validates some arrays wrongly or dies of them: extension types
whose storage has no validity bitmap, and unions without rows as they come from a file. Both are
rebuilt around the buffers that they have.
"""

from truthmark.arrow import pa


def holds_type(kind: "pa.DataType", classes: "type | tuple[type, ...]") -> bool:
    """Tell whether a type, or one at any depth below it, is of one of these classes."""
    return isinstance(kind, classes) or any(holds_type(part, classes) for part in parts_of(kind))


def has_extension(kind: "pa.DataType") -> bool:
    """Tell whether a type is, or holds at any depth, an extension type."""
    return holds_type(kind, pa.BaseExtensionType)


def is_stacked(kind: "pa.DataType") -> bool:
    """Tell whether one extension type, or dictionary, is directly in another at any depth.

    Arrow has no way to write these, and writes something else.
    """
    below = parts_of(kind)
    if isinstance(kind, pa.BaseExtensionType) and isinstance(below[0], pa.BaseExtensionType):
        return True
    if isinstance(kind, pa.DictionaryType):
        value = below[0].storage_type if isinstance(below[0], pa.BaseExtensionType) else below[0]
        if isinstance(value, pa.DictionaryType):
            return True
    return any(is_stacked(part) for part in below)


def has_values(kind: "pa.DataType") -> bool:
    """Tell whether pyarrow can make arrays and values of a type, and of all at any depth below it.

    Of two kinds of intervals it reads and writes columns, and anything else fails, by a `KeyError`
    or a `NotImplementedError`.
    """
    if kind.id in (pa.lib.Type_INTERVAL_MONTHS, pa.lib.Type_INTERVAL_DAY_TIME):
        return False
    return all(map(has_values, parts_of(kind)))


def is_rebuilt(schema: "pa.Schema") -> bool:
    """Tell whether `rebuilt` changes anything about batches of this schema."""
    return any(_is_rebuilt(field.type) for field in schema)


def rebuilt(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
    """Return a valid batch with the storages of its extension types; copies next to nothing.

    Args:
        batch: was validated in full.
        schema: the same but for extension types, which are their storages.
    """
    columns = [
        _rebuilt(column, field.type) for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def parts_of(kind: "pa.DataType") -> "list[pa.DataType]":
    """Return the types that a type is made of; none for plain ones."""
    if isinstance(kind, pa.BaseExtensionType):
        return [kind.storage_type]
    if isinstance(kind, pa.DictionaryType):
        return [kind.value_type]
    return [kind.field(i).type for i in range(kind.num_fields)]


def _is_rebuilt(kind: "pa.DataType") -> bool:
    return holds_type(kind, (pa.BaseExtensionType, pa.UnionType))


def _rebuilt(array: "pa.Array", kind: "pa.DataType") -> "pa.Array":
    if not _is_rebuilt(array.type):
        return array
    if isinstance(array, pa.ExtensionArray):
        return _rebuilt(array.storage, kind)
    if isinstance(array, pa.DictionaryArray):
        values = _rebuilt(array.dictionary, kind.value_type)
        return pa.DictionaryArray.from_arrays(array.indices, values, ordered=kind.ordered)
    if isinstance(array, pa.StructArray):
        mask = array.is_null() if array.null_count else None
        parts = [_rebuilt(array.field(i), kind.field(i).type) for i in range(kind.num_fields)]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=mask)
    if isinstance(array, pa.UnionArray):
        return _rebuilt_union(array, kind)
    if isinstance(array, pa.RunEndEncodedArray):
        parts = [array.run_ends, _rebuilt(array.values, kind.value_type)]
    else:
        parts = [_rebuilt(array.values, kind.field(0).type)]  # lists of all kinds, and maps
    buffers = array.buffers()[: array.type.num_buffers]
    return pa.Array.from_buffers(kind, len(array), buffers, offset=array.offset, children=parts)


def _rebuilt_union(array: "pa.UnionArray", kind: "pa.UnionType") -> "pa.Array":
    # Fields of sparse unions come already sliced, so everything begins at 0 here.
    parts = [_rebuilt(array.field(i), kind.field(i).type) for i in range(kind.num_fields)]
    buffers = array.buffers()[: array.type.num_buffers]
    sizes = (1, 4)  # bytes of a type code, and of an offset of dense unions
    cut = [
        pa.py_buffer(b"")
        if not len(array)
        else buffer.slice(array.offset * size, len(array) * size)
        for buffer, size in zip(buffers[1:], sizes, strict=False)
    ]
    return pa.Array.from_buffers(kind, len(array), [None, *cut], children=parts)
