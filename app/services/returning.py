# SPDX-License-Identifier: Apache-2.0
"""What is left on the account of this machine, and the way back to where its money came from."""

from app import views
from app.services.accounts import my_session
from app.services.asked import running
from app.services.texts import amount_of
from truthmark.flows.sending_back import held_by, send_back
from truthmark.text import clean


def left() -> views.Left:
    """Return what could be sent from the account of this machine.

    Raises:
        ChainError: The chain cannot be read.
    """
    session = my_session()
    coins = session.chain.balance(session.address)
    return views.Left(
        account=session.address,
        tokens=tuple(
            (
                one.token,
                amount_of(session, one.units, one.token),
                amount_of(session, one.owed, one.token) if one.owed else "",
            )
            for one in held_by(session)
        ),
        coins=str(session.profile.native(coins)) if coins else "",
        running=running(session),
    )


def give_back(to: str, tokens: tuple[str, ...], *, coins: bool) -> str:
    """Send what is left to an address of its owner; returns what went there.

    Args:
        to: The address.
        tokens: Which, by address.
        coins: Whether the chain's own coin goes too.

    Raises:
        ConfigError: This is no address, or the account is locked.
        ChainError: It was refused.
    """
    session = my_session()
    session.require_account()
    sent = send_back(session, to, tokens, coins=coins)
    amounts = [
        amount_of(session, units, token) if token else str(session.profile.native(units))
        for token, units in sent.items()
    ]
    return clean(" and ".join(amounts), 300)
