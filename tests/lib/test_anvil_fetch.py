# SPDX-License-Identifier: Apache-2.0
"""The pinned anvil is what is fetched, whatever else the registry has by now."""

import base64
import hashlib
import io
import json
import os
import tarfile

import pytest

from tests.utils.http_server import Reply, ScriptedServer
from truthmark.errors import ConfigError
from truthmark.testing import anvil
from truthmark.testing.npm import npm_command

PINNED, NEWER = "1.0.0", "2.0.0"


def package(name, version):
    """Return an npm package whose anvil says which version it is."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path, text in (
            ("package/package.json", json.dumps({"name": name, "version": version})),
            ("package/bin/anvil", version),
        ):
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """Serve both versions of each machine's package; pin the older one by its hash."""
    names = [f"@foundry-rs/{name}" for name in anvil._PACKAGES.values()]
    files = {(n, v): package(n, v) for n in names for v in (PINNED, NEWER)}
    integrity = {
        key: "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
        for key, data in files.items()
    }

    def answer(request):
        path = request.path.replace("%2f", "/").replace("%2F", "/").lstrip("/")
        for (name, version), data in files.items():
            if path == f"{name}/-/{version}.tgz":
                return Reply(200, data)
        if path not in names:
            return Reply(404)
        versions = {
            v: {
                "name": path,
                "version": v,
                "dist": {
                    "tarball": f"{server.url}/{path}/-/{v}.tgz",
                    "integrity": integrity[path, v],
                },
            }
            for v in (PINNED, NEWER)
        }
        body = {"name": path, "dist-tags": {"latest": NEWER}, "versions": versions}
        return Reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    wanted = {
        "name": "pins",
        "version": "1.0.0",
        "optionalDependencies": dict.fromkeys(names, PINNED),
    }
    cpus = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    machines = {
        name: {"os": [system.lower()], "cpu": [cpus[machine]]}
        for (system, machine), name in zip(anvil._PACKAGES, names, strict=True)
    }
    locked = {"": wanted} | {
        f"node_modules/{name}": {
            "version": PINNED,
            "integrity": integrity[name, PINNED],
            "optional": True,
            **machines[name],
        }
        for name in names
    }
    pins = {
        "package.json": wanted,
        "package-lock.json": {
            "name": "pins",
            "version": "1.0.0",
            "lockfileVersion": 3,
            "requires": True,
            "packages": locked,
        },
    }
    monkeypatch.setattr(anvil, "_pin", lambda name: json.dumps(pins[name]).encode())
    monkeypatch.setattr(anvil, "user_cache_path", lambda _: tmp_path / "cache")
    anvil._pinned_folder.cache_clear()
    with ScriptedServer(answer) as server:
        monkeypatch.setenv("npm_config_registry", server.url)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        monkeypatch.setenv("npm_config_userconfig", os.devnull)
        monkeypatch.setenv("npm_config_fetch_retries", "0")
        yield files
    anvil._pinned_folder.cache_clear()


@pytest.fixture(autouse=True)
def have_npm():
    """Skip where there is none."""
    if npm_command() is None:
        pytest.skip("there is no npm")


def test_fetch_anvil__newer_one_in_the_registry__takes_the_pinned(registry):
    assert anvil.fetch_anvil().read_text() == PINNED


def test_fetch_anvil__other_bytes_under_the_pinned_version__is_refused(registry):
    for key in registry:
        registry[key] = package(key[0], "evil")
    with pytest.raises(ConfigError, match="npm"):
        anvil.fetch_anvil()
    assert not anvil._pinned_binary().exists()


def test_fetch_anvil__machine_without_a_pin__says_what_to_do(registry, monkeypatch):
    monkeypatch.setattr(anvil.platform, "machine", lambda: "riscv64")
    with pytest.raises(ConfigError, match="TRUTHMARK_ANVIL"):
        anvil.fetch_anvil()
