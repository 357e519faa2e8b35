# SPDX-License-Identifier: Apache-2.0
"""Takes batches in that a seller's file or program gives, before anything else touches them."""

from typing import TYPE_CHECKING

from truthmark.codec.decoder import decode_schema
from truthmark.codec.decoder_child import EXTENSION
from truthmark.codec.segments import check_batch
from truthmark.codec.storage_types import (
    has_extension,
    has_values,
    is_rebuilt,
    is_stacked,
    rebuilt,
)
from truthmark.errors import CodecError

if TYPE_CHECKING:
    import pyarrow as pa

_SECONDS = 60.0


class Incoming:
    """The columns of a table as they are packed: storages stand for extension types.

    Attributes:
        schema: as every reader of the container will see it.
        extended: names of columns that were, or held at any depth, an extension type.
    """

    def __init__(self, schema: "pa.Schema", path: str) -> None:
        """Look at the schema of the table that errors call `path`.

        Raises:
            CodecError: it cannot be written as an Arrow schema.
        """
        self._path = path
        self.schema = schema
        self.extended = tuple(field.name for field in schema if _is_extended(field))
        if any(is_stacked(field.type) for field in schema):
            raise CodecError(
                f"{path}: an extension type or dictionary is directly in another one, which Arrow "
                "cannot write; pack the inner one"
            )
        if self.extended:
            message = schema.serialize().to_pybytes()
            self.schema = decode_schema(message, what=f"schema of {path!r}", seconds=_SECONDS)
        self._is_rebuilt = is_rebuilt(schema)
        if self._is_rebuilt and not all(has_values(field.type) for field in schema):
            raise CodecError(
                f"{path}: has intervals of months, or of days and milliseconds, beside a union or "
                "an extension type, which no reader takes; pack them apart"
            )

    def take(self, batch: "pa.RecordBatch") -> "pa.RecordBatch":
        """Return a batch as it is packed; copies next to nothing.

        Raises:
            MalformedError: it holds values that its types do not allow.
        """
        if not self._is_rebuilt:
            return batch  # it is checked when its rows are needed, a mapped file in small steps
        check_batch(batch, self._path)
        return rebuilt(batch, self.schema)


def _is_extended(field: "pa.Field") -> bool:
    if any(key.startswith(EXTENSION) for key in field.metadata or ()) or has_extension(field.type):
        return True
    return any(_is_extended(field.type.field(i)) for i in range(field.type.num_fields))
