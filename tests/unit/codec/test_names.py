# SPDX-License-Identifier: Apache-2.0
"""Which paths a container may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthmark.codec.names import check_path, check_paths, check_split
from truthmark.errors import MalformedError

GOOD = [
    "a",
    "a/b.png",
    "README.md",
    ".hidden",
    "日本語/写真.jpg",
    "👩‍🔬.txt",
    "a b",
    "x" * 240,
    "-rf",
]
BAD = [
    "", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", ".", "..", "a/.", "C:/x", "C:x",
    "\\\\server\\x", "a\\b", "con", "CON.txt", "a/nul", "aux.tar.gz", "com1", "LPT9.log", "com²",
    "prn ", "a.", "a ", " a", "a\0b", "a\nb", "a\x7f", "a\x85b", "\u202etxt.exe", "a\u200bb",
    "\ufeffa", "a\u2028b", "a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", "x" * 241, "é" * 121,
    "/".join("a" * 33), "a/" * 600 + "a", "\ud800", "conin$", "CLOCK$",
]  # fmt: skip


@pytest.mark.parametrize("path", GOOD)
def test_check_path__usual_names__are_allowed(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize("path", BAD)
def test_check_path__dangerous_names__are_refused_in_one_line(path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        check_path(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "a"],
        ["a", "A"],
        ["straße", "STRASSE"],
        ["e\u0301", "é"],
        ["a", "a/b"],
        ["A/b", "a"],
        ["x/y/z", "x/Y"],
    ],
)
def test_check_paths__that_collide__are_refused(paths: list[str]) -> None:
    for order in (paths, paths[::-1]):
        with pytest.raises(MalformedError):
            check_paths(order)


def test_check_paths__neighbours__are_allowed() -> None:
    check_paths(["a/b", "a/c", "ab", "b/a/b"])


@given(st.text(max_size=40))
def test_check_path__any_text__is_refused_or_stays_inside(path: str) -> None:
    try:
        check_path(path)
    except MalformedError as error:
        assert str(error).isprintable()
        return
    parts = path.split("/")
    assert all(part not in ("", ".", "..") for part in parts)
    assert path.isprintable() or all(ord(char) >= 32 for char in path)


@pytest.mark.parametrize("split", ["train", "test", "v1.0", "a-b", "A_1"])
def test_check_split__usual_names__are_allowed(split: str) -> None:
    assert check_split(split) == split


@pytest.mark.parametrize(
    "split", ["", "../x", "a b", "-a", ".a", "a.", "a/b", "é", "x" * 65, "a\n"]
)
def test_check_split__anything_else__is_refused(split: str) -> None:
    with pytest.raises(MalformedError, match="split"):
        check_split(split)
