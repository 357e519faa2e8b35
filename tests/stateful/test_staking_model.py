# SPDX-License-Identifier: Apache-2.0
"""ValidatorStaking against a ledger in Python: every call of every role, in any order.

Each rule asks the ledger first, so every call must succeed with the ledger's result or be refused
with the ledger's words. After each call all figures are compared and the contract must be solvent.
At the end everybody gets out alone, with the contract paused by a hostile owner.
"""

from contextlib import ExitStack
from typing import Any, ClassVar

import boa
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.stateful.running import run_machine
from tests.utils.contracts import reverts
from tests.utils.staking import KEY, TICKET, UNBONDING, ZERO, StakingHarness, deploy_harness
from tests.utils.staking_ledger import NOT_ACTOR, NOT_REGISTERED, StakingLedger
from tests.utils.tokens import KINDS, WELL_BEHAVED, Mode, deploy_hostile_token

OWNABLE = "ownable: caller is not the owner"
NOT_SLASHER = "staking: caller is not a slasher"
GAS = 8_000_000

# Ways to misbehave that leave the contract's own coins alone; the others (a fee from the sender, a
# balance that lies) rob the users of that token and nobody else, see test_ledger.py.
MODES = [
    kind
    for kind in KINDS
    if kind.mode
    in Mode.NO_RETURN
    | Mode.FALSE_AND_STAYS
    | Mode.FALSE_BUT_MOVES
    | Mode.TRUE_BUT_STAYS
    | Mode.FEE_FROM_RECEIVER
    | Mode.HOOK_BEFORE
    | Mode.HOOK_AFTER
    | Mode.PAUSED
    | Mode.RETURN_BOMB
    | Mode.REVERT_BOMB
    | Mode.NOT_A_BOOL
    | Mode.SHORT_RETURN
]

people = st.sampled_from([0, 1, 0, 1, 2])  # the third comes late, if at all
anyone = st.integers(0, 8)
slashers = st.integers(0, 1)
obligations = st.integers(1, 4).map(lambda number: bytes([number]) * 32)
amounts = st.one_of(st.integers(0, 3 * TICKET), st.sampled_from([1, TICKET, 2**96, 2**256 - 1]))
excesses = st.sampled_from([0, 0, 0, 1])
# below 100 the person's own, from 100 any place
picks = st.lists(st.sampled_from([*range(8), *range(8), *range(100, 104), 140]), max_size=5)
shifts = st.sampled_from([0, -1, 1])
seconds = st.sampled_from([0, 1, 12, 86_400, UNBONDING])


