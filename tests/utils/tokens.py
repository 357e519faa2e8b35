# SPDX-License-Identifier: Apache-2.0
"""Tokens for tests on titanoboa: well-behaved ones, and every hostile kind with its effect.

`KINDS` says, for each way to misbehave, what the ledger does with it: whether tokens can come in
(`pull`) and whether an entry that came in before can go out (`withdraw`). Tests of every contract
that moves value go through this one table.
"""

import enum
from dataclasses import dataclass
from typing import Any

from tests.utils.compiled import deployer


class Mode(enum.IntFlag):
    """The flag `Mode` of contracts/test/HostileToken.vy, in its order."""

    NO_RETURN = enum.auto()
    FALSE_AND_STAYS = enum.auto()
    FALSE_BUT_MOVES = enum.auto()
    TRUE_BUT_STAYS = enum.auto()
    FEE_FROM_RECEIVER = enum.auto()
    FEE_FROM_SENDER = enum.auto()
    SENDS_MORE = enum.auto()
    HOOK_BEFORE = enum.auto()
    HOOK_AFTER = enum.auto()
    BLOCKS = enum.auto()
    PAUSED = enum.auto()
    RETURN_BOMB = enum.auto()
    REVERT_BOMB = enum.auto()
    GAS_EATER = enum.auto()
    NOT_A_BOOL = enum.auto()
    SHORT_RETURN = enum.auto()
    LYING_BALANCE = enum.auto()
    HUGE_BALANCE = enum.auto()
    SHRINKING = enum.auto()
    PERMIT_REVERTS = enum.auto()
    PERMIT_IDLE = enum.auto()
    LIMITED = enum.auto()


# What the ledger says, where it is the ledger that notices.
SHORT = "ledger: short transfer"
FAILED = "ledger: transfer failed"
# Reverts without words: no gas, no bool, too little returned, a bomb.
NO_REASON = ""


@dataclass(frozen=True)
class Kind:
    """A way to misbehave and what the ledger makes of it; None where the call succeeds."""

    mode: Mode
    pull: str | None
    withdraw: str | None

    def __str__(self) -> str:
        return str(self.mode.name).lower()


KINDS = (
    Kind(Mode.NO_RETURN, None, None),
    Kind(Mode.FALSE_AND_STAYS, FAILED, FAILED),
    Kind(Mode.FALSE_BUT_MOVES, FAILED, FAILED),
    Kind(Mode.TRUE_BUT_STAYS, SHORT, None),
    Kind(Mode.FEE_FROM_RECEIVER, SHORT, None),
    Kind(Mode.FEE_FROM_SENDER, None, None),
    Kind(Mode.SENDS_MORE, SHORT, None),
    Kind(Mode.HOOK_BEFORE, None, None),
    Kind(Mode.HOOK_AFTER, None, None),
    Kind(Mode.BLOCKS, "hostile: blocked", "hostile: blocked"),
    Kind(Mode.PAUSED, "hostile: paused", "hostile: paused"),
    Kind(Mode.RETURN_BOMB, None, None),
    Kind(Mode.REVERT_BOMB, NO_REASON, NO_REASON),
    Kind(Mode.GAS_EATER, NO_REASON, NO_REASON),
    Kind(Mode.NOT_A_BOOL, NO_REASON, NO_REASON),
    Kind(Mode.SHORT_RETURN, NO_REASON, NO_REASON),
    Kind(Mode.LYING_BALANCE, None, None),
    Kind(Mode.HUGE_BALANCE, SHORT, None),
    Kind(Mode.SHRINKING, SHORT, None),
    Kind(Mode.PERMIT_REVERTS, None, None),
    Kind(Mode.PERMIT_IDLE, None, None),
    Kind(Mode.LIMITED, "hostile: too much at once", "hostile: too much at once"),
)


WELL_BEHAVED = Mode(0)


def deploy_test_token(name: str = "Test Dollar", symbol: str = "TUSD", decimals: int = 6) -> Any:
    """Deploy a well-behaved token that anyone may mint."""
    return deployer("test/TestToken").deploy(name, symbol, decimals)


def deploy_hostile_token(mode: Mode = WELL_BEHAVED, decimals: int = 18) -> Any:
    """Deploy a token that misbehaves in the given way; without one it behaves until told."""
    token = deployer("test/HostileToken").deploy(decimals)
    token.set_mode(mode)
    return token


def fund(token: Any, holder: str, spender: str, amount: int) -> None:
    """Mint `amount` to `holder` and let `spender` take it."""
    token.mint(holder, amount)
    token.approve(spender, amount + token.allowance(holder, spender), sender=holder)
