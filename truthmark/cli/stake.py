# SPDX-License-Identifier: Apache-2.0
"""`truthmark stake`: what a validator's owner does, and some of it their operator."""

from collections.abc import Sequence

import click

from truthmark.chain.transactions import TransactionReceipt
from truthmark.cli.command import State, group, json_option, resolve_address, yes_option
from truthmark.cli.output import amount_json, ask, echo, echo_json, info, print_fields, table
from truthmark.cli.param_types import ACCOUNT, AMOUNT, DURATION, SIZE, Choice, Read
from truthmark.config.units import Amount
from truthmark.errors import ConfigError
from truthmark.keys.accounts import private_key_from
from truthmark.market.asking import check_address
from truthmark.market.validator import MOST_TICKETS, ValidatorOwner
from truthmark.session import Session, Signer
from truthmark.text import format_time

_HEX_KEY = 64
_validator_option = click.option(
    "--validator",
    type=ACCOUNT,
    help="Whose operator you are; the account itself if left out.",
)
_key_option = click.option(
    "--encryption-key",
    metavar="HEX",
    help="Of an operator on another machine: what `stake key` printed there.",
)


@group()
def stake() -> None:
    """Stake, register and offer: what a validator's owner does."""


@stake.command()
@click.option(
    "--operator",
    type=ACCOUNT,
    help="Whose key the node has: an account of yours or an address; you if left out.",
)
@_key_option
@json_option
def register(state: State, operator: str | None, encryption_key: str | None, as_json: bool) -> None:
    """Register the account as a validator."""
    with state.session(sends=True) as session:
        receipt = _owner(session).register(
            _operator(state, session, operator), _parse_key(encryption_key)
        )
        _done(receipt, f"{session.address} is a validator now", as_json)


@stake.command("key")
@_validator_option
def show_key(state: State, validator: str | None) -> None:
    """Print the encryption key that comes next.

    For an owner on another machine to register.
    """
    with state.session(signs=True) as session:
        echo("0x" + _owner(session, validator).next_encryption_key().hex())


@stake.command("rotate-key")
@click.option("--operator", metavar="ACCOUNT", help="Whose key opens shares; you if left out.")
@_key_option
@json_option
def rotate_key(
    state: State, operator: str | None, encryption_key: str | None, as_json: bool
) -> None:
    """Register a fresh encryption key for shares.

    Older shares stay readable.
    """
    with state.session(sends=True) as session:
        receipt = _owner(session).rotate_encryption_key(
            _operator(state, session, operator), _parse_key(encryption_key)
        )
        _done(receipt, "new shares are sealed to the new key", as_json)


@stake.command("operator")
@click.argument("account", type=ACCOUNT)
@json_option
def set_operator(state: State, account: str, as_json: bool) -> None:
    """Let ACCOUNT act for the validator, instead of the one before.

    Its node opens new shares after `stake rotate-key --operator ACCOUNT`.
    """
    with state.session(sends=True) as session:
        address = resolve_address(session, account)
        _done(_owner(session).set_operator(address), f"{address} operates now", as_json)


@stake.command()
@click.argument("tickets", type=click.IntRange(1, MOST_TICKETS))
@yes_option
@json_option
def add(state: State, tickets: int, yes: bool, as_json: bool) -> None:
    """Put down stake for this many TICKETS."""
    with state.session(sends=True) as session:
        each = session.chain.staking.functions.TICKET().call()
        total = _show(session, tickets * each)
        if not ask(f"stake {total} ({tickets} x {_show(session, each)})?", yes=yes):
            raise ConfigError("nothing was staked; answer y, or give --yes")
        _done(_owner(session).stake(tickets), f"{total} staked", as_json)


@stake.command()
@click.argument("tickets", type=click.IntRange(1, MOST_TICKETS))
@json_option
def unbond(state: State, tickets: int, as_json: bool) -> None:
    """Begin to take out this many TICKETS, the newest first.

    Only stake that no obligation locks can leave.
    """
    with state.session(sends=True) as session:
        receipt = _owner(session).take_out(tickets)
        seconds = session.chain.staking.functions.UNBONDING_SECONDS().call()
        when = format_time(session.chain.time() + seconds)
        _done(receipt, f"`truthmark stake withdraw` pays from {when} on", as_json)


