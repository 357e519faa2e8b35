# SPDX-License-Identifier: Apache-2.0
"""The folder that a requester keeps of a bounty."""

from pathlib import Path

import numpy as np
import pytest

from tests.utils.bounties import REF, make_document, make_terms
from truthmark.bounty.gold import Gold
from truthmark.bounty.items import Item, ItemsWriter
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.workspace import Guest, Workspace
from truthmark.errors import BountyError
from truthmark.keys.curve import multiply


def test_workspace__all_of_it__comes_back(tmp_path: Path) -> None:
    key = multiply(5)
    mine = Workspace.of_key(tmp_path, key)
    assert (mine.ref, mine.has_terms, mine.draft, mine.progress) == (None, False, {}, {})
    assert len(mine.gold) == 0
    document, terms = make_document(), make_terms()
    with ItemsWriter(mine.folder) as writer:
        writer.add(Item.of_text("a"))
        writer.finish()
    mine.save_document(document)
    mine.save_terms(terms)
    mine.save_gold(Gold(np.array([2, 7]), np.array([0, 1])))
    mine.save_names(["a.jpg", "ü/b.jpg"])
    mine.save_draft({"source": "photos"})
    mine.save_progress({"scored": True})
    mine.save_ref(REF)

    again = Workspace.find(tmp_path, REF)
    assert again.folder == mine.folder
    assert (again.document, again.terms.hash, again.has_terms) == (document, terms.hash, True)
    assert (again.gold.items.tolist(), again.gold.answers.tolist()) == ([2, 7], [0, 1])
    assert again.names == ["a.jpg", "ü/b.jpg"]
    assert (again.draft, again.progress) == ({"source": "photos"}, {"scored": True})
    with again.open_items() as items:
        assert items.item(0).text == "a"


def test_find__bounty_of_another_board__refused(tmp_path: Path) -> None:
    Workspace.of_key(tmp_path, multiply(5)).save_ref(REF)
    for other in (
        BountyRef(REF.chain_id, REF.board, 8),
        BountyRef(1, REF.board, REF.bounty_id),
        BountyRef(REF.chain_id, "0x" + "b1" * 20, REF.bounty_id),
    ):
        with pytest.raises(BountyError, match="home"):
            Workspace.find(tmp_path, other)


def test_put_file__another_for_a_worker__refused_and_the_first_kept(tmp_path: Path) -> None:
    mine = Workspace(tmp_path)
    mine.put_file(10, b"ten")
    mine.put_file(2, b"two")
    mine.put_file(2, b"two")
    with pytest.raises(BountyError, match="worker 2"):
        mine.put_file(2, b"other")
    assert list(mine.files()) == [(2, b"two"), (10, b"ten")]
    assert mine.file(3) is None
    mine.put_acknowledgement(10, b"s" * 65)
    assert (mine.acknowledgement(10), mine.acknowledged()) == (b"s" * 65, [10])


@pytest.mark.parametrize("content", [b"", b"[", b"[]", b"{}", b'{"chain_id": "x"}'])
def test_workspace__file_damaged__said_so(tmp_path: Path, content: bytes) -> None:
    mine = Workspace(tmp_path)
    for name in ("bounty.json", "gold.json", "terms.json", "document.json"):
        (tmp_path / name).write_bytes(content)
    for read in (
        lambda: mine.ref,
        lambda: mine.gold,
        lambda: mine.terms,
        lambda: mine.document,
    ):
        with pytest.raises(BountyError):
            read()


def test_workspace__nothing_there__says_what_to_run(tmp_path: Path) -> None:
    mine = Workspace(tmp_path / "new")
    for read in (lambda: mine.terms, lambda: mine.document, mine.open_items, lambda: mine.names):
        with pytest.raises(BountyError):
            read()


def test_save_guests__names_accounts_codes__come_back(tmp_path: Path) -> None:
    mine = Workspace(tmp_path)
    assert (mine.guests, mine.webhooks) == ([], [])
    guests = [Guest("Ann", account="0x" + "aa" * 20), Guest("Bo", code="abcdefgh")]
    mine.save_guests(guests, ["https://hook.example"])
    assert (mine.guests, mine.webhooks) == (guests, ["https://hook.example"])
    (tmp_path / "guests.json").write_text('{"guests": [{"nick": "x"}]}')
    with pytest.raises(BountyError, match="damaged"):
        _ = mine.guests


def test_set_aside__file_of_what_stands_no_more__kept_under_another_name(tmp_path: Path) -> None:
    mine = Workspace(tmp_path)
    mine.set_aside(3)
    mine.put_file(3, b"old")
    mine.set_aside(3)
    assert mine.file(3) is None
    mine.put_file(3, b"new")
    assert list(mine.files()) == [(3, b"new")]
    assert sorted(path.read_bytes() for path in (tmp_path / "files").iterdir()) == [b"new", b"old"]