class StakingMachine(RuleBasedStateMachine):
    """Three people, their operators, two slashers, an admin, a stranger and a token."""

    harness: ClassVar[StakingHarness]

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.undo.enter_context(boa.env.anchor())
        self.contract = self.harness.contract
        self.token = self.harness.token
        stranger, admin = self.harness.stranger, self.harness.admin
        self.people = [str(boa.env.generate_address(f"validator {i}")) for i in range(3)]
        self.operators = [str(boa.env.generate_address(f"operator {i}")) for i in range(2)]
        self.slashers = [str(self.harness.slasher), str(self.token.address)]
        self.anyone = [*self.people, *self.operators, *self.slashers, str(stranger), str(admin)]
        for person in self.people:
            self.token.mint(person, 10**30)
            self.token.approve(self.contract, 2**256 - 1, sender=person)
        self.ledger = StakingLedger(TICKET, UNBONDING, now=boa.env.timestamp)
        self.mode = WELL_BEHAVED
        self.held = 0
        self.surplus = 0
        # moment and answers per place, without the places that were freed since
        self.draws: list[tuple[int, dict[int, bool]]] = []

    def teardown(self) -> None:
        try:
            self.everybody_gets_out()
        finally:
            self.undo.close()

    def call(self, expected: Any, name: str, *arguments: Any, sender: str) -> None:
        """Make a call that the ledger has already answered: a reason, or a result."""
        function = getattr(self.contract, name)
        if not isinstance(expected, str):
            result = function(*arguments, sender=sender, gas=GAS)
            assert (list(result) if isinstance(expected, list) else result) == expected
        elif expected:
            with reverts(self.contract, expected):
                function(*arguments, sender=sender, gas=GAS)
        else:
            with pytest.raises(boa.BoaError):
                function(*arguments, sender=sender, gas=GAS)

    def own(self, person: int, picks: list[int], unbonding: bool | None = None) -> list[int]:
        """Choose among the person's tickets; a pick from 100 on is any place, or none."""
        name = self.people[person]
        mine = [
            i
            for i, it in enumerate(self.ledger.places)
            if it.validator == name and (unbonding is None or (it.unbonding_since > 0) == unbonding)
        ]
        ids = [pick - 100 if pick >= 100 or not mine else mine[pick % len(mine)] for pick in picks]
        return [ticket_id for ticket_id in ids if ticket_id >= 0]

    # ------------------------------------------------------------ validators

    @initialize(counts=st.tuples(*[st.integers(1, 5)] * 2), part=st.sampled_from([8, 4, 1]))
    def start_with_validators(self, counts: tuple[int, int], part: int) -> None:
        for person, count in enumerate(counts):
            self.register(person, person)
            self.stake(person, count)
            self.lock(person, person, bytes([1 + person]) * 32, part, 0)

    @rule(person=people, operator=people)
    def register(self, person: int, operator: int) -> None:
        caller, key = self.people[person], (self.operators + self.people)[operator]
        self.call(self.ledger.register(caller, key), "register", key, KEY, sender=caller)

    @rule(person=people, operator=people)
    def set_operator(self, person: int, operator: int) -> None:
        caller, key = self.people[person], (self.operators + self.people)[operator]
        self.call(self.ledger.set_operator(caller, key), "set_operator", key, sender=caller)

    @rule(who=anyone, person=people, is_available=st.booleans())
    def set_available(self, who: int, person: int, is_available: bool) -> None:
        caller, validator = self.anyone[who], self.people[person]
        self.call(
            self.ledger.set_available(caller, validator, is_available),
            "set_available",
            validator,
            is_available,
            sender=caller,
        )

    @rule(person=people, count=st.sampled_from([1, 2, 3, 4, 32, 33, 0]))
    def stake(self, person: int, count: int) -> None:
        caller = self.people[person]
        expected = self.ledger.stake(caller, count)
        self.call(expected, "stake", count, sender=caller)
        if isinstance(expected, list):
            self.held += count * TICKET

    @rule(person=people, amount=amounts)
    def top_up_carelessly(self, person: int, amount: int) -> None:
        self.top_up_this(self.people[person], amount)

    @precondition(lambda self: any(self.ledger.missing(person) for person in self.people))
    @rule(part=st.integers(1, 3), excess=excesses)
    def top_up(self, part: int, excess: int) -> None:
        person = max(self.people, key=self.ledger.missing)
        self.top_up_this(person, self.ledger.missing(person) // part + excess)

    def top_up_this(self, caller: str, amount: int) -> None:
        expected = self.ledger.top_up(caller, amount)
        self.call(expected, "top_up", amount, sender=caller)
        if expected is None:
            self.held += amount

    @rule(person=people, picks=picks.filter(bool))
    def unbond(self, person: int, picks: list[int]) -> None:
        """Distinct tickets, as many as the free stake may be good for."""
        ids = list(dict.fromkeys(self.own(person, picks, unbonding=False)))
        worth = self.ledger.free(self.people[person]) // TICKET
        self.unbond_these(person, ids[: worth + 1])

    @rule(person=people)
    def unbond_all(self, person: int) -> None:
        self.unbond_these(person, self.ledger.tickets_of(self.people[person], unbonding=False)[:32])

    def unbond_these(self, person: int, ids: list[int]) -> None:
        caller = self.people[person]
        self.call(self.ledger.unbond(caller, ids), "unbond", ids, sender=caller)

    @rule(person=people, picks=picks)
    def name_any_tickets(self, person: int, picks: list[int]) -> None:
        self.unbond_these(person, self.own(person, picks))
        self.withdraw_these(person, self.own(person, picks))

    @precondition(lambda self: any(self.unbonding_of(person) for person in range(3)))
    @rule(picks=picks.filter(bool), shift=shifts)
    def wait_and_withdraw_tickets(self, picks: list[int], shift: int) -> None:
        person = max(range(3), key=lambda it: len(self.unbonding_of(it)))
        ids = list(dict.fromkeys(self.own(person, picks, unbonding=True)))
        since = [it.unbonding_since for i, it in enumerate(self.ledger.places) if i in ids]
        self.time_passes(max(0, max(since, default=0) + UNBONDING + shift - self.ledger.now))
        self.withdraw_these(person, ids)

    def unbonding_of(self, person: int) -> list[int]:
        return self.ledger.tickets_of(self.people[person], unbonding=True)

    def withdraw_these(self, person: int, ids: list[int]) -> None:
        caller = self.people[person]
        expected = self.ledger.withdraw_tickets(caller, ids)
        self.call(expected, "withdraw_tickets", ids, sender=caller)
        if not isinstance(expected, str):  # only freed places forget
            for _, answers in self.draws:
                for ticket_id in ids:
                    answers.pop(ticket_id, None)

    @precondition(lambda self: any(self.ledger.entries.values()))
    @rule(who=anyone)
    def withdraw(self, who: int) -> None:
        self.withdraw_for(who, max(self.ledger.entries, key=self.ledger.entries.__getitem__))

    @precondition(lambda self: any(self.ledger.entries.values()))
    @rule(who=anyone, share=st.integers(0, 3))
    def withdraw_a_part(self, who: int, share: int) -> None:
        paid = max(self.ledger.entries, key=self.ledger.entries.__getitem__)
        entry = self.ledger.entries[paid]
        self.withdraw_for(who, paid, [1, entry // 2, entry, entry + 1][share])

    @rule(who=anyone, account=anyone)
    def withdraw_nothing_or_burned(self, who: int, account: int) -> None:
        self.withdraw_for(who, self.anyone[account])
        sender = self.anyone[who]
        self.call("ledger: burned for good", "withdraw", self.token, ZERO, 0, sender=sender)

    def withdraw_for(self, who: int, paid: str, amount: int = 0) -> None:
        entry = self.ledger.entries.get(paid, 0)
        kind = next((kind for kind in MODES if kind.mode == self.mode), None)
        refusal = kind.withdraw if kind and entry else None
        if amount > entry:
            refusal = "ledger: more than the entry"
        taken = amount or entry
        expected: Any = taken if refusal is None else refusal
        self.call(expected, "withdraw", self.token, paid, amount, sender=self.anyone[who])
        if refusal is None:
            self.ledger.entries[paid] = entry - taken
            if self.mode == Mode.TRUE_BUT_STAYS:  # the coins stay here and are nobody's
                self.surplus += taken
            else:
                self.held -= taken

    # --------------------------------------------------------------- slashers

    @rule(slasher=slashers, person=people, who=anyone, obligation=obligations, amount=amounts)
    def lock_as_anyone(
        self, slasher: int, person: int, who: int, obligation: bytes, amount: int
    ) -> None:
        self.lock_this(slasher, person, self.anyone[who], obligation, amount)

    @rule(
        slasher=slashers,
        person=people,
        obligation=obligations,
        part=st.sampled_from([4, 8, 2, 1]),
        excess=excesses,
    )
    def lock(self, slasher: int, person: int, obligation: bytes, part: int, excess: int) -> None:
        validator = self.people[person]
        known = self.ledger.people.get(validator)
        actor = known.operator if known and part > 2 else validator
        amount = self.ledger.free(validator) // part + excess
        self.lock_this(slasher, person, actor, obligation, amount)

    def lock_this(
        self, slasher: int, person: int, actor: str, obligation: bytes, amount: int
    ) -> None:
        arguments = (self.people[person], actor, obligation, amount)
        expected = self.ledger.lock(self.slashers[slasher], *arguments)
        self.call(expected, "lock", *arguments, sender=self.slashers[slasher])

    @rule(slasher=slashers, obligation=obligations)
    def release(self, slasher: int, obligation: bytes) -> None:
        self.ledger.release(self.slashers[slasher], obligation)
        self.call(None, "release", obligation, sender=self.slashers[slasher])

    @rule(slasher=slashers, obligation=obligations, amount=amounts)
    def slash(self, slasher: int, obligation: bytes, amount: int) -> None:
        expected = self.ledger.slash(self.slashers[slasher], obligation, amount)
        self.call(expected, "slash", obligation, amount, sender=self.slashers[slasher])

    @precondition(lambda self: self.ledger.obligations)
    @rule(pick=st.integers(0, 7), amount=amounts, is_last=st.booleans())
    def slash_and_perhaps_release(self, pick: int, amount: int, is_last: bool) -> None:
        held = list(self.ledger.obligations)
        slasher, obligation = held[pick % len(held)]
        self.slash(self.slashers.index(slasher), obligation, amount)
        if is_last:
            self.release(self.slashers.index(slasher), obligation)

    # --------------------------------------------------------------- hostile

    @rule(who=anyone, person=people, obligation=obligations, picks=picks)
    def speak_for_others(self, who: int, person: int, obligation: bytes, picks: list[int]) -> None:
        """No account passes for a slasher, a validator or the admin."""
        caller, validator = self.anyone[who], self.people[person]
        if caller not in self.slashers:
            self.call(NOT_SLASHER, "lock", validator, validator, obligation, 1, sender=caller)
            self.call(NOT_SLASHER, "release", obligation, sender=caller)
            self.call(NOT_SLASHER, "slash", obligation, 1, sender=caller)
        if caller not in self.people:
            ids = self.own(person, picks) or [0]
            refused = "staking: not the caller's ticket"
            self.call(refused, "unbond", ids, sender=caller)
            self.call(refused, "withdraw_tickets", ids, sender=caller)
            self.call(NOT_REGISTERED, "set_operator", caller, sender=caller)
            self.call(NOT_REGISTERED, "set_encryption_key", KEY, sender=caller)
            self.call("staking: not that much missing", "top_up", 1, sender=caller)
        if not self.ledger.is_actor(validator, caller):
            offer = ([], 0, 0, 0, 0, 0, False, "")
            self.call(NOT_ACTOR, "publish_offer", validator, offer, sender=caller)
        if caller != self.harness.admin:
            self.call(OWNABLE, "pause", sender=caller)
            self.call(OWNABLE, "unpause", sender=caller)
            self.call(OWNABLE, "fix_slashers", [caller], sender=caller)
            self.call(OWNABLE, "transfer_ownership", caller, sender=caller)

    @rule(act=st.sampled_from(["name slashers", "unpause", "pause"]))
    def admin_is_hostile(self, act: str) -> None:
        admin = self.harness.admin
        if act == "name slashers":
            self.call("staking: slashers are fixed", "fix_slashers", [self.token], sender=admin)
            return
        if self.ledger.is_paused == (act == "pause"):
            self.call(f"pausable: contract is {'not ' * (act != 'pause')}paused", act, sender=admin)
            return
        self.call(None, act, sender=admin)
        self.ledger.is_paused = act == "pause"

    @precondition(lambda self: self.ledger.is_paused)
    @rule()
    def admin_yields(self) -> None:
        self.admin_is_hostile("unpause")

    @rule(amount=st.integers(1, 1_000))
    def somebody_sends_tokens_here(self, amount: int) -> None:
        self.token.mint(self.contract, amount)
        self.held += amount
        self.surplus += amount

    @rule(kind=st.sampled_from(MODES), hook=st.integers(0, 4))
    def token_turns(self, kind: Any, hook: int) -> None:
        """Its hook calls back as the token, which is also a slasher."""
        person = self.people[0]
        calls = [
            ("slash", (b"\x01" * 32, 2**256 - 1)),
            ("release", (b"\x01" * 32,)),
            ("lock", (person, person, b"\x09" * 32, 1)),
            ("withdraw", (self.token.address, person, 0)),
            ("register", (person, KEY)),
        ]
        name, arguments = calls[hook]
        calldata = getattr(self.contract, name).prepare_calldata(*arguments)
        self.token.set_hook(self.contract, calldata, 1_000)
        self.token.set_mode(kind.mode)
        self.mode = kind.mode
        self.ledger.pull = kind.pull

    @precondition(lambda self: self.mode != WELL_BEHAVED)
    @rule()
    def token_behaves(self) -> None:
        self.token.set_mode(WELL_BEHAVED)
        self.mode = WELL_BEHAVED
        self.ledger.pull = None

    @rule(seconds=seconds)
    def time_passes(self, seconds: int) -> None:
        boa.env.timestamp += seconds
        self.ledger.now = boa.env.timestamp

    @rule(back=st.sampled_from([0, 1, 12, UNBONDING]))
    def draw(self, back: int) -> None:
        """Compare all places at a moment, and remember the answers for now."""
        count = len(self.ledger.places)
        for moment in {self.ledger.now, self.ledger.now - back}:
            for ticket_id in [*range(min(count, 12)), count]:
                expected = self.ledger.is_eligible(ticket_id, moment)
                assert self.contract.is_eligible(ticket_id, moment) == expected
        answers = {i: self.ledger.is_eligible(i, self.ledger.now) for i in range(min(count, 12))}
        self.draws.append((self.ledger.now, answers))

    @precondition(lambda self: self.draws)
    @rule(data=st.data())
    def look_back_at_a_draw(self, data: st.DataObject) -> None:
        """Nothing since may have changed what a draw could pick."""
        moment, answers = data.draw(st.sampled_from(self.draws))
        for ticket_id, answer in answers.items():
            assert self.contract.is_eligible(ticket_id, moment) == answer

    # ------------------------------------------------------------- invariants

    @invariant()
    def figures_agree(self) -> None:
        owed = self.ledger.burned
        for name in self.people:
            it = self.contract.validator(name)
            person = self.ledger.people.get(name)
            assert it.operator == (person.operator if person else ZERO)
            assert it.is_available == bool(person and person.is_available)
            if not person:
                assert it.stake == it.locked == it.unbonding == 0
                continue
            unbonding, locked = self.ledger.unbonding(name), self.ledger.locked(name)
            assert it.stake == person.bonded + unbonding
            assert (it.locked, it.unbonding) == (locked, unbonding)
            assert it.ticket_count == len(self.ledger.tickets_of(name, unbonding=False))
            assert it.unbonding_ticket_count == len(self.ledger.tickets_of(name, unbonding=True))
            assert locked <= person.bonded
            assert self.ledger.missing(name) >= 0
            assert 0 <= unbonding <= it.unbonding_ticket_count * TICKET
            assert person.paid_in == it.stake + person.paid_out + person.burned
            entry = self.contract.balances(self.token, name)
            assert entry == self.ledger.entries.get(name, 0)
            owed += it.stake + entry
        assert self.contract.balances(self.token, ZERO) == self.ledger.burned
        held = self.token.balanceOf(self.contract)
        assert held == self.held == owed + self.surplus

    @invariant()
    def places_agree(self) -> None:
        places = self.ledger.places
        assert self.contract.place_count() == len(places)
        assert len(self.ledger.free_places) == sum(it.validator is None for it in places)
        if self.token.hook_count():
            assert not self.token.hook_success()
        page = self.contract.tickets(max(0, len(places) - 4), 4)
        for it, expected in zip(page, places[-4:], strict=True):
            owner = expected.validator or ZERO
            assert tuple(it) == (owner, expected.since, expected.unbonding_since)

    # ------------------------------------------------------------------- exit

    def everybody_gets_out(self) -> None:
        """The slashers' obligations end; then each person alone, under pause, empties what is
        theirs."""
        self.token.set_mode(WELL_BEHAVED)
        if not self.contract.paused():
            self.contract.pause(sender=self.harness.admin)
        for slasher, obligation in list(self.ledger.obligations):
            self.contract.release(obligation, sender=slasher)
            self.ledger.release(slasher, obligation)
        for person in self.people:
            with boa.env.anchor():  # none has left before them
                self.gets_out(person)
        for person in self.people:
            self.gets_out(person)
        left = self.token.balanceOf(self.contract)
        assert left == self.contract.balances(self.token, ZERO) + self.surplus
        assert self.contract.balances(self.token, ZERO) == self.ledger.burned

    def gets_out(self, person: str) -> None:
        entitled = self.ledger.entries.get(person, 0)
        if person in self.ledger.people:
            entitled += self.ledger.people[person].bonded + self.ledger.unbonding(person)
        before = self.token.balanceOf(person)
        active = self.ledger.tickets_of(person, unbonding=False)
        every = [i for i, it in enumerate(self.ledger.places) if it.validator == person]
        for ids in in_batches(active):
            self.contract.unbond(ids, sender=person)
        boa.env.timestamp += UNBONDING
        for ids in in_batches(every):
            self.contract.withdraw_tickets(ids, sender=person)
        self.contract.withdraw(self.token, person, 0, sender=self.harness.stranger)
        assert self.token.balanceOf(person) - before == entitled
        it = self.contract.validator(person)
        assert (it.stake, it.ticket_count, it.unbonding_ticket_count) == (0, 0, 0)


def in_batches(ids: list[int]) -> list[list[int]]:
    return [ids[i : i + 32] for i in range(0, len(ids), 32)]


@pytest.fixture(scope="module", autouse=True)
def deployed() -> Any:
    """Deploy once; each run of the machine starts from here."""
    with boa.env.anchor():
        token = deploy_hostile_token()
        harness = deploy_harness(token, fix_slashers=False)
        harness.contract.fix_slashers([harness.slasher, token], sender=harness.admin)
        StakingMachine.harness = harness
        yield


def run(examples: int) -> None:
    run_machine(StakingMachine, examples)


def test_staking__any_calls_in_any_order__agree_with_the_ledger() -> None:
    run(40)


@pytest.mark.assure
@pytest.mark.parametrize("part", range(10))
def test_staking__long_campaign__agrees_with_the_ledger(part: int) -> None:
    """1,000 runs in ten parts, so that a campaign can be resumed."""
    run(100)
