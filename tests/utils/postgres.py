# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL: the server that TRUTHMARK_POSTGRES names, or one of our own from `pgserver`.

Only the programs of that package are used, not its Python: as root, where PostgreSQL refuses to
run, it would add a user to the machine. Ours runs as `nobody` there, listens at a socket in a
folder of its own, and ends with the tests.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_PATIENCE = 60.0


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """The URL of an empty database, which is dropped at the end."""
    import sqlalchemy as sa

    with _server() as server:
        engine = sa.create_engine(sa.make_url(server), isolation_level="AUTOCOMMIT")
        name = f"truthmark_test_{os.getpid()}"
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        url = engine.url.set(database=name)
        try:
            yield url.render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
            engine.dispose()


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """The URL of a database in which nothing is."""
    import sqlalchemy as sa

    engine = sa.create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres_database


@contextmanager
def _server() -> Iterator[str]:
    if named := os.environ.get("TRUTHMARK_POSTGRES"):
        yield named
        return
    package = _package()
    folder = Path(tempfile.mkdtemp(prefix="truthmark-postgres-"))
    # A user who is not root runs it as they are.
    as_whom: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_whom = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        # `nobody` may not be let into the folder where this clone lies.
        libraries = package.with_name("pgserver.libs")  # which programs find beside the package
        shutil.copytree(libraries, folder / libraries.name)
        package = shutil.copytree(package, folder / package.name)
    data, programs = folder / "data", package / "pginstall" / "bin"
    try:
        init = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
        _run([programs / "initdb", "-D", data, *init, "--no-locale"], cwd=folder, **as_whom)
        options = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off"}
        settings = [f"--{name}={value}" for name, value in options.items()]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, *settings],
                stdout=log,
                stderr=log,
                cwd=folder,
                **as_whom,
            )
        try:
            url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
            _wait(url, process, folder / "log")
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # waits for nobody who is still connected
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def _package() -> Path:
    """Return the folder of `pgserver`."""
    found = importlib.util.find_spec("pgserver")
    if found is None or not found.submodule_search_locations:
        pytest.skip("PostgreSQL: pgserver has none for this machine; set TRUTHMARK_POSTGRES")
    return Path(found.submodule_search_locations[0])


def _run(command: list[Any], **options: Any) -> None:
    try:
        subprocess.run(command, capture_output=True, check=True, text=True, **options)
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"initdb failed: {error.stderr}") from error


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with engine.connect():
                break
        except sa.exc.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not come up: {log.read_text()}") from None
            time.sleep(0.05)
    engine.dispose()
