# SPDX-License-Identifier: Apache-2.0
"""Opens what a person names as their items: a table file or a folder."""

from pathlib import Path

from truthmark.bounty.document import Kind
from truthmark.bounty.sources.files import folder_source
from truthmark.bounty.sources.found import ItemSource
from truthmark.bounty.sources.tables import table_source
from truthmark.codec.tables import TABLE_SUFFIXES, is_table_file
from truthmark.errors import ConfigError


def open_items_of(
    path: Path,
    *,
    column: str | None = None,
    kind: Kind | None = None,
    names: str | None = None,
) -> ItemSource:
    """Return the items of a table file or a folder.

    A folder that holds one table and nothing else to label, as a bought data set may, is that
    table.

    Args:
        path: The file or folder.
        column: Of a table; see `table_source`.
        kind: What an item is; found out if not given.
        names: The column of a table that names rows.

    Raises:
        ConfigError: There is nothing of the kind, or it is not told which column.
        CodecError: It cannot be read.
        BountyError: There is nothing to label.
    """
    if not path.exists():
        raise ConfigError(f"there is no {path}; name a table or a folder")
    if path.is_file():
        if not is_table_file(path):
            known = ", ".join(sorted(TABLE_SUFFIXES))
            raise ConfigError(f"{path} is no table; name a folder, or one of {known}")
        return table_source(path, column=column, kind=kind, names=names)
    tables = [file for file in sorted(path.rglob("*")) if is_table_file(file) and file.is_file()]
    if column is not None or names is not None or (len(tables) == 1 and kind in ("pair", "number")):
        if len(tables) != 1:
            raise ConfigError(f"{path} has {len(tables)} tables; name the file that is meant")
        return table_source(tables[0], column=column, kind=kind, names=names)
    return folder_source(path, kind)
