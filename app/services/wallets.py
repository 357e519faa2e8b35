# SPDX-License-Identifier: Apache-2.0
"""What visitors may do with a wallet of their own browser: their keys never come here."""

from collections.abc import Iterable, Sequence
from typing import Final

from app import views
from app.services.accounts import my_session
from app.services.reading import shared_session
from app.services.texts import amount_of
from truthmark.bounty.client import BountyClient
from truthmark.bounty.lies import Lie
from truthmark.bounty.record import Record
from truthmark.chain.contracts import Call
from truthmark.chain.replies import hex_int
from truthmark.config.units import to_checksum_address
from truthmark.errors import RevertedError
from truthmark.flows import royalties
from truthmark.market.settlement import Settlement
from truthmark.session import Session
from truthmark.web.hosting import open_endpoints

_GAS_RESERVE: Final = 2
"""Gas may cost twice as much by the time that the score is sent."""


def wallet_offer(account: str, actions: Sequence[views.WalletAction] = ()) -> views.WalletOffer:
    """Return what a wallet may do on this server's network.

    Args:
        account: For which the actions were made; empty where no wallet is connected yet.
        actions: In the order in which they are shown.
    """
    profile = shared_session().profile
    return views.WalletOffer(
        chain_id=profile.chain_id,
        network=profile.name,
        currency=profile.native_symbol,
        confirmations=profile.confirmations,
        endpoints=tuple(open_endpoints(profile)),
        account=account,
        actions=tuple(actions),
    )


def taking_out(account: str) -> tuple[views.WalletAction, ...]:
    """Return what pays an account all that the contracts hold for it; nothing if that is nothing.

    Raises:
        ConfigError: This is no address.
        ChainError: The chain cannot be read.
    """
    session, account = shared_session(), to_checksum_address(account)
    settlement = Settlement(session)
    calls: list[Call] = []
    amounts = []
    for token in session.profile.tokens:
        planned = settlement.plan_withdraw(token.address, account)
        if planned:
            calls += [call for call, _ in planned]
            amounts.append(amount_of(session, sum(units for _, units in planned), token.address))
    if not calls:
        return ()
    total = " and ".join(amounts)
    return (_action(session, "take-out", f"Take out {total}", f"Withdraw {total}", account, calls),)


def topping_up(total: str, gas: int, payer: str) -> tuple[str, tuple[views.WalletAction, ...]]:
    """Return what the account of this machine lacks, in words, and what sends it from a wallet.

    Args:
        total: What is to be paid in, as it was shown.
        gas: What its transactions take.
        payer: The wallet's account; empty where none is connected yet.

    Raises:
        ChainError: The chain cannot be read.
    """
    session = my_session()
    profile, account = session.profile, session.address
    token, units = profile.parse_amount(total)
    contract = session.token(token.address)
    price = session.chain.rpc.parsed("eth_gasPrice", (), hex_int)
    missing = units - contract.functions.balanceOf(account).call()
    wei = _GAS_RESERVE * gas * price - session.chain.balance(account)
    calls, lacks = [], []
    if missing > 0:
        sending = contract.functions.transfer(account, missing)
        calls.append(views.WalletCall(contract.address, "0x" + sending.data.hex()))
        lacks.append(amount_of(session, missing, token.address))
    if wei > 0:
        calls.append(views.WalletCall(account, "", wei))
        lacks.append(str(profile.native(wei)))
    said = " and ".join(lacks)
    if not calls or not payer:
        return said, ()
    details = (
        ("From", payer),
        ("To your account here", account),
        ("On network", f"{profile.name} (chain {profile.chain_id})"),
        ("Costs you", f"{said}, and gas"),
    )
    action = views.WalletAction("top-up", f"Send {said}", f"Send {said}", details, tuple(calls))
    return said, (action,)


def claims_of(
    session: Session, record: Record, payee: str, *, waits_for_payout: bool
) -> tuple[views.WalletAction, ...]:
    """Return what brings somebody what a bounty, and sales of its labels, owe them.

    Args:
        session: The reader.
        record: The bounty.
        payee: Who is paid.
        waits_for_payout: Whether the bounty has ended, and not all are paid.

    Raises:
        BountyError: The score cannot be read.
        ChainError: The chain cannot be read.
    """
    number, token = record.ref.bounty_id, record.terms.token
    found = []
    if waits_for_payout:
        client = BountyClient(session)
        # A part of the roster that somebody has paid meanwhile would be refused.
        paying = [call for call, _ in client.plan_payout(record) if _works(call)]
        if paying:
            paying.append(client.board.functions.withdraw(token, payee, 0))
            title = f"Have bounty {number} pay everybody, and take your part out"
            found.append(_action(session, f"payout-{number}", title, "Have it paid", payee, paying))
    for drawn, units, drawing in royalties.plan_draw(session, record, payee):
        calls = [*drawing, session.chain.market.functions.withdraw(drawn, payee, 0)]
        amount = amount_of(session, units, drawn)
        title = f"Take out {amount} that sales of bounty {number}'s labels owe you"
        key = f"draw-{number}-{drawn}"
        found.append(_action(session, key, title, f"Draw {amount}", payee, calls))
    return tuple(found)


def proving(session: Session, record: Record, lie: Lie, payer: str) -> views.WalletAction:
    """Return what proves a lie of a score from a wallet, and takes the reward out to it.

    Args:
        session: The reader.
        record: The bounty, as the chain has it.
        lie: What is wrong, with its evidence.
        payer: The wallet's account: it pays the gas, and the contract rewards who sends the proof.

    Raises:
        ConfigError: This is no address.
        NotProvenError: The evidence proves nothing.
    """
    payer, terms, client = to_checksum_address(payer), record.terms, BountyClient(session)
    calls = [client.plan_prove(record, lie), client.board.functions.withdraw(terms.token, payer, 0)]
    reward = amount_of(session, terms.reward, terms.token)
    title = f"Prove that the score of bounty {record.ref.bounty_id} is wrong, for {reward}"
    return _action(session, f"prove-{record.ref.bounty_id}", title, "Prove it", payer, calls)


def _works(call: Call) -> bool:
    try:
        call.call()
    except RevertedError:
        return False
    return True


def _action(
    session: Session, key: str, title: str, action: str, payee: str, calls: Iterable[Call]
) -> views.WalletAction:
    profile, made = session.profile, tuple(calls)
    contracts = dict.fromkeys(call.contract.address for call in made)
    return views.WalletAction(
        key=key,
        title=title,
        action=action,
        details=(
            ("Paid to", payee),
            *(("By contract", address) for address in contracts),
            ("On network", f"{profile.name} (chain {profile.chain_id})"),
            ("Costs you", f"gas alone, in {profile.native_symbol}"),
        ),
        calls=tuple(
            views.WalletCall(call.contract.address, "0x" + call.data.hex()) for call in made
        ),
    )
