# SPDX-License-Identifier: Apache-2.0
"""A relay's client and its messages, which are loaded when a relay is asked.

What they are made of, httpx and pydantic, takes longer than a short command.
"""

from typing import TYPE_CHECKING

from truthmark.lazy import LazyModule

if TYPE_CHECKING:
    from truthmark.bounty import relay_client, relay_models
else:
    relay_client = LazyModule("truthmark.bounty.relay_client")
    relay_models = LazyModule("truthmark.bounty.relay_models")

__all__ = ["relay_client", "relay_models"]
