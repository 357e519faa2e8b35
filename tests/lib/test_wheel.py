# SPDX-License-Identifier: Apache-2.0
"""The wheel, outside the clone: installed beside the newest pandas, polars, pyarrow and datasets.

Nothing of requirements.lock counts there: the library must work with what the ordinary ranges of
pyproject.toml resolve to. What that was on the day of `make lock` stands in tools/neighbours.lock,
so that `make test` installs the same in a month; `make assure` resolves on the day it runs.
"""

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from platformdirs import user_cache_path
from playwright.sync_api import expect

from tests.utils.browsers import browser
from tests.utils.waiting import wait_for
from truthmark.testing.ports import free_port

__all__ = ["browser"]

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "tools" / "neighbours.lock"
NEIGHBOURS = ("pandas", "polars", "pyarrow", "datasets")

pytestmark = [pytest.mark.slow, pytest.mark.network]


def run(*command, cwd):
    """Run a command as a stranger would: nothing of this checkout in its environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the path of the wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    done = run(sys.executable, *build, str(ROOT), cwd=folder)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_wheel__pages__are_in_it_with_their_sources_and_no_packages(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    kept = json.loads((ROOT / "truthmark" / "web" / "static" / "manifest.json").read_text())
    wanted = [*(f"static/{name}" for name in kept["files"]), *kept["sources"]]
    assert {f"truthmark/web/{name}" for name in wanted} <= names
    assert not any("node_modules" in name for name in names)


@pytest.fixture(scope="module", params=["locked", pytest.param("today", marks=pytest.mark.assure)])
def python(wheel, request):
    """Return a Python outside the clone that has the wheel and the newest of its neighbours.

    The environment is kept for the same lock, or for the day, so that another run installs nothing
    but the wheel.
    """
    if request.param == "locked":
        wanted = LOCK.read_text() + sys.version
        packages = ("--no-deps", "--require-hashes", "-r", str(LOCK))
    else:
        wanted = f"{datetime.datetime.now(datetime.UTC).date()}" + sys.version
        packages = (str(wheel), *NEIGHBOURS)
    cache = user_cache_path("truthmark") / "wheel-test" / request.param
    folder = cache / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    python = folder / "bin" / "python"
    # What is imported is compiled then; thousands of modules are not.
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    pip = (*pip, "--no-compile")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for old in cache.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            made = run(sys._base_executable, "-m", "venv", str(folder), cwd=cache)
            assert made.returncode == 0, made.stderr
            done = run(*pip, *packages, cwd=cache)
            if "Connection" in done.stderr or "Name or service" in done.stderr:
                pytest.skip("no package index can be reached; connect to a network")
            assert done.returncode == 0, done.stderr
            (folder / "complete").touch()
        done = run(*pip, "--no-deps", "--force-reinstall", str(wheel), cwd=cache)
        assert done.returncode == 0, done.stderr
        yield str(python)


def test_wheel__built__holds_library_and_app_in_one_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"truthmark"}
    for needed in (
        "truthmark/py.typed",
        "truthmark/chain/artifacts/DatasetMarket.json",
        "truthmark/testing/artifacts/TestToken.json",
        "truthmark/testing/node/package-lock.json",
        "truthmark/_app/.streamlit/config.toml",
    ):
        assert needed in names
    app = [path for path in (ROOT / "app").rglob("*") if path.suffix in (".py", ".css", ".svg")]
    assert {f"truthmark/_app/{path.relative_to(ROOT)}" for path in app} <= set(names)
    assert not any("__pycache__" in name for name in names)


def test_wheel__installed_without_the_lock__has_no_conflicts(python, tmp_path):
    done = run(python, "-m", "pip", "check", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_wheel__installed_beside_the_newest__keeps_them_new(python, tmp_path):
    """What Ape pins (numpy < 2, pandas < 3) must not reach people who only use the library."""
    code = (
        "import importlib.metadata as m; "
        "print(*(m.version(p).split('.')[0] for p in ('numpy', 'pandas', 'pyarrow')))"
    )
    numpy, pandas, pyarrow = map(int, run(python, "-c", code, cwd=tmp_path).stdout.split())
    assert numpy >= 2
    assert pandas >= 3
    assert pyarrow >= 26


def test_import__outside_the_clone__is_the_installed_package(python, tmp_path):
    done = run(python, "-c", "import truthmark; print(truthmark.__file__)", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout
    assert str(ROOT) not in done.stdout


def test_command__help__names_the_groups(python, tmp_path):
    command = Path(python).with_name("truthmark")
    done = run(str(command), "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "dataset" in done.stdout


@pytest.fixture
def container(tmp_path):
    """Pack, in this environment of old pins, a table of every common kind; return folder, key."""
    import pyarrow as pa

    from truthmark.codec import cek_from_point, pack
    from truthmark.keys import curve

    secret = curve.random_scalar()
    public_key = curve.multiply(secret)
    base, _ = curve.base_of(public_key)
    cek = cek_from_point(curve.multiply(secret, base))
    table = pa.table(
        {
            "id": pa.array(range(5_000), pa.int64()),
            "score": pa.array([i / 7 if i % 5 else None for i in range(5_000)]),
            "label": pa.array([f"class {i % 3}" for i in range(5_000)]).dictionary_encode(),
            "tags": pa.array([[str(i), "ü"][: i % 3] for i in range(5_000)]),
        }
    )
    packed = pack(table, tmp_path / "packed", cek=cek, public_key=public_key, licence="CC0-1.0")
    return packed.folder, cek


READER = """
import json, sys
from pathlib import Path
import datasets, pandas, polars
from truthmark.codec import open_container, verify
folder, cek = Path(sys.argv[1]), bytes.fromhex(sys.argv[2])
verify(folder).require()
with open_container(folder, cek=cek) as container:
    table = container.to_table()
    frame = container.to_pandas(rows=range(4_000, 4_010))
