# SPDX-License-Identifier: Apache-2.0
"""`truthmark preview` prints a sample, writes it, and says the same as JSON."""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from tests.utils.offline_market import OfflineMarket
from tests.utils.previews import Made, PreviewMarket, make
from truthmark.cli.command import State
from truthmark.cli.main import cli
from truthmark.cli.preview import _figures_json
from truthmark.errors import CodecError
from truthmark.market.preview.figures import ColumnFigures, Range, Share
from truthmark.market.preview.saving import write_rows


class Looker:
    """Runs the command on a market without a chain."""

    def __init__(self, market: PreviewMarket, monkeypatch: pytest.MonkeyPatch) -> None:
        self.market = market

        @contextlib.contextmanager
        def session(state: State, **_: Any) -> Iterator[Any]:
            yield market.session

        monkeypatch.setattr(State, "session", session)

    def __call__(self, *arguments: object) -> Result:
        state = State()
        state.__dict__["profile"] = self.market.profile
        done = CliRunner().invoke(cli, ["preview", *map(str, arguments)], obj=state)
        assert done.exit_code == 0, done.output
        return done

    def list_shown(self) -> Made:
        made = make({"a.parquet": 130}, files={"read me.txt": b"about it\n"})
        self.market.list_version(made)
        self.market.publish(made)
        return made


@pytest.fixture
def looker(offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch) -> Looker:
    return Looker(PreviewMarket(offline), monkeypatch)


def test_preview__shown__prints_bounds_and_rows(looker: Looker) -> None:
    looker.list_shown()
    out = looker("1", "--rows", 2).stdout
    assert "data set 1@1: shown" in out
    assert "at most 31 % of the bytes" in out
    assert "worth its price" in out
    assert "drawn by chance" in out


def test_preview__shown__prints_figures_with_intervals_and_says_them_as_json(
    looker: Looker,
) -> None:
    looker.list_shown()
    out = looker("1").stdout
    # 16 draws may all have missed 1 - 0.0005^(2/16) of the rows, which is 61 %.
    assert "a.parquet: of all rows, as the sample says with 99.9 % certainty" in out
    lines = {line.split()[0]: line for line in out.partition("certainty")[2].splitlines() if line}
    assert "0 % (0 to 61 %)  about 5,200 (" in lines["id"]
    assert "outside at most 61 %" in lines["id"]
    assert "about 3 (3 to 3," in lines["y"] and "0 to 2; outside" in lines["y"]
    figures = json.loads(looker("1", "--json").stdout)["figures"]["a.parquet"]
    assert figures["id"]["nulls"]["high"] == pytest.approx(1 - 0.0005 ** (2 / 16))
    assert figures["id"]["distinct"]["estimate"] == pytest.approx(5_200)
    assert figures["id"]["range"]["high"] < 5_200 and figures["id"]["classes"] is None
    assert figures["text"]["range"] is None
    assert set(figures["y"]["classes"]) == {"0", "1", "2"}


def test_preview__save__writes_rows_that_can_be_loaded(looker: Looker, tmp_path: Path) -> None:
    looker.list_shown()
    assert looker("1", "--save", tmp_path / "out").exit_code == 0
    rows = pq.read_table(tmp_path / "out" / "a.parquet.sample.parquet")
    shown = json.loads(looker("1", "--json").stdout)
    assert rows.num_rows == shown["rows"] > 0
    assert (shown["state"], shown["draws"]) == ("shown", 16)


def test_write_rows__values_that_all_rows_share__are_written_once(tmp_path: Path) -> None:
    """Parquet would have them as often as there are rows: terabytes, of a hundred megabytes."""
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000), pa.array(["x" * 10_000]))
    plain = pa.array(["a", "b"] * 50_000).dictionary_encode()
    write_rows("a", pa.table({"x": shared}), tmp_path / "a")
    write_rows("b", pa.table({"x": plain}), tmp_path / "b")
    write_rows("c", pa.table({"x": _overlapping()}), tmp_path / "c")
    assert {it.name for it in tmp_path.iterdir()} == {
        "a.sample.arrow",
        "b.sample.parquet",
        "c.sample.arrow",
    }
    assert sum(it.stat().st_size for it in tmp_path.iterdir()) < 2 << 20


def _overlapping() -> pa.Array:
    offsets, sizes = pa.array([0] * 1_000, pa.int32()), pa.array([1_000] * 1_000, pa.int32())
    return pa.ListViewArray.from_arrays(offsets, sizes, pa.array(range(1_000)))


def test_write_rows__dictionaries_that_differ__are_written_or_refused_in_a_line(
    tmp_path: Path,
) -> None:
    parts = [
        pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([[word]])) for word in ("a", "b")
    ]
    table = pa.table({"x": pa.chunked_array(parts)})
    try:
        write_rows("t", table, tmp_path / "t")
    except CodecError as error:
        assert "\n" not in str(error)
        assert list(tmp_path.iterdir()) == []


def test_write_rows__bytes_of_no_length__are_written(tmp_path: Path) -> None:
    """Parquet refuses them by an error of the operating system's kind."""
    write_rows("t", pa.table({"x": pa.array([b""], pa.binary(0))}), tmp_path / "t")
    assert [it.name for it in tmp_path.iterdir()] == ["t.sample.arrow"]


def test_as_json__numbers_without_end__is_json() -> None:
    share = Share(0.5, 0.4, 0.6)
    figures = ColumnFigures(share, values=Range(-math.inf, math.inf, 0.1))
    shown = _figures_json(figures)["range"]
    assert json.loads(json.dumps(shown, allow_nan=False))["low"] == "-inf"


def test_preview__waiting__has_no_rows(looker: Looker) -> None:
    looker.market.list_version(make({"a.parquet": 130}))
    out = looker("1").stdout
    assert "waiting" in out
    assert "worth its price" not in out
