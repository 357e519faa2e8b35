# SPDX-License-Identifier: Apache-2.0
"""What a node does is a role: the daemon knows roles by this protocol only."""

from collections.abc import Mapping
from typing import Protocol

from truthmark.chain.connection import Block
from truthmark.node.status import Metrics


class Role(Protocol):
    """One thing that a node does, round after round.

    Attributes:
        name: As in `truthmark node run --as`, and in what `/health` answers.
        metrics: What it counts, for `/metrics`; with all figures of the node.
    """

    name: str
    metrics: Metrics

    def tick(self) -> Block:
        """Look at everything once, do what is due, and return the block that was looked at.

        Nothing is waited for: what one role does makes no other late.

        Raises:
            ChainError: The chain cannot be read.
            ConfigError: Index or journal cannot be used.
        """
        ...

    def health(self) -> Mapping[str, int]:
        """Return figures of the last round, by name, for `/health`."""
        ...

    def close(self) -> None:
        """End what goes on beside the rounds."""
        ...
