# SPDX-License-Identifier: Apache-2.0
"""How often what a page says of time is told again."""

from typing import Final

TICK_SECONDS: Final = 2.0
"""Where a deadline runs; the chain's time moves with its blocks."""
