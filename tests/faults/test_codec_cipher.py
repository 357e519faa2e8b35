# SPDX-License-Identifier: Apache-2.0
"""Sixteen shards, and everything that can be done to ciphertext without the key."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.utils.containers import MemoryShards, P, S, pack
from truthmark.codec import extract, open_container
from truthmark.codec.container import Container
from truthmark.errors import CodecError, IntegrityError, WrongKeyError

COUNT = 16
UNTOUCHED = b"\xee" * P


@pytest.fixture(scope="module")
def honest(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Container, list[bytes], bytes]]:
    folder = tmp_path_factory.mktemp("cipher")
    # Shards of equal plaintext too, so that only their place tells them apart.
    plain = b"".join(os.urandom(P) if i % 2 else b"same" * (P // 4) for i in range(COUNT - 1))
    (folder / "x").write_bytes(plain)
    packed, cek = pack(folder / "x", folder / "packed", shard_size=S)
    assert packed.count == COUNT
    data = (folder / "packed" / "data.tmk").read_bytes()
    with open_container(folder / "packed", cek=cek) as container:
        yield container, [data[i * S : (i + 1) * S] for i in range(COUNT)], cek


Change = Callable[[list[bytes]], list[bytes]]


def put(i: int, make: Callable[[list[bytes]], bytes]) -> Change:
    return lambda shards: [*shards[:i], make(shards), *shards[i + 1 :]]


def changes() -> Iterator[tuple[str, set[int], Change]]:
    """Yield a name, the shards it makes bad, and the change."""
    for i, j in itertools.combinations(range(COUNT), 2):

        def swap(shards: list[bytes], i: int = i, j: int = j) -> list[bytes]:
            made = list(shards)
            made[i], made[j] = made[j], made[i]
            return made

        yield f"swap {i} {j}", {i, j}, swap
    for i, j in itertools.permutations(range(COUNT), 2):
        yield f"duplicate {j} over {i}", {i}, put(i, lambda s, j=j: s[j])
        yield (
            f"splice {i} with the end of {j}",
            {i},
            put(i, lambda s, i=i, j=j: s[i][: S // 2] + s[j][S // 2 :]),
        )
        yield f"tag of {j} on {i}", {i}, put(i, lambda s, i=i, j=j: s[i][:-16] + s[j][-16:])
    for i in range(COUNT):
        yield f"drop {i}", set(range(i, COUNT)), lambda s, i=i: [*s[:i], *s[i + 1 :], bytes(S)]
        for name, make in {
            "truncate by one": lambda s, i=i: s[i][:-1],
            "truncate the tag": lambda s, i=i: s[i][:-16],
            "truncate to nothing": lambda s: b"",
            "lengthen": lambda s, i=i: s[i] + b"\0",
            "zeros": lambda s: bytes(S),
            "noise": lambda s: os.urandom(S),
            "turn": lambda s, i=i: s[i][1:] + s[i][:1],
            **{
                f"flip bit at {at}": lambda s, i=i, at=at: (
                    s[i][:at] + bytes([s[i][at] ^ 1]) + s[i][at + 1 :]
                )
                for at in (0, 15, 16, P // 2, P - 1, P, S - 1)
            },
        }.items():
            yield f"{name} {i}", {i}, put(i, make)


def test_open__every_change_to_sixteen_shards__releases_nothing(
    honest: tuple[Container, list[bytes], bytes],
) -> None:
    container, shards, cek = honest
    done = 0
    for name, bad, change in changes():
        source = MemoryShards(change(list(shards)))
        opener = type(container.opener)(container.index, source, cek=cek, shard_size=S)
        for i in sorted(bad)[:2]:
            buffer = bytearray(UNTOUCHED)
            with pytest.raises(IntegrityError):
                opener.open_into(i, memoryview(buffer))
            assert buffer == UNTOUCHED, name
        good = next(i for i in range(COUNT) if i not in bad) if len(bad) < COUNT else None
        if good is not None and done % 50 == 0:
            assert opener.open(good) == container.opener.open(good)
        done += 1
    assert done >= 120 + 3 * 240 + 16 * 15


def test_open__shards_of_another_container__release_nothing(
    honest: tuple[Container, list[bytes], bytes], tmp_path: Path
) -> None:
    container, _, cek = honest
    (tmp_path / "x").write_bytes(bytes(P * 15))
    pack(tmp_path / "x", tmp_path / "other", shard_size=S)
    data = (tmp_path / "other" / "data.tmk").read_bytes()
    source = MemoryShards([data[i * S : (i + 1) * S] for i in range(COUNT)])
    opener = type(container.opener)(container.index, source, cek=cek, shard_size=S)
    for i in range(COUNT):
        with pytest.raises(IntegrityError):
            opener.open(i)


def test_open__another_key__is_refused_before_any_shard_is_read(
    honest: tuple[Container, list[bytes], bytes],
) -> None:
    container, shards, cek = honest
    for bit in range(0, 256, 37):
        wrong = bytearray(cek)
        wrong[bit // 8] ^= 1 << bit % 8
        source = MemoryShards(shards)
        opener = type(container.opener)(container.index, source, cek=bytes(wrong), shard_size=S)
        for i in range(COUNT):
            buffer = bytearray(UNTOUCHED)
            with pytest.raises(WrongKeyError):
                opener.open_into(i, memoryview(buffer))
            assert buffer == UNTOUCHED
        assert source.asked == []


@pytest.mark.parametrize("bad", [1, 7, 15])
@pytest.mark.parametrize("processes", [1, 2])
def test_extract__one_bad_shard__leaves_nothing(
    bad: int, processes: int, honest: tuple[Container, list[bytes], bytes], tmp_path: Path
) -> None:
    container, shards, cek = honest
    source = MemoryShards(put(bad, lambda s: bytes(S))(list(shards)))
    opened: Any = open_container((container.index, source), cek=cek, manifest=container.manifest)
    with pytest.raises(CodecError, match=f"shard {bad}"):
        extract(opened, tmp_path / "out", processes=processes)
    assert list(tmp_path.iterdir()) == []
