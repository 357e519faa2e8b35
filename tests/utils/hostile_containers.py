# SPDX-License-Identifier: Apache-2.0
"""Does with a container made to harm what a buyer does, and checks how it is refused."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.containers import Draft, Forged, Part, decoder_peaks, forge
from truthmark.cid import cid_of_stream
from truthmark.codec import extract, open_container
from truthmark.errors import CodecError

MOST_MEMORY = 512 << 20

Case = Callable[[], Forged]


def open_all(forged: Forged, folder: Path) -> None:
    """Do everything a buyer does with a container."""
    forged.write(folder / "in")
    with open_container(folder / "in", cek=forged.cek) as container:
        for table in container.tables:
            container.to_table(table.path).to_pylist()
        extract(container, folder / "out")


def check_refused(forged: Forged, folder: Path) -> CodecError:
    with pytest.raises(CodecError) as caught:
        open_all(forged, folder)
    assert str(caught.value).isprintable()
    assert {path.name for path in folder.iterdir()} <= {"in"}
    assert all(peak <= MOST_MEMORY for peak in decoder_peaks())
    return caught.value


def recommitted(forged: Forged, data: bytes) -> Forged:
    forged.index_bytes = data
    forged.manifest = replace(
        forged.manifest, index=cid_of_stream(io.BytesIO(data)), index_size=max(len(data), 1)
    )
    return forged


def segment(data: bytes, **options: Any) -> Case:
    return lambda: forge([*Draft().parts()[:2], Part(2, data, **{"rows": 3, **options})])


def swapped(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert data.count(old) >= 1, "the test's own assumption about Arrow's bytes"
        return data.replace(old, new)

    return change
