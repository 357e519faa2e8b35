# SPDX-License-Identifier: Apache-2.0
"""What those who act on a local network need of it."""

from pathlib import Path
from typing import Protocol

from truthmark.config.profile import ChainProfile
from truthmark.session import Session


class Network(Protocol):
    """A network with roles; `truthmark.testing.network.Devnet` is one."""

    @property
    def folder(self) -> Path:
        """Where everything of it is."""

    @property
    def profile(self) -> ChainProfile:
        """The chain profile that all roles use."""

    def home(self, role: str) -> Path:
        """Return a role's home folder."""

    def session(self, role: str, **settings: object) -> Session:
        """Return a session as a role."""

    def warp(self, seconds: int) -> int:
        """Let chain time pass, and return it afterwards."""