@stake.command()
@json_option
def withdraw(state: State, as_json: bool) -> None:
    """Take out the tickets that have finished unbonding.

    Pays out with them what else the staking contract holds for the account.
    """
    with state.session(sends=True) as session:
        owner = _owner(session)
        tickets, paid = owner.withdraw()
        if as_json:
            echo_json(
                {
                    "tickets": tickets,
                    "paid": amount_json(session, paid, session.profile.stake_token),
                }
            )
        elif paid:
            echo(f"{_show(session, paid)} paid to {session.address}")
        else:
            info("nothing can be taken out now; `truthmark stake obligations` shows when")


@stake.command("top-up")
@click.argument("amount", type=AMOUNT, required=False)
@json_option
def top_up(state: State, amount: str | None, as_json: bool) -> None:
    """Pay back what slashing took: AMOUNT, or all of it.

    Until then the tickets are not fully covered.
    """
    with state.session(sends=True) as session:
        owner = _owner(session)
        missing = owner.missing()
        units = missing if amount is None else min(missing, _stake_amount(session, amount))
        if not units:
            info("nothing is missing")
            return
        _done(owner.top_up(units), f"{_show(session, units)} topped up", as_json)


@stake.command()
@_validator_option
@json_option
def obligations(state: State, validator: str | None, as_json: bool) -> None:
    """Show stake, tickets, and the custodies that lock it."""
    with state.session(signs=True) as session:
        owner = _owner(session, validator)
        staking = session.chain.staking.functions
        info = staking.validator(owner.validator).call()
        tickets, held, missing = owner.tickets(), owner.obligations(), owner.missing()
        free = staking.free(owner.validator).call()
        figures = {
            "stake": info.stake,
            "free": free,
            "locked": info.locked,
            "unbonding": info.unbonding,
            "missing": missing,
        }
        token = session.profile.stake_token
        if as_json:
            echo_json(
                {
                    "validator": owner.validator,
                    "operator": info.operator,
                    "is_available": info.is_available,
                    **{n: amount_json(session, units, token) for n, units in figures.items()},
                    "tickets": [
                        {"id": t.ticket_id, "unbonding_until": t.unbonding_until or None}
                        for t in tickets
                    ],
                    "obligations": [
                        {
                            "custody_id": "0x" + obligation.custody_id.hex(),
                            "dataset": obligation.ref,
                            "custodian": obligation.index,
                            "locked": amount_json(session, obligation.locked, token),
                            "status": obligation.status.name.lower(),
                            "is_active": obligation.is_active,
                            "end": obligation.end,
                            "fined": obligation.fined,
                        }
                        for obligation in held
                    ],
                }
            )
            return
        now = session.chain.time()
        print_fields(
            [
                ("validator", owner.validator),
                ("operator", info.operator),
                ("takes new obligations", "yes" if info.is_available else "no"),
                *((name, _show(session, units)) for name, units in figures.items() if units),
                ("tickets", sum(not t.unbonding_until for t in tickets)),
            ]
        )
        for ticket in tickets:
            if ticket.unbonding_until:
                until = format_time(ticket.unbonding_until, now)
                echo(f"  ticket {ticket.ticket_id} unbonds {until}")
        if held:
            table(
                (
                    (
                        obligation.ref,
                        f"0x{obligation.custody_id.hex()[:16]}",
                        obligation.status.name.lower() + (", fined" if obligation.fined else ""),
                        _show(session, obligation.locked),
                        format_time(obligation.end, now),
                    )
                    for obligation in held
                ),
                head=("dataset", "custody", "status", "locked", "ends"),
            )


