# SPDX-License-Identifier: Apache-2.0
"""What a validator's owner does: register, stake, offer, take stake out again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from truthmark.keys.encryption import derive_encryption_key
from truthmark.keys.sealing import encryption_public_key

if TYPE_CHECKING:
    from truthmark.chain.contracts import Call
    from truthmark.chain.transactions import Receipt
    from truthmark.market.session import Session, Signer


class ValidatorOwner:
    """A validator's side of a session; the session's account is the owner.

    Args:
        session: Whose account is used.
    """

    def __init__(self, session: "Session") -> None:
        """Use a session."""
        self.session = session

    def register(self, operator: "Signer | None" = None) -> "Receipt":
        """Register the account as a validator, with the operator's first encryption key.

        Args:
            operator: Whose key signs duties and derives the encryption key; the account's own if
                not given.
        """
        signer = operator or self.session.signer
        public_key = self._encryption_key(signer, 0)
        return self._send(
            self.session.chain.staking.functions.register(signer.address, public_key),
            "register a validator",
        )

    def rotate_encryption_key(self, operator: "Signer | None" = None) -> "Receipt":
        """Register the next encryption key; shares sealed to older ones stay readable."""
        session = self.session
        session.catalogue.sync()
        number = len(session.catalogue.encryption_keys(session.address))
        public_key = self._encryption_key(operator or session.signer, number)
        return self._send(
            session.chain.staking.functions.set_encryption_key(public_key),
            "rotate the encryption key",
        )

    def stake(self, tickets: int) -> "Receipt":
        """Pay for tickets; their size is the contract's."""
        session = self.session
        staking = session.chain.staking
        session.allow(
            session.profile.contracts["token"].address,
            staking.address,
            tickets * staking.functions.TICKET().call(),
        )
        return self._send(staking.functions.stake(tickets), f"stake {tickets} tickets")

    def publish_offer(
        self,
        fees: Mapping[str, tuple[int, int]],
        *,
        max_bytes: int,
        max_term_seconds: int,
        min_delivery_seconds: int,
        min_inspection_seconds: int,
        max_lock: int,
    ) -> "Receipt":
        """Say which custody the node accepts by itself; no fees withdraw the offer.

        Args:
            fees: By token's address, fee per sale and keeping fee per term, in smallest units.
            max_bytes: Of one version.
            max_term_seconds: Of one term.
            min_delivery_seconds: Shortest delivery window.
            min_inspection_seconds: Shortest inspection window.
            max_lock: Stake to lock for one custody, in the stake token's smallest unit.
        """
        session = self.session
        offer = (
            [(token, *amounts) for token, amounts in fees.items()],
            max_bytes,
            max_term_seconds,
            min_delivery_seconds,
            min_inspection_seconds,
            max_lock,
        )
        return self._send(
            session.chain.staking.functions.publish_offer(session.address, offer),
            "publish an offer" if fees else "withdraw the offer",
        )

    def set_available(self, is_available: bool) -> "Receipt":
        """Take new duties, or no more; running ones go on."""
        return self._send(
            self.session.chain.staking.functions.set_available(self.session.address, is_available),
            "take new duties" if is_available else "take no new duties",
        )

    def unbond(self, ticket_ids: Sequence[int]) -> "Receipt":
        """Begin to take tickets out; they can be withdrawn after the unbonding time."""
        return self._send(
            self.session.chain.staking.functions.unbond(list(ticket_ids)),
            f"unbond {len(ticket_ids)} tickets",
        )

    def withdraw_tickets(self, ticket_ids: Sequence[int]) -> "Receipt":
        """Turn tickets that have finished unbonding into a balance, which `withdraw` pays out."""
        return self._send(
            self.session.chain.staking.functions.withdraw_tickets(list(ticket_ids)),
            f"take out {len(ticket_ids)} tickets",
        )

    def _encryption_key(self, signer: "Signer", number: int) -> bytes:
        session = self.session
        private_key = derive_encryption_key(
            signer.sign_typed,
            chain_id=session.profile.chain_id,
            market=session.chain.market.address,
            validator=session.address,
            number=number,
        )
        return encryption_public_key(private_key)

    def _send(self, call: "Call", purpose: str) -> "Receipt":
        # The same order may be given again later, so the place in the account's history is part
        # of its name; a command that is repeated after a kill still finds its transaction.
        session = self.session
        nonce = session.chain.rpc.call("eth_getTransactionCount", session.address, "latest")
        receipt = session.send(call, f"{purpose}:{call.data.hex()[:72]}:{nonce}", purpose)
        session.catalogue.sync()
        return receipt
