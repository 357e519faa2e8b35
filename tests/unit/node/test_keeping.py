# SPDX-License-Identifier: Apache-2.0
"""What a node keeps of a version, and of older ones for it."""

from pathlib import Path

import pytest

from tests.utils.containers import S
from tests.utils.offline_market import OfflineMarket
from tests.utils.previews import Made, PreviewMarket, make
from truthmark.cid import build_dag
from truthmark.errors import StorageError
from truthmark.hashing import sha256
from truthmark.market.entries import Version
from truthmark.market.preview import Preview, PreviewState, blocks_of_older
from truthmark.market.preview.remembered import Remembered
from truthmark.node.keeping import PinnedSet
from truthmark.storage import LocalStore, MultiStore


def no_progress(done: int = 0, total: int = 0) -> None:
    """Tell nobody."""


@pytest.fixture
def market(offline: OfflineMarket) -> PreviewMarket:
    return PreviewMarket(offline)


def three_versions(market: PreviewMarket) -> list[tuple[Made, Version]]:
    """Each takes over the segments of the one before."""
    found: list[tuple[Made, Version]] = []
    for number, segments in enumerate((150, 170, 190), 1):
        before = [made.forged.manifest.cid for made, _ in reversed(found)]
        made = make({"a.parquet": segments}, draws=32, previous=before)
        if found:
            made.take_over(found[-1][0])
        version = market.list_version(made, 1, number)
        dag = build_dag((sha256(shard), S) for shard in made.forged.shards)
        assert dag.root == made.forged.manifest.container
        market.shelf.blocks |= dict(dag.nodes)
        market.open_sample(made, version)
        found.append((made, version))
    return found


def look_afresh(market: PreviewMarket, version: Version) -> Preview:
    """As a computer does that has seen nothing before."""
    Remembered.of(market.session)._path.unlink(missing_ok=True)
    return market.look(version)


@pytest.mark.untraced
def test_keep__takes_over_from_older_versions__serves_all_that_a_look_needs(
    market: PreviewMarket, tmp_path: Path
) -> None:
    versions = three_versions(market)
    made, version = versions[-1]
    before = look_afresh(market, version)
    assert before.state is PreviewState.SHOWN, before.why
    own = LocalStore(tmp_path / "own")
    both = MultiStore([own, market.shelf])
    kept = PinnedSet(tmp_path / "kept")
    older = blocks_of_older(market.session, version)
    arguments = version.terms_id, made.forged.manifest, no_progress
    kept.keep(both, *arguments)
    kept.keep_older(both, version.terms_id, older, no_progress)
    kept.keep(both, *arguments)  # as after a start: the note of the older ones stays
    market.session.__dict__["storage"] = own  # all others are gone
    found = look_afresh(market, version)
    assert (found.state, found.parts) == (PreviewState.SHOWN, before.parts)
    # Nothing is kept twice: what the version has itself is no block of an older one.
    shards = {made.forged.index.sha256(i) for i in range(made.forged.index.count)}
    assert not shards & {cid.digest for cid in older}
    kept.drop(own, version.terms_id)
    assert own.pins() == []


def test_keep__without_what_older_versions_showed__a_look_wants_other_parts(
    market: PreviewMarket, tmp_path: Path
) -> None:
    """So the test above can fail."""
    made, version = three_versions(market)[-1]
    own = LocalStore(tmp_path / "own")
    both = MultiStore([own, market.shelf])
    PinnedSet(tmp_path / "kept").keep(both, version.terms_id, made.forged.manifest, no_progress)
    market.session.__dict__["storage"] = own
    assert look_afresh(market, version).state is not PreviewState.SHOWN


def test_keep_older__something_is_nowhere_to_be_had__keeps_the_rest_within_bounds(
    market: PreviewMarket, tmp_path: Path
) -> None:
    _, version = three_versions(market)[-1]
    older = blocks_of_older(market.session, version)
    some = blocks_of_older(market.session, version, most=40 * S)
    assert 0 < len(some) < len(older)
    assert blocks_of_older(market.session, version, most=-1) == []
    own = LocalStore(tmp_path / "own")
    gone = older[0]
    del market.shelf.blocks[gone]
    kept = PinnedSet(tmp_path / "kept")
    with pytest.raises(StorageError):
        kept.keep_older(MultiStore([own, market.shelf]), version.terms_id, older, no_progress)
    assert {*own.pins()} == {*older} - {gone}
    kept.drop(own, version.terms_id)
    assert own.pins() == []
