# SPDX-License-Identifier: Apache-2.0
"""Validator staking as a ledger in plain Python: what each call may do, written down again.

Every method returns why the call is refused, or None, and then has changed the ledger. It keeps
lists and histories where the contract keeps sums and packed words, so that a mistake in one is not
repeated in the other.
"""

from dataclasses import dataclass, field

PAUSED = "pausable: contract is paused"
NOT_REGISTERED = "staking: not registered"
NOT_ACTOR = "staking: not owner or operator"
NOT_OWN = "staking: not the caller's ticket"
NO_TICKETS = "staking: no tickets"
NOT_FREE = "staking: not enough free stake"


@dataclass
class Ticket:
    """A place; it belongs to nobody when `validator` is None."""

    validator: str | None = None
    since: int = 0
    unbonding_since: int = 0


@dataclass
class Person:
    """A validator: who acts for it, what is behind its tickets, when it could be drawn."""

    operator: str
    is_available: bool = True
    bonded: int = 0
    paid_in: int = 0
    paid_out: int = 0
    burned: int = 0
    # what is missing from tickets that are unbonding
    lost: int = 0
    # (time, could be drawn from then on)
    history: list[tuple[int, bool]] = field(default_factory=list)


@dataclass
class StakingLedger:
    """All validators, places, obligations, entries; `pull` is why the token does not pay, if so."""

    ticket: int
    unbonding_seconds: int
    now: int = 0
    is_paused: bool = False
    pull: str | None = None
    people: dict[str, Person] = field(default_factory=dict)
    places: list[Ticket] = field(default_factory=list)
    free_places: list[int] = field(default_factory=list)
    # (slasher, obligation) -> validator and amount
    obligations: dict[tuple[str, bytes], tuple[str, int]] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    burned: int = 0

    # ------------------------------------------------------------- reading

    def tickets_of(self, validator: str, unbonding: bool) -> list[int]:
        """Return the ids of a validator's tickets that are, or are not, unbonding."""
        return [
            i
            for i, it in enumerate(self.places)
            if it.validator == validator and (it.unbonding_since > 0) == unbonding
        ]

    def locked(self, validator: str) -> int:
        return sum(amount for name, amount in self.obligations.values() if name == validator)

    def free(self, validator: str) -> int:
        person = self.people.get(validator)
        return person.bonded - self.locked(validator) if person else 0

    def missing(self, validator: str) -> int:
        person = self.people.get(validator)
        if person is None:
            return 0
        return len(self.tickets_of(validator, False)) * self.ticket - person.bonded

    def unbonding(self, validator: str) -> int:
        whole = len(self.tickets_of(validator, True)) * self.ticket
        return whole - self.people[validator].lost if validator in self.people else 0

    def is_actor(self, validator: str, account: str) -> bool:
        person = self.people.get(validator)
        return person is not None and account in (validator, person.operator)

    def is_eligible(self, ticket_id: int, moment: int) -> bool:
        if ticket_id >= len(self.places):
            return False
        it = self.places[ticket_id]
        if it.validator is None or not it.since < moment:
            return False
        if 0 < it.unbonding_since < moment:
            return False
        states = [state for time, state in self.people[it.validator].history if time < moment]
        return states[-1] if states else True

    # -------------------------------------------------------------- writing

    def register(self, caller: str, operator: str) -> str | None:
        if self.is_paused:
            return PAUSED
        if caller in self.people:
            return "staking: already registered"
        self.people[caller] = Person(operator)
        return None

    def set_operator(self, caller: str, operator: str) -> str | None:
        if caller not in self.people:
            return NOT_REGISTERED
        self.people[caller].operator = operator
        return None

    def set_available(self, caller: str, validator: str, is_available: bool) -> str | None:
        if not self.is_actor(validator, caller):
            return NOT_ACTOR
        self.people[validator].is_available = is_available
        self._note(validator)
        return None

    def stake(self, caller: str, count: int) -> str | list[int]:
        """Return the ids, or why not."""
        if self.is_paused:
            return PAUSED
        if caller not in self.people:
            return NOT_REGISTERED
        if count == 0:
            return NO_TICKETS
        if count > 32:
            return "staking: too many tickets"
        if self.pull is not None:
            return self.pull
        ids = []
        for _ in range(count):
            if self.free_places:
                ids.append(self.free_places.pop())
            else:
                self.places.append(Ticket())
                ids.append(len(self.places) - 1)
            self.places[ids[-1]] = Ticket(caller, self.now)
        self._pay_in(caller, count * self.ticket)
        return ids

    def top_up(self, caller: str, amount: int) -> str | None:
        if amount == 0:
            return "staking: top-up is zero"
        if amount > self.missing(caller):
            return "staking: not that much missing"
        if self.pull is not None:
            return self.pull
        self._pay_in(caller, amount)
        self._note(caller)
        return None

    def unbond(self, caller: str, ids: list[int]) -> str | int:
        """Return what starts to unbond, or why not."""
        if not ids:
            return NO_TICKETS
        for position, ticket_id in enumerate(ids):
            if not self._owns(caller, ticket_id):
                return NOT_OWN
            if self.places[ticket_id].unbonding_since or ticket_id in ids[:position]:
                return "staking: already unbonding"
        worth = []
        missing = self.missing(caller)
        for _ in ids:
            loss = min(missing, self.ticket)
            missing -= loss
            worth.append(self.ticket - loss)
        if sum(worth) > self.free(caller):
            return NOT_FREE
        for ticket_id in ids:
            self.places[ticket_id].unbonding_since = self.now
        person = self.people[caller]
        person.bonded -= sum(worth)
        person.lost += len(ids) * self.ticket - sum(worth)
        self._note(caller)
        return sum(worth)

    def withdraw_tickets(self, caller: str, ids: list[int]) -> str | int:
        """Return what is credited, or why not."""
        if not ids:
            return NO_TICKETS
        for position, ticket_id in enumerate(ids):
            if not self._owns(caller, ticket_id) or ticket_id in ids[:position]:
                return NOT_OWN
            requested = self.places[ticket_id].unbonding_since
            if not requested:
                return "staking: not unbonding"
            if self.now < requested + self.unbonding_seconds:
                return "staking: still unbonding"
        person = self.people[caller]
        paid = 0
        for ticket_id in ids:
            loss = min(person.lost, self.ticket)
            person.lost -= loss
            paid += self.ticket - loss
            self.places[ticket_id] = Ticket()
            self.free_places.append(ticket_id)
        person.paid_out += paid
        self.entries[caller] = self.entries.get(caller, 0) + paid
        return paid

    def lock(
        self, slasher: str, validator: str, actor: str, obligation: bytes, amount: int
    ) -> str | None:
        if not self.is_actor(validator, actor):
            return NOT_ACTOR
        if not self.people[validator].is_available:
            return "staking: validator unavailable"
        if amount == 0:
            return "staking: lock is zero"
        if (slasher, obligation) in self.obligations:
            return "staking: obligation is in use"
        if amount > self.free(validator):
            return NOT_FREE
        self.obligations[slasher, obligation] = (validator, amount)
        return None

    def release(self, slasher: str, obligation: bytes) -> None:
        self.obligations.pop((slasher, obligation), None)

    def slash(self, slasher: str, obligation: bytes, amount: int) -> int:
        """Return what is burned."""
        if (slasher, obligation) not in self.obligations:
            return 0
        validator, locked = self.obligations[slasher, obligation]
        burned = min(locked, amount)
        self.obligations[slasher, obligation] = (validator, locked - burned)
        self.people[validator].bonded -= burned
        self.people[validator].burned += burned
        self.burned += burned
        self._note(validator)
        return burned

    # ------------------------------------------------------------ internals

    def _owns(self, caller: str, ticket_id: int) -> bool:
        return ticket_id < len(self.places) and self.places[ticket_id].validator == caller

    def _pay_in(self, validator: str, amount: int) -> None:
        self.people[validator].bonded += amount
        self.people[validator].paid_in += amount

    def _note(self, validator: str) -> None:
        person = self.people[validator]
        person.history.append((self.now, person.is_available and self.missing(validator) == 0))
