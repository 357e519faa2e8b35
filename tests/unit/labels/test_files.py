# SPDX-License-Identifier: Apache-2.0
"""CSV files of answers, gold and predictions: read exactly, or refused with the line."""

import pytest

from truthmark.errors import MalformedError
from truthmark.labels import read_answers, read_gold, read_predictions

GOOD = "task,worker,label\n007,w1,NA\n007,w2,1e3\n08,w1,yes\n"


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "file.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


def test_read_answers__text__stays_as_it_is(write) -> None:
    frame = read_answers(write(GOOD))
    assert frame.to_dict("list") == {
        "task": ["007", "007", "08"],
        "worker": ["w1", "w2", "w1"],
        "label": ["NA", "1e3", "yes"],
    }


def test_read_answers__mark_quotes_other_columns_and_empty_lines__are_no_matter(write) -> None:
    text = '\ufefflabel,note,item,worker\r\n"a, b","two\nlines",1,w\r\n\r\nc,,2,w\r\n'
    assert read_answers(write(text)).to_dict("list") == {
        "item": ["1", "2"],
        "worker": ["w", "w"],
        "label": ["a, b", "c"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("task,worker,label\n", "has no rows"),
        ("task;worker;label\n1;w;a\n", "no column task or item, but: task;worker;label"),
        ("task,item,worker,label\n1,1,w,a\n", "columns task and item"),
        ("task,label\n1,a\n", "no column worker"),
        ("task,worker,worker,label\n1,w,w,a\n", "two columns 'worker'"),
        ("task,worker,label\n1,w\n", "line 2 has 2 values"),
        ("task,worker,label\n1,w,a,b\n", "line 2 has 4 values"),
        ("task,worker,label\n1,w,a\n2,,a\n", "line 3 has no worker"),
        ('task,worker,label\n1,w,"a\n', "not a CSV file"),
        ("task,worker,label\n1,w,ä\n".encode("latin-1"), "not in UTF-8"),
        (GOOD + "007,w1,no\n", r"'w1' answered '007' twice \(line 5; 1 such rows\)"),
        (GOOD + "007,w1,NA\n", "say by --duplicates"),
    ],
)
def test_read_answers__table_that_is_none__is_refused_in_one_line(write, text, message) -> None:
    with pytest.raises(MalformedError, match=message) as refused:
        read_answers(write(text))
    assert "\n" not in str(refused.value)


def test_read_answers__duplicates__count_as_is_said(write) -> None:
    path = write(GOOD + "007,w1,no\n")
    counted = {
        how: read_answers(path, duplicates=how)["label"].to_list()
        for how in ("all", "first", "last")
    }
    assert counted == {
        "all": ["NA", "1e3", "yes", "no"],
        "first": ["NA", "1e3", "yes"],
        "last": ["1e3", "yes", "no"],
    }


def test_read_answers__classes__are_named_in_their_order(write) -> None:
    classes = ["yes", "no", "NA", "1e3"]
    frame = read_answers(write(GOOD), classes=classes)
    assert frame["label"].cat.categories.to_list() == classes
    with pytest.raises(MalformedError, match="line 3 says '1e3'"):
        read_answers(write(GOOD), classes=["yes", "NA"])


def test_read_gold__label_or_truth__is_by_task(write) -> None:
    assert read_gold(write("item,truth\n007,a\n7,b\n")).to_dict() == {"007": "a", "7": "b"}
    assert read_gold(write("label,task\na,007\n")).to_dict() == {"007": "a"}
    with pytest.raises(MalformedError, match="line 3 names '7' again"):
        read_gold(write("item,truth\n7,a\n7,a\n"))
    with pytest.raises(MalformedError, match="columns label and truth"):
        read_gold(write("item,truth,label\n7,a,a\n"))


def test_read_predictions__numbers__are_by_task_and_class(write) -> None:
    frame = read_predictions(write("yes,task,no\n0.25,007,0.75\n"))
    assert frame.to_dict("index") == {"007": {"yes": 0.25, "no": 0.75}}
    for bad in ("x", "nan", "inf"):
        with pytest.raises(MalformedError, match="not a probability of 'yes'"):
            read_predictions(write(f"yes,task\n{bad},007\n"))
