# SPDX-License-Identifier: Apache-2.0
"""Items in storage held against list and document; what could not be checked is said."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.relays import ITEMS, Papers, make_papers
from truthmark.bounty.flows import item_check
from truthmark.bounty.flows.item_check import ItemsCheck, check_items
from truthmark.storage.local import LocalStore


@pytest.fixture
def brought(tmp_path: Path) -> Papers:
    return make_papers(tmp_path / "papers")


@pytest.fixture
def session(tmp_path: Path, brought: Papers) -> Any:
    storage = LocalStore(tmp_path / "store")
    storage.put(brought.manifest)
    storage.put(brought.data)
    (tmp_path / "home").mkdir()
    return SimpleNamespace(home=tmp_path / "home", storage=storage)


def test_check__items_in_storage__all_are_held_against_the_list(
    brought: Papers, session: Any
) -> None:
    assert check_items(session, brought.document) == ItemsCheck(count=ITEMS)
    assert not [*session.home.iterdir()]


def test_check__storage_lacks_something__said_and_no_problem(
    brought: Papers, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "the document is in no storage" in check_items(session, None).unchecked
    empty = SimpleNamespace(home=session.home, storage=LocalStore(tmp_path / "empty"))
    found = check_items(empty, brought.document)
    assert found.unchecked and not found.problem and not found.count
    empty.storage.put(brought.manifest)
    assert check_items(empty, brought.document).unchecked
    monkeypatch.setattr(item_check, "CHECK_SECONDS", 0.0)
    assert "too slowly" in check_items(session, brought.document).unchecked


def test_check__list_or_items_of_something_else__a_problem(
    brought: Papers, session: Any, tmp_path: Path
) -> None:
    info = brought.document.items
    other = make_papers(tmp_path / "other", secret=b"\x01" * 32)
    session.storage.put(other.data)
    for changed, says in (
        (replace(info, count=ITEMS - 1), "over"),  # the list is longer than it may be
        (replace(info, count=ITEMS - 1, shown=2), "document and list of items differ"),
        (replace(info, data=info.manifest), "item 0"),
        (replace(info, manifest=info.data), "no list of a bounty"),
        (replace(info, data=other.document.items.data), "item 0 is not what the list says"),
    ):
        found = check_items(session, replace(brought.document, items=changed))
        assert not found.unchecked, (changed, found)
        assert "not those of the terms" in found.problem
        assert says in found.problem or "bytes" in found.problem, (says, found.problem)
