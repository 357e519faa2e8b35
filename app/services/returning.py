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
    held = held_by(session)
    symbols = [clean(session.profile.token(one.token).symbol, 40) for one in held]
    return views.Left(
        account=session.address,
        tokens=tuple(
            views.LeftToken(
                one.token,
                symbol if symbols.count(symbol) == 1 else f"{symbol} {one.token}",
                amount_of(session, one.units, one.token),
                amount_of(session, one.owed, one.token) if one.owed else "",
            )
            for one, symbol in zip(held, symbols, strict=True)
        ),
        coins=str(session.profile.native(coins)) if coins else "",
        running=running(session),
    )


def give_back(to: str, tokens: tuple[str, ...], *, coins: bool) -> str:
    """Send what is left to an address of its owner; returns what became of it, in sentences.

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
    found = [f"{' and '.join(amounts)} went to {to}."] if sent else []
    left = session.chain.balance(session.address) if coins and "" not in sent else 0
    if left:
        said = "stays here: it is too little to pay for its own gas."
        found.append(f"{session.profile.native(left)} {said}")
    return clean(" ".join(found) or "Nothing was left.", 500)
