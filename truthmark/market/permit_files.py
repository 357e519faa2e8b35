# SPDX-License-Identifier: Apache-2.0
"""Files by which a seller or a gate lets one account buy: vouchers and admissions."""

import json
from pathlib import Path
from typing import Any, Final

from truthmark.errors import MarketError
from truthmark.market.entries import Version
from truthmark.market.purchase import NO_ADMISSION
from truthmark.market.quote import NO_VOUCHER
from truthmark.session import Session

_MAX_FILE_BYTES: Final = 16_384


def permit_head(session: Session, version: Version, account: str, kind: str) -> dict[str, Any]:
    """Return what such a file begins with: for which market, version and account it is.

    Args:
        session: Whose market.
        version: What may be bought.
        account: By whom.
        kind: `voucher` or `admission`.
    """
    return {
        "kind": kind,
        "chain_id": session.profile.chain_id,
        "market": session.chain.market.address,
        "dataset": version.ref,
        "terms_id": "0x" + version.terms_id.hex(),
        "account": account,
    }


def read_voucher(
    session: Session, version: Version, file: Path | None
) -> tuple[int, int, bytes, bytes]:
    """Read a voucher for a version, as `Buyer.buy` takes it; none without a file.

    Raises:
        MarketError: It is of something or somebody else.
    """
    if file is None:
        return NO_VOUCHER
    data = _read(session, version, file, "voucher")
    try:
        price = _number(data["price"]["units"], 2**128)
        expiry = _number(data["expiry"], 2**40)
        return price, expiry, _hex(data["nonce"], 32), _hex(data["signature"])
    except (KeyError, TypeError, ValueError) as error:
        raise MarketError(f"{file} is damaged; ask for the voucher again") from error


def read_admission(session: Session, version: Version, file: Path | None) -> tuple[int, bytes]:
    """Read an admission to a version, as `Buyer.buy` takes it; none without a file.

    Raises:
        MarketError: It is of something or somebody else.
    """
    if file is None:
        return NO_ADMISSION
    data = _read(session, version, file, "admission")
    try:
        return _number(data["expiry"], 2**40), _hex(data["signature"])
    except (KeyError, TypeError, ValueError) as error:
        raise MarketError(f"{file} is damaged; ask for the admission again") from error


def _read(session: Session, version: Version, file: Path, kind: str) -> dict[str, Any]:
    """Read a file that `voucher` or `admit` wrote, if it is for this account and version."""
    try:
        with file.open("rb") as opened:
            data = json.loads(opened.read(_MAX_FILE_BYTES))
    except (ValueError, RecursionError) as error:
        raise MarketError(f"{file} is no {kind}; ask for it again") from error
    if not isinstance(data, dict) or data.get("kind") != kind:
        raise MarketError(f"{file} is no {kind}; ask for it again")
    if data.get("terms_id") != "0x" + version.terms_id.hex():
        raise MarketError(f"{file} is for another data set than {version.ref}; use it for that one")
    if str(data.get("account")).lower() != session.address.lower():
        raise MarketError(f"{file} is for another account than {session.address}; use that one")
    return data


def _number(value: object, limit: int) -> int:
    number = int(str(value))
    if not 0 <= number < limit:
        raise ValueError("out of range")
    return number


def _hex(text: object, length: int | None = None) -> bytes:
    value = bytes.fromhex(str(text).removeprefix("0x"))
    if length not in (None, len(value)) or len(value) > 1_024:
        raise ValueError("wrong length")
    return value
