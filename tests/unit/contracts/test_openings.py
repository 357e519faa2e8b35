# SPDX-License-Identifier: Apache-2.0
"""Openings: one event a call, from anyone, and nothing else."""

from typing import Any

import boa
import pytest

from tests.utils.drafts import word_of
from tests.utils.permits import address_of_role
from tests.utils.tokens import deployer

ROOT = word_of("root")


@pytest.fixture(scope="module")
def openings() -> Any:
    return deployer("Openings").deploy()


@pytest.mark.parametrize("count", [0, 1, 64, 512])
def test_publish__keys_by_anyone__are_logged_in_order_under_the_caller(
    openings: Any, count: int
) -> None:
    sender = address_of_role("stranger")
    keys = [word_of("key", i) for i in range(count)]
    openings.publish(ROOT, keys, sender=sender)
    (event,) = openings.get_logs()
    assert (event.root, event.publisher, event.keys) == (ROOT, sender, keys)


def test_publish__same_keys_again_and_under_another_root__are_logged_again(openings: Any) -> None:
    keys = [word_of("key")] * 2
    for root in (ROOT, ROOT, word_of("other root")):
        openings.publish(root, keys)
        (event,) = openings.get_logs()
        assert (event.root, event.keys) == (root, keys)


def test_publish__more_keys_than_a_sample_can_have__is_refused(openings: Any) -> None:
    with boa.reverts():
        openings.publish(ROOT, [word_of("key", i) for i in range(513)])


def test_openings__deployed__holds_no_storage_and_is_as_small_as_promised(openings: Any) -> None:
    assert openings.compiler_data.storage_layout.get("storage_layout", {}) == {}
    assert len(openings.bytecode) <= 200
