# SPDX-License-Identifier: Apache-2.0
"""Names of data sets: `17`, `17@2`, `0x` and a terms id, `truthmark://<chain>/<market>/17@2`."""

import re
from typing import TYPE_CHECKING

from truthmark.errors import ConfigError

if TYPE_CHECKING:
    from truthmark.config.profile import ChainProfile

NUMBERS = re.compile(r"([0-9]{1,18})(?:@([0-9]{1,18}))?")
TERMS_ID = re.compile(r"0x[0-9a-fA-F]{64}")
_URI = re.compile(r"truthmark://([0-9]{1,18})/(0x[0-9a-fA-F]{40})/([0-9]{1,18}(?:@[0-9]{1,18})?)")


def local_name(text: object, profile: "ChainProfile") -> str:
    """Return the name without the market; nothing is asked of the chain.

    Raises:
        ConfigError: It is no such name, or that of another market than the profile's.
    """
    if not isinstance(text, str):
        shown = str(text) if isinstance(text, int) and not isinstance(text, bool) else "17@2"
        raise ConfigError(f'{text!r} names no dataset; write its name as a text: "{shown}"')
    if match := _URI.fullmatch(text):
        market = profile.contracts["market"].address if "market" in profile.contracts else ""
        if (int(match[1]), match[2].lower()) != (profile.chain_id, market.lower()):
            raise ConfigError(
                f"{text} is not on the market of profile {profile.name}; choose another one"
            )
        return match[3]
    if text.startswith("truthmark:"):
        raise ConfigError(f"{text} names no dataset; write truthmark://<chain>/<market>/17@2")
    if not NUMBERS.fullmatch(text) and not TERMS_ID.fullmatch(text):
        raise ConfigError(f"{text!r} names no dataset; write a number such as 17, or 17@2")
    return text
