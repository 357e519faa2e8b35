# SPDX-License-Identifier: Apache-2.0
"""The published vectors of docs/bounties.md."""

from tests.utils import bounty_vectors


def test_vectors__published__are_those_of_the_plain_reference() -> None:
    assert bounty_vectors.PATH.read_text() == bounty_vectors.as_text(bounty_vectors.make())
