# SPDX-License-Identifier: Apache-2.0
"""What the cases of what bounties refuse share."""

from collections.abc import Callable
from typing import Any

from tests.utils.bounty_board import BountyHarness
from tests.utils.bounty_rows import account_of

Call = Callable[[], Any]
Setup = Callable[[BountyHarness], Call]
SOMEBODY = account_of("somebody")
