# SPDX-License-Identifier: Apache-2.0
"""What a validator's owner does: register, stake, offer, take stake out again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truthmark.errors import ConfigError
from truthmark.keys.encryption import derive_encryption_key
from truthmark.keys.sealing import encryption_public_key
from truthmark.market.asking import check_address
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import custody_slots
from truthmark.market.records import CustodyStatus, bits, obligation_id
from truthmark.market.settlement import Settlement
from truthmark.session import Session, Signer

if TYPE_CHECKING:
    from truthmark.chain.contracts import Call
    from truthmark.chain.transactions import TransactionReceipt

MOST_TICKETS: Final = 32
"""That one transaction takes."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A fixed amount of stake, by its number in the contract."""

    ticket_id: int
    unbonding_until: int
    """chain time from which on it can be withdrawn; 0 while it stands for stake"""


@dataclass(frozen=True, slots=True)
class Obligation:
    """Stake that a custody locks."""

    custody_id: bytes
    ref: str
    """of the version"""
    index: int
    """the custodian's number"""
    locked: int
    status: CustodyStatus
    is_active: bool
    """answers for new purchases"""
    end: int
    fined: bool


class ValidatorOwner:
    """A validator's side of a session; the session's account is the owner.

    Args:
        session: Whose account is used.
        validator: The validator's address, where the account is its operator: operators may
            publish offers and switch availability.
    """

    def __init__(self, session: Session, validator: str | None = None) -> None:
        """Use a session."""
        self.session = session
        self.validator = validator or session.address

    # ------------------------------------------------------------------ reading

    def tickets(self) -> list[Ticket]:
        """Return the validator's tickets, the oldest first; `sync` the catalogue before."""
        index = Catalogue.of(self.session).index
        moments = sorted(
            (row.block_number, row.log_index, row.event, row.args)
            for event in ("TicketsStaked", "UnbondingRequested", "TicketsWithdrawn")
            for row in index.events("staking", event, validator=self.validator)
        )
        found: dict[int, int] = {}
        for _, _, event, args in moments:
            for ticket_id in args["ticket_ids"]:
                if event == "TicketsWithdrawn":
                    del found[ticket_id]
                else:
                    found[ticket_id] = args.get("ready_at", 0)
        return [Ticket(ticket_id, until) for ticket_id, until in found.items()]

    def obligations(self) -> list[Obligation]:
        """Return the custodies that lock the validator's stake; `sync` the catalogue before."""
        session = self.session
        chain, catalogue = session.chain, Catalogue.of(session)
        mine = custody_slots(catalogue.epochs(), self.validator)
        locks = chain.batch(
            [
                chain.staking.functions.obligation(
                    chain.registry.address, obligation_id(slot.epoch.custody_id, slot.index)
                )
                for slot in mine
            ]
        )
        kept = [(s, lock.amount) for s, lock in zip(mine, locks, strict=True) if lock.amount]
        wanted = [slot.epoch.custody.terms_id for slot, _ in kept]
        versions = {v.terms_id: v for v in catalogue.versions(terms_ids=wanted)}
        states = catalogue.states([slot.epoch for slot, _ in kept])
        return [
            Obligation(
                custody_id=slot.epoch.custody_id,
                ref=versions[slot.epoch.custody.terms_id].ref,
                index=slot.index,
                locked=amount,
                status=state.status,
                is_active=slot.index in bits(state.active),
                end=state.end if slot.index in bits(state.active) else state.previous_end,
                fined=slot.index in bits(state.fined),
            )
            for (slot, amount), state in zip(kept, states, strict=True)
        ]

    def missing(self) -> int:
        """Return what slashing took and nobody paid back, in the stake token's smallest unit."""
        staking = self.session.chain.staking.functions
        state, ticket = self.session.chain.batch(
            [staking.validator(self.validator), staking.TICKET()]
        )
        return int(state.ticket_count * ticket - (state.stake - state.unbonding))

    # -------------------------------------------------------------- the validator

    def next_encryption_key(self, operator: Signer | None = None) -> bytes:
        """Return the public key that comes next, derived by the operator's key.

        Args:
            operator: Whose node opens shares; the session's account if not given.
        """
        session = self.session
        Catalogue.of(session).sync()
        private_key = derive_encryption_key(
            (operator or session.signer).sign_typed,
            chain_id=session.profile.chain_id,
            market=session.chain.market.address,
            validator=self.validator,
            number=len(Catalogue.of(session).encryption_keys(self.validator)),
        )
        return encryption_public_key(private_key)

    def register(
        self, operator: Signer | str | None = None, encryption_key: bytes | None = None
    ) -> "TransactionReceipt":
        """Register the account as a validator, with the operator's first encryption key.

        Args:
            operator: Whose key signs obligations and opens shares; its address if its key is on
                another machine; the account itself if not given.
            encryption_key: What `next_encryption_key` gave on that machine.
        """
        address = operator if isinstance(operator, str) else (operator or self.session).address
        public_key = self._public_key(operator, encryption_key)
        return self._send(
            self.session.chain.staking.functions.register(address, public_key),
            "register a validator",
        )

    def rotate_encryption_key(
        self, operator: Signer | str | None = None, encryption_key: bytes | None = None
    ) -> "TransactionReceipt":
        """Register the next encryption key; shares sealed to older ones stay readable.

        Args:
            operator: As for `register`.
            encryption_key: As for `register`.
        """
        self._require_registered()
        public_key = self._public_key(operator, encryption_key)
        return self._send(
            self.session.chain.staking.functions.set_encryption_key(public_key),
            "rotate the encryption key",
        )

    def set_operator(self, operator: str) -> "TransactionReceipt":
        """Let another account act for the validator, at once; its encryption key comes apart."""
        self._require_registered()
        return self._send(
            self.session.chain.staking.functions.set_operator(operator), "change the operator"
        )

    # ------------------------------------------------------------------ stake

    def top_up(self, amount: int) -> "TransactionReceipt":
        """Pay back what slashing took, at most `missing()`."""
        session = self.session
        session.allow(session.profile.stake_token, session.chain.staking.address, amount)
        return self._send(
            session.chain.staking.functions.top_up(amount), "top up the stake", pays=True
        )

    def stake(self, tickets: int) -> "TransactionReceipt":
        """Pay for tickets; their size is the contract's."""
        self._require_registered()
        staking = self.session.chain.staking
        price = tickets * staking.functions.TICKET().call()
        self.session.allow(self.session.profile.stake_token, staking.address, price)
        return self._send(staking.functions.stake(tickets), f"stake {tickets} tickets", pays=True)

    def publish_offer(
        self,
        fees: Mapping[str, tuple[int, int]],
        *,
        max_bytes: int = 10 << 30,
        max_period_seconds: int,
        min_delivery_seconds: int = 3_600,
        min_inspection_seconds: int = 3_600,
        max_lock: int,
        takes_unsampled: bool = False,
        url: str = "",
    ) -> "TransactionReceipt":
        """Say which custody the node accepts by itself; no fees withdraw the offer.

        Args:
            fees: By token's address, fee per sale and keeping fee per period, in smallest units.
            max_bytes: Of one version.
            max_period_seconds: Of one period.
            min_delivery_seconds: Shortest delivery window.
            min_inspection_seconds: Shortest inspection window.
            max_lock: Stake to lock for one custody, in the stake token's smallest unit.
            takes_unsampled: Whether to keep also what no sample was drawn of, or too small a one.
            url: Where the node answers sellers who ask whether it is there; may be empty.

        Raises:
            ConfigError: Nobody could ask at this address.
        """
        session = self.session
        url = check_address(url) if url else ""
        self._require_actor()
        offer = (
            [(token, *amounts) for token, amounts in fees.items()],
            max_bytes,
            max_period_seconds,
            min_delivery_seconds,
            min_inspection_seconds,
            max_lock,
            takes_unsampled,
            url,
        )
        return self._send(
            session.chain.staking.functions.publish_offer(self.validator, offer),
            "publish an offer" if fees else "withdraw the offer",
        )

    def withdraw_offer(self) -> "TransactionReceipt":
        """Take the offer back; running obligations go on."""
        return self.publish_offer({}, max_period_seconds=0, max_lock=0)

    def set_available(self, is_available: bool) -> "TransactionReceipt":
        """Take new obligations, or no more; running ones go on."""
        self._require_actor()
        return self._send(
            self.session.chain.staking.functions.set_available(self.validator, is_available),
            "take new obligations" if is_available else "take no new obligations",
        )

    def unbond(self, ticket_ids: Sequence[int]) -> "TransactionReceipt":
        """Begin to take tickets out; they can be withdrawn after the unbonding time."""
        return self._send(
            self.session.chain.staking.functions.unbond(list(ticket_ids)),
            f"unbond {len(ticket_ids)} tickets",
        )

    def withdraw_tickets(self, ticket_ids: Sequence[int]) -> "TransactionReceipt":
        """Turn tickets that have finished unbonding into a balance, which `withdraw` pays out."""
        return self._send(
            self.session.chain.staking.functions.withdraw_tickets(list(ticket_ids)),
            f"take out {len(ticket_ids)} tickets",
        )

    def take_out(self, tickets: int) -> "TransactionReceipt":
        """Begin to take some tickets out, the newest first.

        Raises:
            ConfigError: There are not so many.
        """
        standing = [t.ticket_id for t in self.tickets() if not t.unbonding_until]
        if len(standing) < tickets:
            raise ConfigError(f"only {len(standing)} tickets stand for stake; take out fewer")
        return self.unbond(standing[-tickets:])

    def withdraw(self) -> tuple[list[int], int]:
        """Pay out the tickets whose time is over, and what else is owed in the stake token.

        Returns:
            Which tickets, and how much was paid, in the token's smallest unit.
        """
        now, settlement = self.session.chain.time(), Settlement(self.session)
        token = self.session.profile.stake_token
        ripe = [t.ticket_id for t in self.tickets() if 0 < t.unbonding_until <= now]
        for start in range(0, len(ripe), MOST_TICKETS):
            self.withdraw_tickets(ripe[start : start + MOST_TICKETS])
        owed = sum(settlement.credits(token, self.validator).values())
        if owed:
            settlement.withdraw(token, self.validator)
        return ripe, owed

    def _public_key(self, operator: Signer | str | None, given: bytes | None) -> bytes:
        if given is not None:
            return given
        if isinstance(operator, str):
            raise ConfigError(
                f"the key of operator {operator} is not here; run `truthmark stake key` where it "
                "is, and pass what it prints with --encryption-key"
            )
        return self.next_encryption_key(operator)

    def _require_registered(self) -> None:
        """Refuse what only a validator can do, in better words than the contract's.

        Raises:
            ConfigError: There is no such validator.
        """
        state = self.session.chain.staking.functions.validator(self.validator).call()
        if not int(state.operator, 16):
            who = (
                "you are not a validator yet; run `truthmark stake register` first"
                if self.validator == self.session.address
                else f"{self.validator} is not a validator; its owner must run `truthmark stake "
                "register`"
            )
            raise ConfigError(who)

    def _require_actor(self) -> None:
        """Refuse what only a validator's owner and operator may do.

        Raises:
            ConfigError: The account is neither, or there is no such validator.
        """
        self._require_registered()
        session = self.session
        if not session.chain.staking.functions.is_actor(self.validator, session.address).call():
            raise ConfigError(
                f"{session.address} is neither the owner nor the operator of validator "
                f"{self.validator}; use --account"
            )

    def _send(self, call: "Call", purpose: str, *, pays: bool = False) -> "TransactionReceipt":
        receipt = self.session.send_repeatable(call, purpose, pays=pays)
        Catalogue.of(self.session).sync()
        return receipt