@stake.command()
@click.option(
    "--fee", "fees", multiple=True, type=AMOUNT, help='For each sale, such as "0.1 TUSD".'
)
@click.option(
    "--keeping-fee",
    "keeping_fees",
    multiple=True,
    type=AMOUNT,
    help="For each period, in a token that --fee names too.",
)
@click.option("--max-size", type=SIZE, default="10GiB", show_default=True, help="Of a version.")
@click.option(
    "--max-period",
    type=DURATION,
    default="100d",
    show_default=True,
    help="The longest period that you take.",
)
@click.option(
    "--min-delivery",
    type=DURATION,
    default="1h",
    show_default=True,
    help="The shortest delivery window that you accept.",
)
@click.option(
    "--min-inspection",
    type=DURATION,
    default="1h",
    show_default=True,
    help="The shortest inspection window that you accept.",
)
@click.option("--max-lock", type=AMOUNT, help="Stake for one custody.  [default: 100 TMK]")
@click.option(
    "--takes-unsampled",
    is_flag=True,
    help="Keep also what nobody but its seller has seen any of.",
)
@click.option(
    "--url",
    type=Read("url", lambda text, state: text and check_address(text)),
    default="",
    metavar="URL",
    help="Where your node's block server is reached; sellers ask there whether it runs.",
)
@click.option("--withdraw", "is_withdrawn", is_flag=True, help="Take the offer back.")
@_validator_option
@json_option
def offer(
    state: State,
    /,
    fees: Sequence[str],
    keeping_fees: Sequence[str],
    max_size: int,
    max_period: int,
    min_delivery: int,
    min_inspection: int,
    max_lock: str | None,
    takes_unsampled: bool,
    url: str,
    is_withdrawn: bool,
    validator: str | None,
    as_json: bool,
) -> None:
    """Say which custody your node accepts by itself.

    The newest offer counts. Name a --fee for each token in which you want to be paid.
    """
    if is_withdrawn == bool(fees):
        raise ConfigError("name what you ask with --fee, or take the offer back with --withdraw")
    with state.session(sends=True) as session:
        owner = _owner(session, validator)
        if is_withdrawn:
            _done(owner.withdraw_offer(), "the offer is taken back", as_json)
            return
        asked: dict[str, tuple[int, int]] = {}
        for text in fees:
            token, units = session.profile.parse_amount(text)
            asked[token.address] = units, 0
        for text in keeping_fees:
            token, units = session.profile.parse_amount(text)
            if token.address not in asked:
                raise ConfigError(f"--keeping-fee {text}: name a --fee in {token.symbol} too")
            asked[token.address] = asked[token.address][0], units
        receipt = owner.publish_offer(
            asked,
            max_bytes=max_size,
            max_period_seconds=max_period,
            min_delivery_seconds=min_delivery,
            min_inspection_seconds=min_inspection,
            max_lock=_stake_amount(session, max_lock or f"100 {_symbol(session)}"),
            takes_unsampled=takes_unsampled,
            url=url,
        )
        if not as_json:
            info(
                "it counts only with a node behind it: `truthmark node run` must run, day and night"
            )
            if not url:
                info(
                    "without --url sellers know that it runs only by what it did on the chain "
                    "within a day"
                )
        _done(receipt, "the offer stands", as_json)


@stake.command()
@click.argument("choice", metavar="on|off", type=Choice(["on", "off"]))
@_validator_option
@json_option
def available(state: State, choice: str, validator: str | None, as_json: bool) -> None:
    """Take new obligations and further periods (on), or none (off).

    Running ones continue.
    """
    with state.session(sends=True) as session:
        receipt = _owner(session, validator).set_available(choice == "on")
        text = (
            "new obligations are taken"
            if choice == "on"
            else "running obligations go on, no new ones"
        )
        _done(receipt, text, as_json)


def _owner(session: Session, validator: str | None = None) -> ValidatorOwner:
    return ValidatorOwner(
        session, None if validator is None else resolve_address(session, validator)
    )


def _operator(state: State, session: Session, text: str | None) -> Signer | str | None:
    """Return the operator's account with its key, where it is in the keystore."""
    if text is None:
        return None
    address = resolve_address(session, text)
    for account in session.wallet.accounts():
        if text == account.alias or address == account.address:
            return Signer(private_key_from(account.alias, session.wallet, state.passphrase))
    return address


def _parse_key(text: str | None) -> bytes | None:
    if text is None:
        return None
    digits = text.removeprefix("0x")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(digits) != _HEX_KEY or len(key) != _HEX_KEY // 2:
        raise ConfigError(f"{text!r} is no encryption key; copy what `truthmark stake key` prints")
    return key


def _symbol(session: Session) -> str:
    return session.profile.token(session.profile.stake_token).symbol


def _show(session: Session, units: int) -> Amount:
    return session.profile.amount(units, session.profile.stake_token)


def _stake_amount(session: Session, text: str) -> int:
    token, units = session.profile.parse_amount(text)
    if token.address.lower() != session.profile.stake_token.lower():
        raise ConfigError(f"{text} is not of the stake token; write it in {_symbol(session)}")
    return units


def _done(receipt: TransactionReceipt, text: str, as_json: bool) -> None:
    if as_json:
        echo_json({"transaction": receipt.tx_hash, "gas_used": receipt.gas_used})
        return
    echo(f"{text} (transaction {receipt.tx_hash})")
