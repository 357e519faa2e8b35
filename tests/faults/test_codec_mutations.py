# SPDX-License-Identifier: Apache-2.0
"""Malformed inputs by the thousand, over manifest, card, index, files table, schema and segments.

A campaign runs in a process of its own, so that a crash, a hang or a growing memory of the reader
is seen as such. Bytes behind a commitment are changed before they are committed to: else every
mutant would end at the first hash.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest

from tests.utils.containers import Draft, Forged, MemoryShards, decoder_peaks, stream_of
from tests.utils.frames import compressed
from truthmark.codec import extract, files_table, open_container, read_card
from truthmark.codec.container import check_index
from truthmark.codec.manifest import Manifest
from truthmark.codec.shard_index import ShardIndex
from truthmark.errors import CodecError, TruthmarkError

PROJECT = Path(__file__).parents[2]
MOST_MEMORY = 512 << 20
EDGES = [bytes(4), b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", bytes(8), b"\xff" * 8, b"\1"]


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Change a few bytes, or cut, repeat, move or replace a piece."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(made) + 1)
        kind = chance.randrange(7)
        if kind <= 1 and at < len(made):
            made[at] ^= 1 << chance.randrange(8)
        elif kind == 2 and at < len(made):
            made[at] = chance.randrange(256)
        elif kind == 3:
            edge = chance.choice(EDGES)
            made[at : at + len(edge)] = edge
        elif kind == 4:
            del made[at : at + chance.choice((1, 4, 8, 64))]
        elif kind == 5:
            made[at:at] = made[at - min(at, chance.choice((1, 8, 64))) : at]
        elif kind == 6 and chance.random() < 0.2:
            del made[at:]
    return bytes(made)


def tables() -> list[pa.Table]:
    return [
        pa.table({"item": [1, 2, 3], "label": ["cat", None, "dog"]}),
        pa.table(
            {
                "code": pa.array(["x", "y", None, "x"]).dictionary_encode(),
                "list": [[1, 2], None, [], [3]],
                "struct": [{"a": 1, "b": "q"}, None, {"a": 3, "b": None}, {"a": 4, "b": "é"}],
                "flag": [True, None, False, True],
                "stamp": pa.array([1, 2, None, 4], pa.timestamp("us", "UTC")),
            }
        ),
        pa.table(
            {
                "view": pa.array(["a rather long string of text", None, "short"], pa.string_view()),
                "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int8())),
                "fixed": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int8(), 2)),
                "runs": pa.RunEndEncodedArray.from_arrays(
                    pa.array([2, 3], pa.int32()), pa.array([5, 6])
                ),
                "large": pa.array([b"x", None, b"yz"], pa.large_binary()),
            }
        ),
    ]


class Campaign:
    """Opens one mutant after the other."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.outcomes: Counter[str] = Counter()
        self.plain = [Draft(table=table) for table in tables()]
        for draft in list(self.plain):
            packed = Draft(table=draft.table)
            packed.segment = stream_of(draft.table, "zstd")[1]
            self.plain.append(packed)
            framed = Draft(table=draft.table)
            framed.decoded, framed.segment = len(draft.segment), compressed(draft.segment, [208])
            self.plain.append(framed)
        self.whole = [draft.forge() for draft in self.plain]

    def run(self, count: int) -> None:
        layers: list[Callable[[int], None]] = [
            self.manifest, self.card, self.index, self.index,
            self.files, self.files, self.schema, self.segment, self.segment, self.segment,
        ]  # fmt: skip
        for number in range(count):
            layer = layers[number % len(layers)]
            try:
                layer(number // len(layers) % len(self.whole))
            except TruthmarkError as error:
                assert str(error).isprintable(), repr(str(error))
                assert len(str(error)) < 1500, str(error)
                self.outcomes[f"{layer.__name__} refused"] += 1
            else:
                self.outcomes[f"{layer.__name__} read"] += 1
            assert not any(self.folder.iterdir())

    def changed(self, data: bytes) -> bytes:
        return mutate(data, self.chance)

    def manifest(self, base: int) -> None:
        Manifest.from_bytes(self.changed(self.whole[base].manifest.to_bytes()))

    def card(self, base: int) -> None:
        read_card(self.changed(self.whole[base].card_bytes))

    def index(self, base: int) -> None:
        forged = self.whole[base]
        data = self.changed(forged.index_bytes)
        index = ShardIndex.from_bytes(data, forged.manifest.count)
        if data != forged.index_bytes and index.tree.root == forged.manifest.root:
            return  # bytes that say nothing, such as padding
        check_index(index, forged.manifest)

    def files(self, base: int) -> None:
        draft = self.plain[base]
        data = self.changed(files_table.encode(draft.entries, compress=bool(base % 2)))
        self.use(draft.forge(data))

    def schema(self, base: int) -> None:
        draft = replace_schema(self.plain[base], self.changed)
        self.use(draft.forge())

    def segment(self, base: int) -> None:
        draft = self.plain[base]
        forged = draft.forge(plaintext=self.changed(draft.segment))
        self.use(forged)

    def use(self, forged: Forged) -> None:
        """Read everything and write it out."""
        source = (forged.index, MemoryShards(forged.shards))
        with open_container(source, cek=forged.cek, manifest=forged.manifest) as container:
            for file in container.files:
                if file.is_table:
                    table = container.to_table(file.path)
                    assert table.num_rows == file.rows
                    container.to_pandas(file.path)
                else:
                    container.read_bytes(file.path)
            form = self.chance.choice(("arrow", "parquet"))
            target = self.folder / "out"
            extract(container, target, form)
            assert target.is_dir()
            shutil.rmtree(target)


def replace_schema(draft: Draft, change: Callable[[bytes], bytes]) -> Draft:
    made = Draft(table=draft.table)
    made.segment, made.decoded = draft.segment, draft.decoded
    made.entries[1] = replace(made.entries[1], schema=change(draft.schema))
    return made


def campaign(seed: int, count: int) -> None:
    """Run in a process of its own; print what came of it."""
    # Thousands of small folders: what a disk would have kept is not the question here.
    with (
        tempfile.TemporaryDirectory() as name,
        mock.patch("truthmark.codec.durable.sync_path"),
    ):
        made = Campaign(seed, Path(name))
        made.run(count)
        peaks = [_own_peak(), *decoder_peaks()]
        print(json.dumps({"outcomes": made.outcomes, "peaks": peaks}))


def _own_peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def check_campaign(seed: int, count: int) -> None:
    code = f"from tests.faults.test_codec_mutations import campaign; campaign({seed}, {count})"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"seed {seed}: {done.returncode}\n{done.stderr[-3000:]}"
    result: Any = json.loads(done.stdout)
    assert sum(result["outcomes"].values()) == count
    assert max(result["peaks"]) <= MOST_MEMORY, result
    for layer in ("manifest", "card", "index", "files", "schema", "segment"):
        assert result["outcomes"][f"{layer} refused"] > count // 100, result


def test_read__ten_thousand_malformed_inputs__are_refused_or_read(seed: int = 1) -> None:
    check_campaign(seed, 10_000)


@pytest.mark.assure
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 110))
def test_read__a_hundred_thousand_malformed_inputs__are_refused_or_read(seed: int) -> None:
    check_campaign(seed, 10_000)


def test_mutate__same_seed__gives_the_same() -> None:
    data = bytes(range(256))
    again = [mutate(data, random.Random(3)) for _ in range(2)]
    assert again[0] == again[1] != data
    with pytest.raises(CodecError):
        Manifest.from_bytes(again[0])
