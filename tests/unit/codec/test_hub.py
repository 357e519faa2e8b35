# SPDX-License-Identifier: Apache-2.0
"""Our reading of the hub's rules, held against `datasets` itself."""

import os
import random
from pathlib import Path

import pytest

from truthmark.codec import hub
from truthmark.codec.readme import hub_licence

FOLDERS = ("data", "train", "test", "dev", "Train", "my train", "train-1", "a.b", "__x", "year=1")
STEMS = (
    "train", "test", "part-0", "validation", "x-test", "train-00000-of-00002", "a[1]", "metadata",
    "gold-00000-of-00001", "latest", "1 train 2", "README", "train_test",
)  # fmt: skip
SUFFIXES = (".csv", ".csv", ".jsonl", ".parquet", ".png", ".json", ".txt", ".tsv", ".md", "")
PATTERNS = ("**", "*", "data/*", "**/*.csv", "[!a]*", "*-[0-9]*", "a[[]1]*", "*a*n*", "?rain*")


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.untraced
def test_loaded_splits__random_folder__are_those_of_datasets(seed: int, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    from datasets.data_files import DataFilesDict, get_data_patterns, resolve_pattern

    from datasets import load, packaged_modules

    choose = random.Random(seed)
    suffixes, folders = choose.sample(SUFFIXES, 2), choose.sample(FOLDERS, 3)
    for _ in range(6):
        parts = choose.sample(folders, choose.choice([0, 0, 1, 2]))
        path = tmp_path.joinpath(*parts, choose.choice(STEMS) + choose.choice(suffixes))
        if not path.is_dir() and not any(parent.is_file() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a")
    paths = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    base = tmp_path.resolve().as_posix()
    for pattern in PATTERNS:
        try:
            found = sorted(os.path.relpath(one, base) for one in resolve_pattern(pattern, base))
        except FileNotFoundError:
            found = []
        assert hub.find_matches(pattern, paths) == found
    try:
        files = DataFilesDict.from_patterns(
            get_data_patterns(base), base, allowed_extensions=load._ALL_ALLOWED_EXTENSIONS
        )
        module, _ = load.infer_module_for_data_files(files)
    except (FileNotFoundError, ValueError, load.DataFilesNotFoundError):
        return  # `datasets` refuses the folder
    files = files.filter(
        extensions=packaged_modules._MODULE_TO_EXTENSIONS[module],
        file_names=packaged_modules._MODULE_TO_METADATA_FILE_NAMES[module],
    )
    expected = {
        str(split): [os.path.relpath(one, base) for one in some] for split, some in files.items()
    }
    assert list(hub.loaded_splits(paths).items()) == list(expected.items())


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        ("CC0-1.0", "cc0-1.0"),
        ("CC-BY-NC-SA-4.0", "cc-by-nc-sa-4.0"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("AGPL-3.0-only", "agpl-3.0"),
        ("ODC-By-1.0", "odc-by"),
        ("ODbL-1.0", "odbl"),
        ("PDDL-1.0", "pddl"),
        ("GFDL-1.3-or-later", "gfdl"),
        ("LicenseRef-Mine", None),
        ("MIT OR Apache-2.0", None),
    ],
)
def test_hub_licence__spdx__is_what_the_hub_calls_it(licence: str, name: str | None) -> None:
    assert hub_licence(licence) == name
