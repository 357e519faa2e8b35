# SPDX-License-Identifier: Apache-2.0
"""A crowd replayed through the real contracts of a local chain, each labeler an account.

Everything is done that a bounty's parties do, by the same functions: the requester creates, scores
and shows the result; labelers check the record, seal, sign once and hand out; the relay enrolls and
posts; the receiver opens every file and acknowledges it; anyone ends and pays out. Files and
acknowledgements go from hand to hand in this process, not over HTTP.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from truthmark.bounty import labeler, messages
from truthmark.bounty.assignment import NO_ITEM
from truthmark.bounty.client import MAX_ROWS, BountyClient
from truthmark.bounty.gold import Gold
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.labeler import SignedCommit, Step
from truthmark.bounty.lies import Knowledge, find_lies
from truthmark.bounty.payouts import Payment
from truthmark.bounty.record import Record
from truthmark.bounty.result import Result
from truthmark.bounty.roster import Row, gap
from truthmark.bounty.sealing import OpenedRun, open_with_key
from truthmark.bounty.secrets import RequesterSecrets, new_secrets
from truthmark.bounty.terms import Terms
from truthmark.bounty.verify import Finding
from truthmark.errors import BountyError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import address_of, multiply
from truthmark.keys.typed import sign
from truthmark.keys.vault import Vault
from truthmark.labels.goldw import NONE
from truthmark.testing.crowds.answering import Answering
from truthmark.testing.crowds.draws import Mask, gold_of
from truthmark.testing.crowds.plan import Plan
from truthmark.testing.crowds.sets import Crowd, Ints
from truthmark.testing.network import Devnet

PRICE = 10_000
"""Of a label, in millionths of a test dollar."""
POSTED = 256
"""Commits that the relay posts in a call."""

_HOUR = 3600

Watch = Callable[[str, int, int], None]
"""Told what is done, how many of them, and of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """One labeler.

    Attributes:
        key: With which they sign, 32 bytes.
        person: The worker of the crowd.
        remembers: Whether real answers count; only for the first account of a person.
    """

    key: bytes
    person: int
    remembers: bool

    @property
    def address(self) -> str:
        """Who signs and is paid."""
        return address_of(multiply(int.from_bytes(self.key, "big")))


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A bounty from its first call to its last.

    Attributes:
        crowd: Whose answers.
        plan: How large it was.
        result: All that opens its labels.
        finding: What checking that against the chain found: labels and payments.
        truth: The class of each of its items, NONE where it is not known.
        drawn: Which answers were drawn, in the order of `finding`'s votes: by worker, by seat.
        people: The worker of the crowd behind each row of the roster; NONE for a gap.
        gas: Used by each function of the contracts.
        calls: How many calls of each.
    """

    crowd: Crowd
    plan: Plan
    result: Result
    finding: Finding
    truth: Ints
    drawn: Mask
    people: Ints
    gas: dict[str, int]
    calls: dict[str, int]

    @property
    def labels(self) -> int:
        """How many were committed."""
        return len(self.drawn)

    @property
    def gas_a_label(self) -> float:
        """All calls together, by label."""
        return sum(self.gas.values()) / self.labels


class Replay:
    """One crowd in one bounty.

    Args:
        net: A local chain with its roles.
        crowd: Whose answers.
        plan: How large.
        seed: Draws the same answers, gold and keys again.
        watch: Told how far it is.
    """

    def __init__(
        self, net: Devnet, crowd: Crowd, plan: Plan, *, seed: int, watch: Watch = lambda *_: None
    ) -> None:
        """Choose people and gold; nothing is sent yet."""
        self.net, self.crowd, self.plan, self.watch = net, crowd, plan, watch
        self.requester = BountyClient(net.session("seller"))
        self.relay = BountyClient(net.session("buyer"))
        self.anyone = BountyClient(net.session("stranger"))
        self.rng = np.random.default_rng(seed)
        self.answering = Answering(crowd)
        self.truth: Ints = crowd.truth[plan.sources]
        self.gold = self._gold()
        self.receiver_key = keccak256(b"replay: receiver" + word(seed))
        people = np.resize(self.answering.busiest, plan.labelers)
        self.rng.shuffle(people)
        seen: set[int] = set()
        self.accounts = []
        for number, person in enumerate(people.tolist()):
            key = keccak256(b"replay: labeler" + word(seed) + word(number))
            self.accounts.append(Account(key, person, person not in seen))
            seen.add(person)

    def run(self) -> Outcome:
        """Live through the whole bounty.

        Raises:
            BountyError: The terms are not sound for such a crowd, or something is not as it must
                be: then it is a fault of ours.
            ChainError: A call was refused.
        """
        first_block = self.net.status().block
        made = new_secrets(self.requester.session.vault)
        terms = self._terms(made)
        bounty_id = self.requester.create(terms)
        rows = self._enroll(bounty_id, terms)
        record = self.anyone.read(bounty_id, final=True)
        signed, drawn = self._label(record)
        self._commit(record, signed)
        record = self.anyone.read(bounty_id, final=True)
        opened = self._hand_out(record, signed, made)
        self._score(record, opened, made)
        self._settle(bounty_id)
        record = self.anyone.read(bounty_id, final=True)
        shared = {worker: run.shared for worker, run in opened.items()}
        result = Result(record, {w: one.run for w, one in signed.items()}, shared)
        self.watch("checking all of it against the chain", 0, 1)
        finding = self.anyone.verify(result)
        if finding.problems:
            raise BountyError(f"the bounty does not verify: {finding.problems[0]}")
        self._require_paid(finding.payments)
        assert first_block is not None  # it answered
        gas, calls = self._gas(first_block)
        people = np.full(len(rows), NONE, np.int64)
        for worker, account in self._by_worker(rows).items():
            people[worker] = account.person
        in_order = np.concatenate([drawn[worker] for worker in opened])
        return Outcome(
            self.crowd, self.plan, result, finding, self.truth, in_order, people, gas, calls
        )

    # ------------------------------------------------------------------ before

    def _gold(self) -> Gold:
        return gold_of(replace(self.crowd, truth=self.truth), self.plan.gold, self.rng)

    def _terms(self, made: RequesterSecrets) -> Terms:
        plan = self.plan
        worth = PRICE * plan.rounds * plan.per_round * plan.batch
        terms = Terms(
            requester=self.requester.session.address,
            token=self.net.profile.tokens[1].address,
            relay=self.relay.session.address,
            receiver=address_of(multiply(int.from_bytes(self.receiver_key, "big"))),
            gold_commitment=self.gold.commitment(made.gold_salt),
            document=bytes(32),
            salt=made.terms_salt,
            key_x=made.key.x,
            key_y=made.key.y,
            items=plan.items,
            classes=self.crowd.n_classes,
            rounds=plan.rounds,
            batch=plan.batch,
            gold_count=len(self.gold),
            min_seats=-(-9 * min(3, plan.rounds) * plan.per_round // 10),
            min_run=plan.run,
            max_run=plan.run,
            price=PRICE,
            bond=-(-worth // 10),
            reward=worth // 20,
            join_seconds=_HOUR,
            label_seconds=_HOUR,
            grace_seconds=_HOUR,
            release_seconds=_HOUR,
            score_seconds=_HOUR,
            challenge_seconds=_HOUR,
        )
        terms.require_sound()
        return terms

    def _enroll(self, bounty_id: int, terms: Terms) -> list[Row]:
        """Fill each round with whole runs; the rest of its seats are nobody's."""
        rows: list[Row] = []
        waiting = iter(self.accounts)
        whole, rest = divmod(terms.per_round, self.plan.run)
        for _ in range(terms.rounds):
            for _ in range(whole):
                address = next(waiting).address
                rows.append(Row(address, address, self.plan.run))
            rows += [gap(rest)] if rest else []
        for at in range(0, len(rows), MAX_ROWS):
            part = rows[at : at + MAX_ROWS]
            self.relay.enroll(bounty_id, terms, part, closes=at + MAX_ROWS >= len(rows))
            self.watch("enrolling", at + len(part), len(rows))
        self.net.chain.rpc("anvil_mine", "0x4")
        self.anyone.fix_seed(bounty_id)
        return rows

    def _by_worker(self, rows: list[Row]) -> dict[int, Account]:
        waiting = iter(self.accounts)
        return {worker: next(waiting) for worker, row in enumerate(rows) if not row.is_gap}

    # ------------------------------------------------------------------ labels

    def _label(self, record: Record) -> tuple[dict[int, SignedCommit], dict[int, Mask]]:
        """Let each account label its run and sign; they check all that a client must check."""
        terms, plan = record.terms, self.plan
        now, mark = self._now(), self.anyone.mark(record.ref.bounty_id)
        signed: dict[int, SignedCommit] = {}
        drawn: dict[int, Mask] = {}
        accounts = self._by_worker(record.roster.rows)
        for worker, account in accounts.items():
            place = labeler.find_place(
                record,
                terms.hash,
                signer=account.address,
                payee=account.address,
                now=now,
                needed=60,
                mark=mark,
            )
            mine = place.items[place.items != NO_ITEM]
            said = self.answering.ask(
                account.person,
                plan.sources[mine],
                remembers=plan.is_first[mine] & account.remembers,
                rng=self.rng,
            )
            answers = dict(zip(mine.tolist(), said.labels.tolist(), strict=True))
            codes = labeler.codes_of(place, answers, terms.classes, terms.batch)
            vault = Vault(self._folder(record) / f"labeler-{worker}")
            signed[worker] = labeler.sign_once(vault, record, worker, codes, account.key)
            drawn[worker] = said.drawn
            self.watch("labeling and sealing", len(signed), len(accounts))
        return signed, drawn

    def _commit(self, record: Record, signed: dict[int, SignedCommit]) -> None:
        commits = [one.commit for one in signed.values()]
        for at in range(0, len(commits), POSTED):
            part = commits[at : at + POSTED]
            self.relay.commit(record.ref.bounty_id, record.terms, part)
            self.watch("committing", at + len(part), len(commits))
        self.net.warp(2 * _HOUR + 1)  # nobody can override any more

    def _hand_out(
        self, record: Record, signed: dict[int, SignedCommit], made: RequesterSecrets
    ) -> dict[int, OpenedRun]:
        """Bring each file to the receiver, who opens and acknowledges it."""
        now, mark = self._now(), self.anyone.mark(record.ref.bounty_id)
        opened: dict[int, OpenedRun] = {}
        for worker, one in signed.items():
            step = labeler.next_step(
                record, one, now=now, mark=mark, acknowledged=False, lies=False
            )
            if step is not Step.HAND_OUT:
                raise BountyError(f"labeler {worker} should hand out their labels, not {step}")
            file = LabelFile.from_bytes(one.file(record).to_bytes())
            if file.run.commitment != record.commits.standing[worker].commitment:
                raise BountyError(f"the file of labeler {worker} is not what stands on chain")
            opened[worker] = open_with_key(record.scheme(worker), file.run, made.scalar, file.seats)
            message = messages.acknowledged(
                record.ref, record.terms.hash, worker=worker, commitment=file.run.commitment
            )
            if not labeler.is_acknowledged(record, one.commit, sign(message, self.receiver_key)):
                raise BountyError(f"the receiver did not acknowledge labeler {worker}")
            self.watch("handing out, opening, acknowledging", len(opened), len(signed))
        self.net.warp(_HOUR)
        return opened

    # ------------------------------------------------------------------ money

    def _score(self, record: Record, opened: dict[int, OpenedRun], made: RequesterSecrets) -> None:
        self.watch("scoring", 0, 1)
        score = record.make_score(
            gold=self.gold,
            salt=made.gold_salt,
            codes={worker: run.codes for worker, run in opened.items()},
            marks={},
        )
        self.requester.score(record, score)
        posted = self.anyone.read(record.ref.bounty_id, final=True)
        lie = next(find_lies(posted, Knowledge(opened)), None)
        if lie is not None:
            raise BountyError(f"the score lies: {lie.says}")

    def _settle(self, bounty_id: int) -> None:
        self.net.warp(_HOUR + 1)
        self.watch("paying out", 0, 1)
        self.anyone.payout(self.anyone.read(bounty_id, final=True))

    def _require_paid(self, payments: list[Payment]) -> None:
        """Hold what the board owes each labeler against what follows from the score."""
        board, token = self.anyone.board.functions, self.net.profile.tokens[1].address
        calls = [board.balances(token, payment.payee) for payment in payments]
        owed = self.anyone.session.chain.batch(calls)
        for payment, held in zip(payments, owed, strict=True):
            if held < payment.total:
                raise BountyError(f"labeler {payment.worker} is not credited {payment.total}")

    def _gas(self, first_block: int) -> tuple[dict[str, int], dict[str, int]]:
        """Return what each function used since a block, and how often it was called."""
        names = self._functions()
        gas: Counter[str] = Counter()
        calls: Counter[str] = Counter()
        last = self.net.status().block
        assert last is not None
        rpc: Any = self.net.chain.rpc
        for number in range(first_block + 1, last + 1):
            block = rpc("eth_getBlockByNumber", hex(number), True)
            for transaction in block["transactions"]:
                selector = bytes.fromhex(transaction["input"][2:10])
                name = names[transaction["to"], selector]
                used = rpc("eth_getTransactionReceipt", transaction["hash"])["gasUsed"]
                gas[name] += int(used, 16)
                calls[name] += 1
        return dict(gas), dict(calls)

    def _functions(self) -> dict[tuple[str, bytes], str]:
        client = self.anyone
        token = client.session.token(self.net.profile.tokens[1].address)
        return {
            (contract.address.lower(), function.selector): name
            for contract in (client.board, client.intake, client.proofs, token)
            for name, overloads in contract.artifact.functions.items()
            for function in overloads
        }

    # ------------------------------------------------------------------ shared

    def _folder(self, record: Record) -> Path:
        return self.net.folder / f"replay-{record.ref.bounty_id}"

    def _now(self) -> int:
        time = self.net.status().time
        assert time is not None  # it answered
        return time
