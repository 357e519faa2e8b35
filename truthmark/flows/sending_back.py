# SPDX-License-Identifier: Apache-2.0
"""Sends what an account of this machine holds to an address of its owner, such as their wallet."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from truthmark.chain.abi import load_artifact
from truthmark.chain.offers import Offers
from truthmark.chain.replies import hex_int
from truthmark.chain.transactions import Intent
from truthmark.config.units import to_checksum_address
from truthmark.errors import ConfigError
from truthmark.keys.abi_hash import address_bytes
from truthmark.market.settlement import Settlement
from truthmark.session import Session

_COINS: Final = "send-coins"
_RESERVE: Final = 3
"""How often the gas of sending coins is held back: its price may rise before they are sent."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an account has in one token.

    Attributes:
        token: Address.
        held: By itself, in the token's smallest unit.
        owed: What the contracts hold for it: refunds, rewards, royalties.
    """

    token: str
    held: int
    owed: int

    @property
    def units(self) -> int:
        """All of it."""
        return self.held + self.owed


def held_by(session: Session) -> list[Held]:
    """Return what the session's account has in the profile's tokens; those with nothing left out.

    Raises:
        ChainError: The chain cannot be read.
    """
    settlement, found = Settlement(session), []
    for token in session.profile.tokens:
        owed = sum(settlement.credits(token.address, session.address).values())
        found.append(Held(token.address, session.held(token.address), owed))
    return [one for one in found if one.units]


def coins_to_send(session: Session, to: str) -> int:
    """Return how much of the chain's own coin can leave the account, in wei: all but its gas.

    Args:
        session: Whose account.
        to: Where it would go.

    Raises:
        ChainError: The chain cannot be read, or that address takes no coins.
    """
    rpc = session.chain.rpc
    question = {"from": session.address, "to": to, "value": "0x0"}
    gas = rpc.parsed("eth_estimateGas", (question,), hex_int)
    # One endpoint that makes it too high would keep the coins here.
    price = Offers(session.chain, session.address, None).least("eth_gasPrice")
    return max(0, session.chain.balance(session.address) - _RESERVE * gas * price)


def send_back(
    session: Session, to: str, tokens: Collection[str], *, coins: bool = False
) -> dict[str, int]:
    """Send all of some tokens, what the contracts hold included, and last the coins.

    Given again after it was interrupted, it waits for what was sent, then sends what is left.

    Args:
        session: Whose account sends, and pays the gas.
        to: The owner's address.
        tokens: Which, by address.
        coins: Whether the chain's own coin goes too, but for the gas of sending it.

    Returns:
        What arrived, also of what was sent before, by the token's address, in its smallest unit; of
        coins under an empty name.

    Raises:
        ConfigError: `to` is no address, or the account itself, or nobody's.
        ChainError: It was refused, the account has too little for gas, or what was sent before is
            not confirmed in time.
    """
    to = to_checksum_address(to)
    if not any(address_bytes(to)) or to == session.address:
        raise ConfigError("name an address of yours other than this account, such as your wallet's")
    sent = _finish_begun(session, to)
    for token in tokens:
        Settlement(session).withdraw(token, session.address)
        units = session.held(token)
        if units:
            call = session.token(token).functions.transfer(to, units)
            show = session.profile.amount(units, token)
            session.send_repeatable(call, f"send {show} to {to}", pays=True)
            sent[token] += units
    wei = coins_to_send(session, to) if coins else 0
    if wei:
        nonce = session.chain.rpc.call("eth_getTransactionCount", session.address, "latest")
        key = f"{_COINS}:{to}:{nonce}"
        show = session.profile.native(wei)
        session.journal.send(Intent(key, to, b"", wei, f"send {show} to {to}"))
        sent[""] += wei
    return dict(sent)


def _finish_begun(session: Session, to: str) -> Counter[str]:
    """Wait for what is on its way, without which nobody knows what is left.

    Returns:
        What of it came to an address, as in `send_back`.
    """
    (transfer,) = load_artifact("ProtocolToken").functions["transfer"]
    head = transfer.encode([to, 0])[:36]
    begun, arrived = session.journal.pending(), Counter[str]()
    session.journal.resume()
    for intent in begun:
        receipt = session.journal.result(intent.key)
        if receipt is None or not receipt.succeeded:
            continue
        if intent.key.startswith(f"{_COINS}:{to}:"):
            arrived[""] += intent.value
        elif intent.to is not None and intent.data[:36] == head:
            arrived[intent.to] += int.from_bytes(intent.data[36:])
    return arrived
