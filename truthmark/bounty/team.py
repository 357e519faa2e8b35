# SPDX-License-Identifier: Apache-2.0
"""People one knows: who is invited, by address or by a code of their own."""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from truthmark.config.units import to_checksum_address
from truthmark.errors import ConfigError

MAX_PEOPLE: Final = 2_048
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_CODE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a team.

    Attributes:
        name: By which the requester knows them.
        account: The address of their key; "" for who gets a code.
    """

    name: str
    account: str = ""


def read_team(path: Path) -> list[Member]:
    """Return who is invited by a file; see `parse_team`.

    Raises:
        ConfigError: It cannot be read, names somebody twice, or nobody.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a text; write a name a line") from error
    return parse_team(text, str(path))


def parse_team(text: str, where: str) -> list[Member]:
    """Return who is invited: a line each, a name, an address, or both; `#` begins a remark.

    Args:
        text: All lines.
        where: What it is called in messages.

    Raises:
        ConfigError: It names somebody twice, or nobody.
    """
    found: list[Member] = []
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole.partition("#")[0].strip()
        if not line:
            continue
        address = _ADDRESS.search(line)
        account = to_checksum_address(address[0]) if address else ""
        name = " ".join(_ADDRESS.sub(" ", line).replace(",", " ").split())
        if len(name) > 100 or not (name or account) or not name.isprintable():
            raise ConfigError(f"{where}, line {number}: write a name, an address, or both")
        found.append(Member(name or account, account))
    if not found:
        raise ConfigError(f"{where} names nobody; write a name or an address a line")
    if len(found) > MAX_PEOPLE:
        raise ConfigError(f"{where} names {len(found)} people; {MAX_PEOPLE} fit one bounty")
    for what in ("name", "account"):
        seen: set[str] = set()
        for member in found:
            value = getattr(member, what)
            if value and value in seen:
                raise ConfigError(f"{where} names {value} twice; people need names of their own")
            seen.add(value)
    return found


def new_code() -> str:
    """Return an invitation code, which nobody can guess."""
    return secrets.token_urlsafe(_CODE_BYTES)


def invitation_link(url: str, bounty_id: int, code: str) -> str:
    """Return what somebody invited opens in a browser: the code never reaches a server's logs.

    Args:
        url: Of the relay.
        bounty_id: Of the bounty.
        code: Theirs; "" for who comes with an account of their own.
    """
    return f"{url.rstrip('/')}/label/{bounty_id}" + (f"#code={code}" if code else "")
