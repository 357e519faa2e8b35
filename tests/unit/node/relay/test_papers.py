# SPDX-License-Identifier: Apache-2.0
"""The files of the bounties that a relay serves."""

from pathlib import Path

import pytest

from tests.utils.relays import PaperDesk, make_papers, team_terms
from truthmark.bounty.items import Items
from truthmark.node.relay import api
from truthmark.node.relay.papers import MAX_OPEN, Papers


def open_files(folder: Path) -> int:
    """Return how many descriptors of this process lead into a folder."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += entry.readlink().is_relative_to(folder)
        except OSError:  # the one by which this is read
            continue
    return found


def test_item__more_bounties_than_are_held_open__descriptors_are_bounded(tmp_path: Path) -> None:
    made = make_papers(tmp_path / "made")
    terms = team_terms(
        made.document, requester="0x" + "11" * 20, relay="0x" + "22" * 20, token="0x" + "33" * 20
    )
    papers, items = Papers(tmp_path / "kept", 1 << 20), Items.open(made.folder)
    for turn in (1, 2):
        for number in range(1, 2 * MAX_OPEN):
            for kind, file in (("manifest", made.manifest), ("data", made.data)):
                path = papers.path(number, terms, kind)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read_bytes())
            length, pieces = papers.item(number, terms, turn)
            data = b"".join(pieces)
            assert (data, len(data)) == (items.stored(turn), length)
        del pieces  # who reads holds the file
        assert open_files(tmp_path / "kept") == 2 * MAX_OPEN


@pytest.mark.parametrize("piece", [0, api.PIECE])
def test_item__streamed_or_at_once__is_the_same(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PIECE", piece)
    desk = PaperDesk(tmp_path)
    desk.offer()
    desk.papers.bring(desk.client, 7)
    items = desk.client.items(7, desk.papers.document)
    assert desk.client.item(7, 3, items) == Items.open(desk.papers.folder).stored(3)
    desk.client.close()
