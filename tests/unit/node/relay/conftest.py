# SPDX-License-Identifier: Apache-2.0
import pytest
import schemathesis.pytest.plugin


def pytest_configure(config: pytest.Config) -> None:
    # It makes the tests of a schema.
    config.pluginmanager.register(schemathesis.pytest.plugin, "schemathesis")
