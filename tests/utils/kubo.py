# SPDX-License-Identifier: Apache-2.0
"""Real Kubo daemons for tests."""

from collections.abc import Iterator

import pytest

from tests.utils.kubo_daemon import KuboProcess, kubo_binary, start_kubo
from truthmark.errors import ConfigError


@pytest.fixture(scope="session")
def kubo_pair(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[KuboProcess, KuboProcess]]:
    """Two connected daemons that talk to nobody else."""
    try:
        binary = kubo_binary(build=False)  # minutes, once: not in the time of a test
    except ConfigError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("kubo")
    with start_kubo(folder / "a", binary=binary) as a, start_kubo(folder / "b", binary=binary) as b:
        a.connect(b)
        yield a, b


@pytest.fixture(scope="session")
def kubo(kubo_pair: tuple[KuboProcess, KuboProcess]) -> KuboProcess:
    """One daemon."""
    return kubo_pair[0]
