# SPDX-License-Identifier: Apache-2.0
"""Quotes that are no quoting are found wherever chunks of the file end."""

from pathlib import Path

import pytest

from truthmark.codec import tables
from truthmark.codec.csv_quotes import misplaced_quote, whole_rows

# Quotes that are no quoting, and the line in which the first is.
SWALLOWING = [
    ('a,b\n1,"Hello" she said\n2,x\n', 2),
    ('a,b\n1,x\n2,"said \\"hi\\" to me"\n', 3),
    ('a,b\n1,"open\n2,b\n3,c\n', 2),
    ('a,b\n1,x\n2,"open', 3),
    ('a,b\r\n1,"x\r\ny"\r\n2,"z"z\r\n', 4),
    ('a,b\r1,x\r2,"z"z\r', 3),
    ('a,b\n1,"\n2,b\n3,"\n4,d\n', 2),
    ('a,b\nx,"\ny,b\nz,c"\n', 2),
    ('a,b\n1,"begins\n2,swallowed\n3,ends"\n4,d\n', 2),
    ('a,b\n"begins,1\nx,2\nends",3\n', 2),
    ('a\n"\nb\n"\nd\n', 2),
    ("a,b\n" + "1,2\n" * 9000 + '3,"x" y\n' + "1,2\n" * 9000, 9002),
    ("a,b\n" + '1,"x\ny, z"\n' * 3000 + '3,"x" y\n', 6002),
    ("a,b\n" + "1,2\n" * 9000 + '3,"x\n' + "1,2\n" * 9000, 9002),
]


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize(
    ("content", "line"),
    [*(case for case in SWALLOWING if len(case[0]) < 100), ('a,b\n"x ""y""\nz, 1",""\n', None)],
)
def test_misplaced_quote__any_chunks__finds_the_same(
    content: str, line: int | None, chunk_size: int, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_bytes(content.encode())
    columns = 2 if content.startswith("a,b") else 1
    found = misplaced_quote(tmp_path / "x.csv", ",", columns, chunk_size=chunk_size)
    assert found is None if line is None else (found or "").startswith(f"line {line}: ")


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_whole_rows__any_chunks__end_where_rows_end(
    mark: bytes, delimiter: str, tmp_path: Path
) -> None:
    lines = ['"a\r\nb",c', '"x\r\ny",5"', 'z,"\n"', '"\0","q""\r"', "1,2", ",", "last,x"]
    rows = [line.replace(",", delimiter).encode() + b"\r\n" for line in lines]
    (tmp_path / "x").write_bytes(mark + b"".join(rows).removesuffix(b"\r\n"))
    ends = {len(b"".join(rows[:i])) for i in range(len(rows))}
    for chunk_size in range(1, 70):
        pieces = list(whole_rows(tmp_path / "x", delimiter, chunk_size))
        assert b"".join(pieces) == b"".join(rows).removesuffix(b"\r\n")
        assert all(len(b"".join(pieces[:i])) in ends for i in range(len(pieces)))


def test_open_table__line_ends_in_cells_where_blocks_end__are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_WHOLE_FILE_SIZE", 0)
    monkeypatch.setattr(tables, "_CSV_CELLS_SIZE", 1)
    cells = ["x\r\ny", "\0", "\r", "", "z"] * 3
    content = "n,x\r\n" + "".join(f'1,"{cell}"\r\n' for cell in cells)
    (tmp_path / "x.csv").write_text(content, newline="")
    for block_size in range(1, 40):
        monkeypatch.setattr(tables, "_CSV_BLOCK_SIZE", block_size)
        table = tables.open_table(tmp_path / "x.csv", "x.csv")
        found = [value for batch in table.batches() for value in batch["x"].to_pylist()]
        assert found == cells
