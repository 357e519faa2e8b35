# SPDX-License-Identifier: Apache-2.0
"""What this computer lacks, or is too slow for: an error of its own, of which nothing is kept."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.utils.previews import BUYER, PreviewMarket, make
from truthmark.codec import decoder, media_child
from truthmark.codec.container import Container
from truthmark.codec.media import MediaOpener, Opened
from truthmark.errors import MalformedError, UnableError
from truthmark.market.preview import PreviewState, exposures, looking, older, opening, sampling
from truthmark.market.preview.remembered import Remembered
from truthmark.market.preview.strata import files_shards

BIG = {"a.parquet": 200}


def pictures(place: int) -> pa.Table:
    return pa.table({"png": [os.urandom(700) for _ in range(4)]})


def require_nothing_kept(market: PreviewMarket, manifest: bytes, terms_id: bytes) -> None:
    kept = Remembered.of(market.session)
    assert kept.broken(manifest) is None
    assert kept.tried(manifest) == {}
    assert kept.shown(terms_id) is None
    assert kept.stands([terms_id]) == {}


def test_look__pillow_is_not_installed__is_an_error_that_says_what_to_install(
    market: PreviewMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(BIG, rows=pictures)
    version = market.list_version(made)
    market.publish(made)
    (tmp_path / "PIL.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UnableError, match="install it") as caught:
        market.look(version)
    assert "\n" not in str(caught.value)
    require_nothing_kept(market, made.forged.manifest.digest, version.terms_id)
    monkeypatch.undo()
    assert market.look(version).state is PreviewState.PARTIAL  # as it is noise


def test_look__computer_is_too_slow_for_drawn_files__is_an_error(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(BIG, rows=lambda place: pa.table({"json": [b"[1]"] * 40}))
    version = market.list_version(made)
    market.publish(made)
    monkeypatch.setattr(sampling, "MAX_MEDIA_SECONDS", 0.0)
    with pytest.raises(UnableError, match="took too long"):
        market.look(version)
    require_nothing_kept(market, made.forged.manifest.digest, version.terms_id)
    monkeypatch.undo()
    assert market.look(version).state is PreviewState.SHOWN


def test_look__files_of_older_versions_are_slow_too__are_counted_together(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def values(place: int) -> pa.Table:
        return pa.table({"json": [b"[1]"] * 4})

    first = make({"a.parquet": 150}, rows=values)
    second = make({"a.parquet": 190}, rows=values, previous=[first.forged.manifest.cid])
    second.take_over(first)
    for number, made in enumerate((first, second), 1):
        version = market.list_version(made, 1, number)
        market.open_sample(made, version)
    spent: list[float] = []

    class Slow(MediaOpener):
        def open(self, kind: str, data: bytes) -> Opened:
            self.spent += 1
            spent.append(self.spent)
            return Opened.YES

    def look_afresh() -> PreviewState:
        Remembered.of(market.session)._path.unlink(missing_ok=True)
        spent.clear()
        return market.look(version).state

    monkeypatch.setattr(sampling, "MediaOpener", Slow)
    assert look_afresh() is PreviewState.SHOWN
    assert spent == [*range(1, len(spent) + 1)]
    monkeypatch.setattr(sampling, "MAX_MEDIA_SECONDS", len(spent) - 2)
    with pytest.raises(UnableError, match="took too long"):
        look_afresh()


DYING = """
import os, signal, socket, sys
socket.socket(fileno=int(sys.argv[1])).recv(64)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("is_drawn", [True, False])
def test_look__decoder_is_killed_for_memory__says_nothing_of_the_seller(
    market: PreviewMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_drawn: bool
) -> None:
    made = make(BIG, draws=16 if is_drawn else None)
    version = market.list_version(made)
    market.publish(made, by=BUYER)
    script = tmp_path / "child.py"
    script.write_text(DYING)
    decode = Container.decode_segment

    def killed(self: Container, *args: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(decoder, "_pool", decoder._Pool())
            patch.setattr(decoder.child, "__file__", str(script))
            return decode(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Container, "decode_segment", killed)
        patch.setattr(exposures, "MAX_UNITS", 2)
        if is_drawn:
            with pytest.raises(UnableError, match="ended from outside"):
                market.look(version)
            require_nothing_kept(market, made.forged.manifest.digest, version.terms_id)
        else:
            assert market.look(version).state is PreviewState.BLIND
            tried = Remembered.of(market.session).tried(made.forged.manifest.digest)
            assert not any(unit > 1 for unit in tried)
    expected = PreviewState.SHOWN if is_drawn else PreviewState.BLIND
    assert market.look(version).state is expected


def test_look__segment_fails_once__is_looked_at_again(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(BIG)
    version = market.list_version(made)
    market.publish(made)
    true, failed = Container.decode_segment, list[float]()

    def fails_once(self: Container, *args: Any) -> Any:
        if not failed:
            failed.append(1.0)
            raise MalformedError("as on a bad day")
        return true(self, *args)

    monkeypatch.setattr(Container, "decode_segment", fails_once)
    assert market.look(version).state is PreviewState.SHOWN


def test_try_exposed__what_cannot_be_tried__lets_others_come_first_the_next_time(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else as many friends as are tried in a look could open what is not served, for ever."""
    made = make({"a.parquet": 40}, bad=[3], draws=None)
    version = market.list_version(made)
    market.publish(made, [0, *made.bad], BUYER)
    monkeypatch.setattr(exposures, "MAX_UNITS", 2)
    market.buy(version)
    hidden = range(20, 30)
    for i in hidden:
        market.publish(made, [i], f"0x{i:040x}")
        market.buy(version, f"0x{i:040x}")
        del market.shelf.blocks[
            next(cid for cid, data in market.shelf.blocks.items() if data == made.forged.shards[i])
        ]
    states = [market.look(version).state for _ in range(9)]
    assert PreviewState.BROKEN in states


def many_files() -> dict[str, bytes]:
    """Return files whose table takes several shards."""
    return {f"{i}/{os.urandom(16).hex()}.txt": b"x" for i in range(600)}


def test_try_exposed__segment_zero_is_larger_than_a_look__others_are_tried(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came first each time, and ended the look."""
    made = make({"a.parquet": 40}, files=many_files(), bad=[7], how="random", draws=None)
    version = market.list_version(made)
    market.publish(made, made.bad, BUYER)
    market.publish(made, files_shards(made.forged.index), BUYER)
    monkeypatch.setattr(looking, "MAX_BYTES", 2 * 4096)
    assert market.look(version).state is PreviewState.BROKEN


def test_look__segment_zero_is_larger_than_what_is_fetched__is_not_fetched(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make({"a.parquet": 130}, files=many_files())
    size = 4096 * len(files_shards(made.forged.index))
    version = market.list_version(made)
    market.publish(made)
    market.shelf.read.clear()
    monkeypatch.setattr(exposures, "MAX_UNITS", 0)
    found = market.look(version, max_download=size - 1)
    assert found.state is PreviewState.PARTIAL
    assert not any(len(market.shelf.blocks[cid]) == 4096 for cid in market.shelf.read)


def test_look__shown_by_more_than_others_fetch__changes_no_draw_of_newer_versions(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who fetches more would expect other draws than everybody else, and call a version WAITING."""
    made = make({"a.parquet": 130})
    version = market.list_version(made)
    market.publish(made)
    kept = Remembered.of(market.session)
    with monkeypatch.context() as patch:
        patch.setattr(looking, "MAX_DOWNLOAD", 8 * 4096)
        assert market.look(version, max_download=64 << 20).state is PreviewState.SHOWN
        assert kept.shown(version.terms_id) is None
    assert market.look(version).state is PreviewState.SHOWN
    assert kept.shown(version.terms_id) is not None


def test_look__values_that_python_has_none_for__are_looked_at(market: PreviewMarket) -> None:
    """Years after 9999 and zones that nobody knows ended buyers' clients."""

    def rows(place: int) -> pa.Table:
        zone = pa.array(range(40), pa.timestamp("s", tz="Nowhere/At all"))
        late = pa.array([2**60 + place] * 40, pa.timestamp("s"))
        return pa.table({"a": zone, "b": late, "c": late.dictionary_encode()})

    made = make(BIG, rows=rows)
    version = market.list_version(made)
    market.publish(made)
    assert market.look(version).state is PreviewState.SHOWN


def test_look__segments_that_are_slow_all_together__is_an_error(
    market: PreviewMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may take a minute, and there may be five hundred of them in each of many versions."""
    made = make(BIG)
    version = market.list_version(made)
    market.publish(made)
    little = partial(older.Allowance, patience=opening.Patience(1e-9))
    monkeypatch.setattr(looking, "Allowance", little)
    with pytest.raises(UnableError, match="took too long"):
        market.look(version)
    require_nothing_kept(market, made.forged.manifest.digest, version.terms_id)


def test_child__limits__are_those_of_the_page() -> None:
    page = (Path(__file__).parents[4] / "docs" / "preview.md").read_text()
    assert f"{decoder.child.PROCESSOR_SECONDS} seconds of processor time" in page
    assert f"{media_child.MEMORY >> 20} MiB" in page
    assert f"{media_child.MAX_PIXELS // 10**6} million pixels" in page
    assert f"{media_child.MAX_FILE >> 20} MiB" in page
