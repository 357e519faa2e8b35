# SPDX-License-Identifier: Apache-2.0
"""The committed bundles are of the committed sources, as far as that shows without Node."""

import json

from tools import web


def test_manifest__sources_and_bundles__are_those_that_are_here() -> None:
    recorded = json.loads((web.STATIC / web.MANIFEST).read_text())
    files = {p.name: p.read_bytes() for p in web.STATIC.iterdir() if p.name != web.MANIFEST}
    assert recorded == web.describe(files), "run `make web` and commit what it changes"


def test_differences__changed_missing_and_left_over__are_named() -> None:
    recorded = {"same": b"1", "changed": b"1", "left": b"1"}
    fresh = {"same": b"1", "changed": b"2", "new": b"1"}
    named = [line.split(":")[0].rpartition("/")[2] for line in web.differences(recorded, fresh)]
    assert named == ["changed", "left", "new"]


def test_lock__packages__name_no_host_and_are_pinned_by_hash() -> None:
    packages = json.loads((web.WEB / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        assert not name or package["integrity"].startswith("sha512-")
        assert "resolved" not in package and "funding" not in package
