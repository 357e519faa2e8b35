# SPDX-License-Identifier: Apache-2.0
"""The checks of the tree find what they are for."""

from pathlib import PurePosixPath

import pytest

from tools import check_tree


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Return a function that writes a file into a tree of its own and returns its path in it."""
    monkeypatch.setattr(check_tree, "ROOT", tmp_path)

    def write(name, text):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return PurePosixPath(name)

    return write


@pytest.mark.parametrize(
    ("name", "licence"), [("truthmark/a.py", "Apache-2.0"), ("contracts/A.vy", "AGPL-3.0-only")]
)
def test_licences__right_one_named__is_silent(tree, name, licence):
    file = tree(name, f"# SPDX-License-Identifier: {licence}\n")
    assert list(check_tree.licences([file])) == []


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("truthmark/a.py", ""),
        ("truthmark/a.py", "# SPDX-License-Identifier: AGPL-3.0-only"),
        ("contracts/A.vy", "# SPDX-License-Identifier: Apache-2.0"),
        ("Makefile", "all:"),
    ],
)
def test_licences__none_or_another_folders__is_told(tree, name, head):
    problems = list(check_tree.licences([tree(name, f"{head}\n")]))
    assert len(problems) == 1
    assert problems[0].startswith(f"{name}: put ")


def test_locks__hashes_only__is_silent(tree):
    file = tree("requirements.lock", "click==8.1.8 \\\n    --hash=sha256:00\n")
    assert list(check_tree.locks([file])) == []


def test_locks__host_named__is_told(tree):
    file = tree("a/package-lock.json", '{"resolved": "https://packages.example/anvil.tgz"}')
    assert list(check_tree.locks([file])) == [
        "a/package-lock.json: names the host https://packages.example; run `make lock`"
    ]


def artifact(size=1, name="buy"):
    abi = f'[{{"type": "function", "name": "{name}", "inputs": [], "outputs": []}}]'
    return f'{{"abi": {abi}, "deployed_size": {size}}}'


def test_contracts__kill_told_and_small__is_silent(tree):
    tree("truthmark/chain/artifacts/A.json", artifact(size=23_347))
    file = tree("contracts/A.vy", '"""\n@custom:kill The owner pauses.\n"""\n')
    assert list(check_tree.contracts([file])) == []


def test_contracts__no_kill_and_large__both_told(tree):
    tree("truthmark/chain/artifacts/A.json", artifact(size=23_348))
    file = tree("contracts/A.vy", '"""\n@title A\n"""\n')
    kill, size = check_tree.contracts([file])
    assert "@custom:kill" in kill
    assert "23348 bytes" in size


@pytest.mark.parametrize(("name", "count"), [("receive_order", 0), ("recieve_order", 1)])
def test_spelling__names_of_the_abi__misspelled_words_told(tree, name, count):
    tree("truthmark/chain/artifacts/A.json", artifact(name=name))
    assert len(list(check_tree.spelling([tree("contracts/A.vy", "")]))) == count
