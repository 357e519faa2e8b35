# SPDX-License-Identifier: Apache-2.0
"""`truthmark voucher` and `truthmark admit`: a price or a pass for one account, as a file."""

import json
from pathlib import Path
from typing import Any

import click

from truthmark.cli.command import State, command, resolve_address
from truthmark.cli.output import amount_json, info
from truthmark.cli.param_types import ACCOUNT, AMOUNT, DATASET, DURATION, NEW_FILE
from truthmark.errors import ConfigError, MarketError
from truthmark.keys.typed import admission
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.purchase import NO_ADMISSION, new_nonce
from truthmark.market.quote import NO_VOUCHER
from truthmark.market.records import ZERO_ADDRESS
from truthmark.market.seller import Seller
from truthmark.session import Session
from truthmark.text import format_time

_OUT = click.option("--out", "target", type=NEW_FILE, help="Write it to a file.")
_VALID = click.option(
    "--valid", type=DURATION, default="30d", show_default=True, help="How long it is valid."
)
_MAX_FILE_BYTES = 16_384


@command()
@click.argument("dataset", type=DATASET)
@click.argument("buyer", type=ACCOUNT)
@click.option(
    "--price", type=AMOUNT, required=True, help='At most the listed one, such as "0 TUSD".'
)
@_VALID
@_OUT
@click.pass_obj
def voucher(
    state: State, dataset: str, buyer: str, price: str, valid: int, target: Path | None
) -> None:
    """Offer DATASET to BUYER at a special price, once.

    Give the voucher to the buyer: `truthmark buy --voucher FILE`.
    """
    with state.session(signs=True) as session:
        version = Catalogue.of(session).find(dataset)
        if version.terms.seller.lower() != session.address.lower():
            raise ConfigError(f"{version.ref} is sold by {version.terms.seller}; use that account")
        account = resolve_address(session, buyer)
        amount = session.profile.read_amount(price, version.terms.token)
        if amount > version.price:
            listed = session.profile.amount(version.price, version.terms.token)
            raise ConfigError(f"{version.ref} costs {listed}; a voucher's price is at most that")
        expiry = session.chain.time() + valid
        _, _, nonce, signature = Seller(session).write_voucher(
            version, account, amount, expiry, new_nonce()
        )
        _write(
            {
                "kind": "voucher",
                **_head(session, version, account),
                "price": amount_json(session, amount, version.terms.token),
                "expiry": expiry,
                "nonce": "0x" + nonce.hex(),
                "signature": "0x" + signature.hex(),
            },
            target,
        )
        info(f"counts once, for {account} alone, until {format_time(expiry)}")


@command()
@click.argument("dataset", type=DATASET)
@click.argument("buyer", type=ACCOUNT)
@_VALID
@_OUT
@click.pass_obj
def admit(state: State, dataset: str, buyer: str, valid: int, target: Path | None) -> None:
    """Admit the account BUYER to DATASET, whose gate you are.

    Give the pass to the buyer: `truthmark buy --admission FILE`.
    """
    with state.session(signs=True) as session:
        version = Catalogue.of(session).find(dataset)
        if version.terms.gate == ZERO_ADDRESS:
            raise MarketError(f"{version.ref} has no gate: everybody may buy it as it is")
        if version.terms.gate.lower() != session.address.lower():
            raise ConfigError(
                f"the gate of {version.ref} is {version.terms.gate}; use that account"
            )
        account = resolve_address(session, buyer)
        expiry = session.chain.time() + valid
        message = admission(
            chain_id=session.profile.chain_id,
            market=session.chain.market.address,
            terms_id=version.terms_id,
            account=account,
            expiry=expiry,
        )
        signature = session.signer.sign_typed(message)
        _write(
            {
                "kind": "admission",
                **_head(session, version, account),
                "expiry": expiry,
                "signature": "0x" + signature.hex(),
            },
            target,
        )
        info(f"counts for {account} alone, until {format_time(expiry)}")


def _head(session: Session, version: Version, account: str) -> dict[str, Any]:
    return {
        "chain_id": session.profile.chain_id,
        "market": session.chain.market.address,
        "dataset": version.ref,
        "terms_id": "0x" + version.terms_id.hex(),
        "account": account,
    }


def _write(value: dict[str, Any], target: Path | None) -> None:
    text = json.dumps(value, indent=2)
    if target is None:
        click.echo(text)
        return
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError as error:
        raise ConfigError(f"{target} exists and is left alone; choose another name") from error
    info(f"written to {target}")


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