lazy = polars.from_arrow(table)
rows = datasets.Dataset(table)
print(json.dumps({
    "rows": table.num_rows,
    "nulls": table["score"].null_count,
    "frame": frame["id"].tolist(),
    "classes": sorted(lazy["label"].cast(polars.String).unique()),
    "sum": int(lazy["id"].sum()),
    "tags": rows[2]["tags"],
}))
"""


def test_open_container__outside_beside_the_newest__reads_what_was_packed(
    python, container, tmp_path
):
    folder, cek = container
    done = run(python, "-c", READER, str(folder), cek.hex(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "rows": 5_000,
        "nulls": 1_000,
        "frame": list(range(4_000, 4_010)),
        "classes": ["class 0", "class 1", "class 2"],
        "sum": sum(range(5_000)),
        "tags": ["2", "ü"],
    }


def test_open_container__outside_with_another_key__refuses_in_one_line(python, container, tmp_path):
    folder, _ = container
    done = run(python, "-c", READER, str(folder), bytes(31).hex() + "01", cwd=tmp_path)
    assert done.returncode != 0
    assert "WrongKeyError" in done.stderr.splitlines()[-1]


COMPONENTS = """
from app.ask_views import Preview
from app.components.label_page import label_preview
from app.components.pace import own_pace
from app.components.wallet import wallet
from app.views import WalletOffer

shown = Preview("Of a wheel", "Look", (("cat", "1"), ("dog", "2")), "text", ("aGVsbG8=",))
label_preview(shown, "a")
wallet(WalletOffer(1, "net", "ETH", 1, (), "", ()), "b")
own_pace((), "c")
"""


@contextlib.contextmanager
def serving(command, port, cwd):
    """Run a server of the app, and give its address once it answers."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TRUTHMARK_"))}
    log = cwd / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command],
            cwd=cwd,
            env=clean | {"HOME": str(cwd), "STREAMLIT_SERVER_HEADLESS": "true"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: _answers(url) or server.poll() is not None, "an answer of the app")
            assert _answers(url), log.read_text()
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=120)


def _answers(url):
    try:
        return httpx.get(f"{url}/_stcore/health").status_code == 200
    except httpx.TransportError:
        return False


def test_app__of_the_wheel__answers_with_its_looks_and_the_label_page(python, tmp_path):
    port = free_port()
    command = (str(Path(python).with_name("truthmark")), "--profile", "sepolia", "app")
    with serving((*command, "--port", str(port)), port, tmp_path) as url:
        assert "Streamlit" in httpx.get(url).text
        page = httpx.get(f"{url}/label/1")
        assert page.status_code == 200
        assert "label.js" in page.text


def test_app__of_the_wheel__draws_each_component(python, tmp_path, browser):
    port = free_port()
    (tmp_path / "draw.py").write_text(COMPONENTS)
    found = run(
        python, "-c", "from truthmark.cli.app import app_folder; print(app_folder())", cwd=tmp_path
    )
    folder = Path(found.stdout.strip())
    assert folder.name == "_app"
    command = (
        *("env", f"PYTHONPATH={folder}", python, "-m", "streamlit", "run", "draw.py"),
        *("--server.address", "127.0.0.1", "--server.port", str(port)),
    )
    with serving(command, port, tmp_path) as url, browser.new_page() as page:
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url)
        expect(page.get_by_role("heading", name="Of a wheel")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("button", name="cat")).to_be_visible()
        expect(page.locator(".tm-wallet > *").first).to_be_visible()
        expect(page.locator(".tm-pace")).to_be_attached()
        assert not problems
