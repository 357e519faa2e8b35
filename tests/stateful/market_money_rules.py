# SPDX-License-Identifier: Apache-2.0
"""Rules of the market's model: royalties, stake, entries, a hostile token, the owner."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stateful.ledger_records import BURN
from tests.stateful.market_state import GAS, MODES, MarketState, flags, picks, rarely
from tests.utils.bounty_board import Bounty
from tests.utils.drafts import FEE_BPS, KEEPING_FEE
from tests.utils.market import TICKET
from tests.utils.tokens import WELL_BEHAVED, Mode


class MoneyRules(MarketState):
    """What moves money beside sales."""

    @rule(pick=picks, who=st.integers(0, 3))
    def cite(self, pick: int, who: int) -> None:
        """Let the requester name a seller, or nobody."""
        b = self.bounties[pick % len(self.bounties)]
        seller = [*self.sellers, self.sellers[0], BURN][who]
        self.royal.cite(b, seller)
        self.ledger.bounties[b.id].citing = seller

    @rule(pick=picks)
    def end_bounty(self, pick: int) -> None:
        """End the bounty that nobody has ended, if its time has come."""
        b = self.bounties[-1]
        facts = self.ledger.bounties[b.id]
        is_allowed = not facts.has_ended and self.now > b.score_until
        sender = self.accounts[pick % len(self.accounts)]
        self.call(is_allowed, self.royal.harness.board.end_bounty, *b.head, sender=sender)
        facts.has_ended = facts.has_ended or is_allowed

    @rule(pick=picks, hostile=flags, forged=rarely)
    def draw_royalty(self, pick: int, hostile: bool, forged: bool) -> None:
        """Draw for a chunk of a roster, of a pool that may be empty."""
        b = self.bounties[pick % len(self.bounties)]
        token = self.hostile if hostile else self.w.token
        first, end = self.chunks(b)[pick % len(self.chunks(b))]
        evidence = list(self.royal.evidence(b, first))
        if forged:
            evidence[5] = evidence[5][:21] + evidence[5][1:21] + evidence[5][41:]
        drawn = None
        if not forged:
            workers = [w for w in range(first, end) if w in b.ledger.committed]
            drawn = self.ledger.draw(b.id, str(token.address), workers)
        arguments = (token, *b.head, tuple(evidence))
        sender = self.accounts[pick % len(self.accounts)]
        function = self.w.market.draw_royalty
        assert self.call(drawn is not None, function, *arguments, sender=sender) == drawn

    def chunks(self, b: Bounty) -> list[tuple[int, int]]:
        """Return the chunks of a roster, each its first row and the one behind it."""
        starts = self.royal.chunks(b)
        return list(zip(starts, [*starts[1:], len(b.paper.rows)], strict=True))

    # ------------------------------------------------------------- staking

    @rule(
        k=st.integers(0, 4),
        place=picks,
        what=st.sampled_from(["come", "come", "go", "stake", "unbond", "withdraw"]),
    )
    def stake(self, k: int, place: int, what: str) -> None:
        """Do what owners of stake do; staking has a model of its own, too."""
        custodian, ledger, staking = self.w.custodians[k], self.ledger.staking, self.w.staking
        if what in ("come", "go"):
            ledger.set_available(custodian, custodian, what == "come")
            staking.set_available(custodian, what == "come", sender=custodian)
        elif what == "stake":
            ledger.stake(custodian, 1)
            self.w.stake_token.mint(custodian, TICKET)
            self.w.stake_token.approve(staking, TICKET, sender=custodian)
            staking.stake(1, sender=custodian)
        else:
            own = ledger.tickets_of(custodian, unbonding=what == "withdraw")
            if not own:
                return
            ids = [own[place % len(own)]]
            if what == "unbond":
                answer, function = ledger.unbond(custodian, ids), staking.unbond
            else:
                answer, function = ledger.withdraw_tickets(custodian, ids), staking.withdraw_tickets
            self.call(not isinstance(answer, str), function, ids, sender=custodian)

    # --------------------------------------------------------- money, owner

    @rule(
        pick=picks,
        place=st.sampled_from(["registry", "market"]),
        hostile=flags,
        share=st.sampled_from([0, 0, 1, 2, 3, 4]),
    )
    def withdraw(self, pick: int, place: str, hostile: bool, share: int) -> None:
        """Take all of an entry, a part, exactly all, or one unit more."""
        token = self.hostile if hostile else self.w.token
        account = self.accounts[pick % len(self.accounts)]
        entry = self.ledger.entries[place].get((str(token.address), account), 0)
        self.take_out(place, token, account, [0, 1, entry // 2, entry, entry + 1][share])

    def take_out(self, place: str, token: Any, account: str, amount: int) -> None:
        contract = getattr(self.w, place)
        entry = self.ledger.entries[place].get((str(token.address), account), 0)
        goes_out = token is self.w.token or MODES[self.mode][1]
        arguments = (token, account, amount)
        if account == BURN or amount > entry or (entry and not goes_out):
            self.call(False, contract.withdraw, *arguments, sender=self.w.stranger)
            return
        before = token.balanceOf(contract)
        paid = self.ledger.withdraw(place, str(token.address), account, amount)
        assert contract.withdraw(*arguments, sender=self.w.stranger, gas=GAS) == paid
        stayed = paid - (before - token.balanceOf(contract))
        # A token that only says that it paid leaves its coins with us, to nobody's harm but its
        # user's.
        key = (place, str(token.address))
        self.lost[key] = self.lost.get(key, 0) + stayed
        assert stayed == (paid if token is self.hostile and self.mode == Mode.TRUE_BUT_STAYS else 0)

    @rule(mode=st.sampled_from([*MODES, *[WELL_BEHAVED] * len(MODES)]))
    def misbehave(self, mode: Mode) -> None:
        self.set_mode(mode)

    @rule(pick=picks, place=st.sampled_from(["registry", "market"]), when=flags)
    def call_back(self, pick: int, place: str, when: bool) -> None:
        """Top up by a token that takes an entry out of either contract meanwhile."""
        hostile = str(self.hostile.address)
        keeping_balances = [it for it in self.listings if it.terms.token == hostile]
        if not keeping_balances:
            return
        listing = keeping_balances[pick % len(keeping_balances)]
        account = self.accounts[pick % len(self.accounts)]
        contract = getattr(self.w, place)
        data = contract.withdraw.prepare_calldata(self.hostile, account, 0)
        self.set_mode(Mode.HOOK_AFTER if when else Mode.HOOK_BEFORE)
        self.hostile.set_hook(contract, data, 1)
        amount = 4 * KEEPING_FEE
        is_allowed = self.ledger.top_up(listing.terms_id, amount)
        terms = listing.terms.astuple()
        self.call(is_allowed, self.w.registry.top_up, terms, amount, sender=self.w.stranger)
        if is_allowed:
            # The registry is locked; the market is not, and pays what it owes.
            can = place == "market" and account != BURN
            assert self.hostile.hook_success() == can
            if can:
                self.ledger.withdraw("market", hostile, account)
        self.hostile.set_hook(BURN, b"", 0)

    @rule(is_paused=rarely, bps=st.sampled_from([0, 1, FEE_BPS, 250]))
    def own(self, is_paused: bool, bps: int) -> None:
        """Do what the owner may."""
        registry, owner = self.w.registry, self.w.owner
        registry.set_fee_bps(bps, sender=owner)
        self.ledger.fee_bps = bps
        if is_paused != self.ledger.is_paused:
            (registry.pause if is_paused else registry.unpause)(sender=owner)
            self.ledger.is_paused = is_paused
