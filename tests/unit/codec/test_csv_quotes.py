# SPDX-License-Identifier: Apache-2.0
"""Quotes that are no quoting are found wherever chunks of the file end."""

from pathlib import Path

import pytest

from truthmark.codec.csv_quotes import misplaced_quote

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
