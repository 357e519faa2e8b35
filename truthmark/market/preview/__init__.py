# SPDX-License-Identifier: Apache-2.0
"""The sample of a listing: drawn by chance, opened by its seller, checked by each computer.

docs/preview.md is the specification. Pure are `strata`, `draw`, `bounds`, `states`, `facts` and
`across`.
"""

from truthmark.market.preview.again import require_still
from truthmark.market.preview.built_on import blocks_of_older
from truthmark.market.preview.found import Part, Preview
from truthmark.market.preview.looking import look, remembered_states
from truthmark.market.preview.public import published_of
from truthmark.market.preview.selling import Wanted, exposing_keys, wanted_keys
from truthmark.market.preview.states import (
    RULES,
    OnAccept,
    OnGet,
    OnList,
    PreviewState,
    Rule,
)

__all__ = [
    "RULES",
    "OnAccept",
    "OnGet",
    "OnList",
    "Part",
    "Preview",
    "PreviewState",
    "Rule",
    "Wanted",
    "blocks_of_older",
    "exposing_keys",
    "look",
    "published_of",
    "remembered_states",
    "require_still",
    "wanted_keys",
]
