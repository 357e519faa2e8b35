# SPDX-License-Identifier: Apache-2.0
"""What a container says about its sample: parts that chance picks are opened for everybody.

The rule itself is `docs/preview.md`; which shards are drawn is decided where the chain is known.
Here is only what the packer writes into the card, and how it is read again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from truthmark.cid import CID, RAW
from truthmark.errors import MalformedError

RULE: Final = "preview-v1"
FIELD: Final = "preview"
"""Where it stands in the card's `extra`."""
MAX_DRAWS: Final = 512
MAX_PREVIOUS: Final = 64
LEAST_DRAWS: Final = 16
"""Fewer show too little to be called a sample."""
USUAL_DRAWS: Final = 64
SMALL_SEGMENTS: Final = 128
"""Below this a sample gives away much of the data, or shows little of it."""
LEAST_SEGMENTS: Final = 16
"""A table, or the byte stream by its shards, is not sampled if it has fewer."""
_LEAST_OF_A_PART: Final = 8
_SHARE: Final = 16


@dataclass(frozen=True, slots=True)
class PreviewAsked:
    """The sample that a card asks for.

    Attributes:
        draws: m, how many draws over the whole container, 1 to 512.
        previous: manifests of older versions of the listing, the newest first: what was taken
            over from them, and could be drawn there, is not drawn again.
    """

    draws: int
    previous: tuple[CID, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what stands in the card as `extra.preview`."""
        asked: dict[str, Any] = {"rule": RULE, "draws": self.draws}
        if self.previous:
            asked["previous"] = [str(cid) for cid in self.previous]
        return asked


def preview_asked(card: Mapping[str, Any]) -> PreviewAsked | None:
    """Return the sample that a card asks for; None if it asks for none: the data is sold blind.

    Args:
        card: as `read_card` returns it; nothing in it is trusted.

    Raises:
        MalformedError: it asks for something that this rule does not know.
    """
    extra = card.get("extra")
    if not isinstance(extra, Mapping) or FIELD not in extra:
        return None
    asked = extra[FIELD]
    if not isinstance(asked, Mapping) or asked.get("rule") != RULE:
        raise _refuse(f"its rule is not {RULE}; a newer version of truthmark may know it")
    if not {"rule", "draws"} <= asked.keys() <= {"rule", "draws", "previous"}:
        raise _refuse("it has other fields than rule, draws and previous")
    draws, previous = asked["draws"], asked.get("previous", [])
    if not isinstance(draws, int) or isinstance(draws, bool) or not 1 <= draws <= MAX_DRAWS:
        raise _refuse(f"draws must be a whole number from 1 to {MAX_DRAWS}")
    if not isinstance(previous, list) or len(previous) > MAX_PREVIOUS:
        raise _refuse(f"previous must be a list of at most {MAX_PREVIOUS} manifests")
    found = tuple(_manifest(text) for text in previous)
    if len(set(found)) < len(found):
        raise _refuse("previous names a manifest twice")
    return PreviewAsked(draws, found)


def default_draws(segments: int) -> int:
    """Return how many draws a container of so many segments asks for if nobody says otherwise."""
    if segments >= USUAL_DRAWS * _SHARE:
        return USUAL_DRAWS
    return max(LEAST_DRAWS, segments // _SHARE)


def draws_of_part(draws: int, segments: int, shards: tuple[int, int], rows: tuple[int, int]) -> int:
    """Return m_k, how many of the draws fall on one part: the byte stream, a table, or a pool.

    Args:
        draws: m of the card.
        segments: how many segments the part has; of the byte stream, its shards.
        shards: the part's, and those of all parts that are drawn from.
        rows: the same in rows; of the byte stream, files.
    """
    by_shards = -(-draws * shards[0] // max(shards[1], 1))
    by_rows = -(-draws * rows[0] // max(rows[1], 1))
    return min(segments // 2, max(_LEAST_OF_A_PART, by_shards, by_rows))


def _manifest(text: object) -> CID:
    try:
        cid = CID.parse(text) if isinstance(text, str) else None
    except MalformedError:
        cid = None
    if cid is None or cid.codec != RAW:
        raise _refuse("previous holds something that is not the CID of a manifest")
    return cid


def _refuse(why: str) -> MalformedError:
    return MalformedError(f"card: the sample that it asks for cannot be understood: {why}")
