# SPDX-License-Identifier: Apache-2.0
"""How the sample of a version can stand, and what each who relies on it does then: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class PreviewState(Enum):
    """How a version's sample stands, as this computer has found by itself."""

    BLIND = "blind"
    """None was asked for."""
    WAITING = "waiting"
    """The word is not final, or keys are missing."""
    SHOWN = "shown"
    """All that chance picked is open and right, and it was enough."""
    SMALL = "small"
    """Too little data to sample."""
    PARTIAL = "partial"
    """Right as far as it was seen, but not all could be."""
    UNREACHABLE = "unreachable"
    """The bytes of the sample cannot be fetched."""
    BAD = "bad"
    """Something that chance picked does not open, or is not as declared."""
    BROKEN = "broken"
    """Somebody has opened a shard that does not open, or a segment that does not parse."""


class OnGet(Enum):
    """What fetching and buying do."""

    GO = "go"
    ASK = "ask"
    """Only with `--blind`, or a typed yes."""
    WAIT = "wait"
    """Wait, or refuse where nobody waits."""
    REFUSE = "refuse"


class OnAccept(Enum):
    """What a custodian's node does with an offered custody."""

    ACCEPT = "accept"
    BY_OFFER = "by offer"
    """Only where its offer says `takes_unsampled`."""
    WAIT = "wait"
    """Look again, until its window ends."""
    REFUSE = "refuse"


class OnList(Enum):
    """What the seller's own `list` does."""

    DONE = "done"
    GO_ON = "go on"
    """Publish what is missing, and wait."""
    STOP = "stop"
    """End, and say that nobody will buy this."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from a state.

    Attributes:
        on_get: For buyers.
        on_accept: For custodians.
        on_list: For the seller.
        meaning: One sentence for people.
    """

    on_get: OnGet
    on_accept: OnAccept
    on_list: OnList
    meaning: str


RULES: Final[Mapping[PreviewState, Rule]] = MappingProxyType(
    {
        PreviewState.BLIND: Rule(
            OnGet.ASK,
            OnAccept.BY_OFFER,
            OnList.DONE,
            "No one but the seller has seen any of this data.",
        ),
        PreviewState.WAITING: Rule(
            OnGet.WAIT,
            OnAccept.WAIT,
            OnList.GO_ON,
            "The seller has not yet opened the parts that chance picked.",
        ),
        PreviewState.SHOWN: Rule(
            OnGet.GO,
            OnAccept.ACCEPT,
            OnList.DONE,
            "Parts that chance picked were opened and checked by this computer.",
        ),
        PreviewState.SMALL: Rule(
            OnGet.ASK,
            OnAccept.BY_OFFER,
            OnList.DONE,
            "Too small to sample: you rely on the seller, the bond and the guarantee.",
        ),
        PreviewState.PARTIAL: Rule(
            OnGet.ASK,
            OnAccept.BY_OFFER,
            OnList.DONE,
            "Only a part of this data could be sampled.",
        ),
        PreviewState.UNREACHABLE: Rule(
            OnGet.REFUSE,
            OnAccept.REFUSE,
            OnList.GO_ON,
            "Its custodians do not serve it.",
        ),
        PreviewState.BAD: Rule(
            OnGet.REFUSE,
            OnAccept.REFUSE,
            OnList.STOP,
            "Something that chance picked is not what the seller committed to.",
        ),
        PreviewState.BROKEN: Rule(
            OnGet.REFUSE,
            OnAccept.REFUSE,
            OnList.STOP,
            "Somebody has opened a part of it that is rotten, for everybody to see.",
        ),
    }
)
"""The one table: `RULES[state]`."""
