# SPDX-License-Identifier: Apache-2.0
"""What bounties cost, whole and by call, from receipts of real transactions.

    python -m bench.gas_bounties           measure, print, record, and write docs/gas.md
    python -m bench.gas_bounties 1 10      only whole bounties of so many workers, without recording

A worker has 500 labels in ten seats of fifty; there are five rounds and two classes. Requester,
relay, payer and treasury are known to the ledger but where a row says otherwise. Human Protocol's
figures are of its contracts doing the same for as many workers.
"""

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import gas
from bench.gas import Contract
from bench.report import ROOT, SIZE_LIMIT, Figure, exit_code, markdown, write
from tests.utils import bounty_reference as ref
from tests.utils.bounty_paper import (
    NO_COMMITS,
    NO_OPENING,
    Paper,
    Score,
    chunk_evidence,
    pay_evidence,
)
from tests.utils.bounty_rows import Commit, Row, Terms, account_of, address_number, make_gold
from tests.utils.drafts import word_of
from truthmark.chain.abi import load_artifact
from truthmark.hashing import keccak256
from truthmark.testing.anvil import AnvilProcess, start_anvil
from truthmark.testing.network import load_test_artifact

MONEY = 2**100
WINDOW = 3_600
SEATS, BATCH = 10, 50
LABELS = SEATS * BATCH
GOLD = {1: 0, 10: 20, 100: 200, 1_000: 2_000}
PEER = "Human Protocol"
NEW = {
    1: (3_420_000, 0.20),
    10: (3_620_000, 0.25),
    100: (6_150_000, 0.60),
    1_000: (32_300_000, 1.0),
}
KNOWN = {
    1: (3_420_000, 0.20),
    10: (3_620_000, 0.20),
    100: (6_150_000, 0.35),
    1_000: (16_400_000, 0.95),
}
A_CALL = 13
"""Chunks of the roster in one payout."""


@dataclass
class Bench:
    """All contracts, with money for the requester."""

    chain: AnvilProcess
    token: Contract
    board: Contract
    intake: Contract
    proofs: Contract
    requester: str
    relay: str
    payer: str
    figures: list[Figure] = field(default_factory=list)
    number: int = 0

    @property
    def place(self) -> tuple[int, str]:
        chain_id: Any = self.chain.rpc("eth_chainId")
        return int(chain_id, 16), self.board.address

    def travel(self, seconds: int) -> None:
        self.chain.rpc("evm_increaseTime", seconds)
        self.chain.rpc("evm_mine")

    def row(self, name: str, value: int, floor: int | None = None) -> None:
        """Record a figure that has a bound, or none."""
        holds = value <= floor if floor else None
        self.figures.append(Figure(name=name, value=value, unit="gas", floor=floor, holds=holds))

    def compared(self, name: str, value: int, peer_value: int, most: float) -> None:
        """Record a figure beside the peer's."""
        ratio = round(value / peer_value, 4)
        self.figures.append(
            Figure(
                name=name,
                value=value,
                unit="gas",
                floor=f"≤ {most:.2f} × peer",
                peer=PEER,
                peer_value=peer_value,
                ratio=ratio,
                holds=ratio <= most,
            )
        )

    def read(self, function: str, *args: Any) -> Any:
        made = self.board.artifact.function(function, args, {})
        request = {"to": self.board.address, "data": "0x" + made.encode(args).hex()}
        answer: Any = self.chain.rpc("eth_call", request, "latest")
        return made.decode(bytes.fromhex(answer[2:]))


@dataclass
class Life:
    """One bounty on its way, with the gas of each step."""

    bench: Bench
    paper: Paper
    gas: dict[str, int] = field(default_factory=dict)

    @property
    def head(self) -> tuple[int, Terms]:
        return self.paper.bounty_id, self.paper.terms

    def send(self, step: str, contract: Contract, name: str, *args: Any, sender: str) -> int:
        used = contract.send(name, *args, sender=sender)
        self.gas[step] = self.gas.get(step, 0) + used
        return used


def draft(bench: Bench, workers: int, gold: int, classes: int, payees: str) -> Paper:
    """Draft a bounty with a full roster of equal runs."""
    bench.number += 1
    rng = random.Random(bench.number)
    rounds = 5 if gold else 1
    terms = Terms(
        requester=address_number(bench.requester),
        token=address_number(bench.token.address),
        relay=address_number(bench.relay),
        receiver=address_number(account_of("receiver")),
        salt=word_of("terms", bench.number),
        items=workers * LABELS // rounds,
        classes=classes,
        rounds=rounds,
        batch=BATCH,
        gold_count=gold,
        full=3 if gold else 0,
        min_seats=workers * SEATS,
        min_run=SEATS,
        max_run=SEATS,
        price=10**9,
        reward=10**6 if gold else 0,
        **dict.fromkeys(("relay_fee", "tip", "post_call_fee"), 10**6),
        post_worker_fee=10**5,
        post_seat_fee=10**4,
        **{f"{name}_seconds": WINDOW for name in ("join", "label", "grace", "release")},
        score_seconds=WINDOW,
        challenge_seconds=WINDOW,
    )
    drawn = make_gold(terms, gold, rng)
    salt = word_of("gold", bench.number)
    if gold:
        commitment = keccak256(salt + ref.gold_bytes(drawn))
        bond = terms.seats * terms.seat_price // 10
        terms = terms._replace(gold_commitment=commitment, bond=bond)
    paper = Paper(terms, drawn, salt, bench.place, rng)
    paper.rows = [
        Row(account_of(f"labeler {w}"), "0x" + word_of(payees, w)[-20:].hex(), SEATS)
        for w in range(workers)
    ]
    return paper


def begin(bench: Bench, paper: Paper) -> Life:
    """Lead a bounty to LABEL."""
    life = Life(bench, paper)
    life.send("create", bench.board, "create", paper.terms, sender=bench.requester)
    paper.bounty_id = int(bench.read("bounty_count"))
    workers = len(paper.rows)
    chunks = paper.enroll_chunks(0, workers)
    life.send("enroll", bench.intake, "enroll", *life.head, chunks, True, sender=bench.relay)
    paper.calls = [workers]
    for _ in range(3):
        bench.chain.rpc("evm_mine")
    life.send("seed", bench.board, "fix_seed", paper.bounty_id, sender=bench.payer)
    paper.seed = bytes(bench.read("seeds", paper.bounty_id))
    return life


def commit(life: Life, size: int, left_out: Sequence[int] = ()) -> None:
    """Let the relay post all commits, so many rows a call."""
    workers = [w for w in life.paper.commits if w not in left_out]
    for i in range(0, len(workers), size):
        chunks = life.paper.post(life.paper.commit_row(w) for w in workers[i : i + size])
        life.send("commit", life.bench.board, "commit", *life.head, chunks, sender=life.bench.relay)


def whole(bench: Bench, workers: int, payees: str, size: int = 1_024) -> Life:
    """Lead a bounty from its creation to its last payout."""
    paper = draft(bench, workers, GOLD[workers], 2, payees)
    life = begin(bench, paper)
    for worker in range(workers):
        paper.commits[worker] = light(worker)
    commit(life, size)
    bench.travel(3 * WINDOW + 1)
    score = None
    if paper.gold:
        rng = paper.rng
        said = [[a if rng.random() < 0.9 else 1 - a for _ in range(5)] for _, a in paper.gold]
        lines = [rng.randrange(600_000, 1_000_001) for _ in range(workers)]
        score = Score(paper, said, lines)
        given = score.arguments()
        life.send("score", bench.intake, "score", *life.head, *given, sender=bench.requester)
    bench.travel(2 * WINDOW + 1)
    for chunk in range(0, -(-workers // 32), A_CALL):
        evidence = pay_evidence(paper, 0, chunk, A_CALL, score)
        life.send("payout", bench.intake, "payout", *life.head, evidence, sender=bench.payer)
    return life


def light(worker: int, bits: int = 2) -> Commit:
    """A commit of ten seats whose sealed bytes weigh what they would, with no labels behind."""
    sealed = random.Random(worker).randbytes(LABELS * bits // 8)
    labels = [[0] * BATCH] * SEATS
    big_e = (int.from_bytes(word_of("E", worker), "big"), worker & 1)
    seal = keccak256(ref.u(big_e[0], 32) + ref.u(big_e[1], 1) + sealed)
    return Commit(labels, 1, big_e, (0, 0), [], sealed, [], word_of("root", worker), seal)


# ------------------------------------------------------------------ the rows


def measure_whole(bench: Bench, sizes: Sequence[int]) -> None:
    """Whole bounties, with payees that are new to the ledger and again with the same."""
    first = whole(bench, 1, "first")
    bench.row("the very first bounty of a deployment, a team of 1", sum(first.gas.values()))
    for workers in sizes:
        size = 250 if workers == 1_000 else 1_024
        for kind, floors in (("new", NEW), ("known", KNOWN)):
            life = whole(bench, workers, f"payee of {workers}", size)
            total = sum(life.gas.values())
            mode = "team" if workers == 1 else "bounty"
            bench.compared(f"{mode} of {workers}, payees {kind}", total, *floors[workers])
            print(f"{workers} {kind}: {total:,}", life.gas, flush=True)
        if workers == 1_000:
            labels = workers * LABELS
            before = total - life.gas["payout"]
            bench.row("1,000: before payouts, a label", round(before / labels, 2), 16)  # type: ignore[arg-type]
    if 1_000 in sizes:
        for size, name in ((1_024, "one commit call"), (32, "32 rows a commit call")):
            life = whole(bench, 1_000, "payee of 1000", size)
            before = sum(life.gas.values()) - life.gas["payout"]
            bench.row(f"1,000: before payouts, a label, {name}", round(before / 500_000, 2))  # type: ignore[arg-type]


def scored(
    bench: Bench, gold: int, marks: dict[int, int], lie: str = "", line: int = 7
) -> tuple[Life, Score]:
    """A bounty of 100 workers with a score that lies about somebody, or about all."""
    paper = draft(bench, 100, gold, 2, "payee of 100")
    life = begin(bench, paper)
    for worker in range(100):
        paper.commits[worker] = paper.label(worker) if worker < 8 else light(worker)
    commit(life, 1_024)
    bench.travel(3 * WINDOW + 1)
    paper.marks = marks
    rng = paper.rng
    said = [[a if rng.random() < 0.9 else 1 - a for _ in range(5)] for _, a in paper.gold]
    score = Score(paper, said, [0] * 100)
    score.line_values = [marks.get(w, line) for w in range(100)]
    if lie == "answer":
        for g, k in mine(paper, 1):
            said[g][k] = 1 - min(1, paper.entry(g, k))
    elif lie == "denied":
        for g, k in mine(paper, 1):
            said[g][k] = ref.ABSENT
    given = score.arguments()
    life.send("score", bench.intake, "score", *life.head, *given, sender=bench.requester)
    return life, score


def mine(paper: Paper, worker: int) -> list[tuple[int, int]]:
    """Gold items and rounds that a worker judges."""
    return [
        (g, k) for g in range(len(paper.gold)) for k in range(5) if paper.judge_of(g, k) == worker
    ]


def prove_answer(life: Life, score: Score, *, opens: bool) -> int:
    paper = life.paper
    g, k = mine(paper, 1)[0]
    shown = paper.opening(g, k) if opens else NO_OPENING
    commits = paper.posted(1) if opens else NO_COMMITS
    evidence = (score.chunk_of(g), paper.roster(1), commits, shown)
    proofs, sender = life.bench.proofs, life.bench.payer
    return proofs.send("prove_answer", *life.head, g, k, 1, *evidence, sender=sender)


def measure_challenges(bench: Bench) -> None:
    """The four proofs, at 200 gold items, five rounds, 100 workers."""
    proofs, sender = bench.proofs, bench.payer
    life, score = scored(bench, 200, {}, "answer")
    bench.row("prove an answer", prove_answer(life, score, opens=True), 250_000)
    life, score = scored(bench, 200, {}, "denied")
    bench.row("prove an answer that is denied", prove_answer(life, score, opens=False), 250_000)
    for gold, floor in ((200, 600_000), (2_048, 3_000_000)):
        life, score = scored(bench, gold, {})
        arguments = score.line_arguments(1)
        used = proofs.send("prove_line", *life.head, *arguments, sender=sender)
        bench.row(f"prove a line, {gold:,} gold items", used, floor)
    life, score = scored(bench, 200, {1: ref.NOT_DELIVERED})
    signature = life.paper.acknowledge(1)
    arguments = (1, score.judged, score.lines, life.paper.posted(1), signature)
    used = proofs.send("prove_delivered", *life.head, *arguments, sender=sender)
    bench.row("prove a delivery", used, 150_000)
    life, score = scored(bench, 200, {1: ref.UNREADABLE})
    made = life.paper.commits[1]
    opened = (life.paper.posted(1), made.e, made.E, made.S, made.sealed)
    arguments = (1, score.judged, score.lines, *opened)
    used = proofs.send("prove_readable", *life.head, *arguments, sender=sender)
    bench.row("prove that 500 labels are readable", used, 175_000 + 1_000 * LABELS)


def measure_relay(bench: Bench) -> None:
    """Overrides, and sealed labels on chain."""
    proofs, sender = bench.proofs, bench.payer
    paper = draft(bench, 100, 200, 2, "payee of 100")
    life = begin(bench, paper)
    for worker in range(100):
        paper.commits[worker] = light(worker)
    commit(life, 1_024, left_out=(99,))
    for worker, what in ((99, "left out"), (98, "posted")):
        made = paper.commits[worker]
        signature = paper.sign_commit(worker)
        evidence = (paper.roster(worker), made.commitment, made.seats, signature)
        used = proofs.send("override_commit", *life.head, worker, *evidence, sender=sender)
        bench.row(f"override what the relay {what}", used, 130_000)
    bench.travel(2 * WINDOW + 1)
    files = [paper.chunk_file(w) for w in range(32)]
    used = proofs.send("post_sealed", *life.head, paper.posted(0), files, sender=sender)
    bench.row("the same of 2 bits where somebody has overridden", used // 32)
    for classes, bits, floor in ((2, 2, 15_000), (8, 4, 19_000), (200, 8, 29_000)):
        paper = draft(bench, 100, 200, classes, "payee of 100")
        life = begin(bench, paper)
        for worker in range(100):
            paper.commits[worker] = light(worker, bits)
        commit(life, 1_024)
        bench.travel(2 * WINDOW + 1)
        files = [paper.chunk_file(w) for w in range(32)]
        used = proofs.send("post_sealed", *life.head, paper.posted(0), files, sender=sender)
        bench.row(f"post 500 sealed labels of {bits} bits, each of 32 workers", used // 32, floor)
        files = [paper.chunk_file(40)]
        used = proofs.send("post_sealed", *life.head, paper.posted(40), files, sender=sender)
        bench.row(f"post 500 sealed labels of {bits} bits, alone", used)


def measure_gates(bench: Bench) -> None:
    """Gates that ship: deployed, told of people, and asked by the intake."""
    sender = bench.payer
    # A lie, but who proves it is not here: the line of everybody is the full price.
    life, score = scored(bench, 200, {}, line=1_000_000)
    bench.travel(WINDOW + 1)
    life.send("end", bench.board, "end_bounty", *life.head, sender=sender)
    record = load_artifact("RecordGate")
    arguments = (bench.intake.address, [bench.requester], 600_000, 1)
    gate = Contract(bench.chain, record, *arguments)
    evidence = chunk_evidence(life.paper, 0, score)
    used = gate.send("register", *life.head, evidence, 0, sender=sender)
    bench.row("record gate: register a score of 100 workers", used)
    people = [row.signer for row in life.paper.rows]
    allow = Contract(bench.chain, load_artifact("AllowListGate"), sender, [])
    used = allow.send("set_allowed", people, True, sender=sender)
    bench.row("allow-list gate: name an account, each of 100", round(used / len(people)))
    gated = draft(bench, 100, 200, 2, "payee of 100")
    gated.terms = gated.terms._replace(gate=address_number(allow.address))
    life = begin(bench, gated)
    free = begin(bench, draft(bench, 100, 200, 2, "payee of 100"))
    asked = life.gas["enroll"] - free.gas["enroll"]
    bench.row("asking the allow-list gate, each of 100 enrolled", round(asked / 100))


def measure_sizes(bench: Bench) -> None:
    """Bytes of the deployed code."""
    for contract in (bench.board, bench.intake, bench.proofs):
        code: Any = bench.chain.rpc("eth_getCode", contract.address, "latest")
        size = len(code) // 2 - 1
        name = f"size of {contract.artifact.name}"
        bench.figures.append(
            Figure(name=name, value=size, unit="bytes", floor=SIZE_LIMIT, holds=size <= SIZE_LIMIT)
        )


def deploy(chain: AnvilProcess) -> Bench:
    """Deploy the contracts of bounties, and fund the requester."""
    owner, requester = account_of("owner"), account_of("requester")
    token = Contract(chain, load_test_artifact("TestToken"), "Test Dollar", "TUSD", 6)
    board = Contract(chain, load_artifact("BountyBoard"), owner, account_of("treasury"))
    intake = Contract(chain, load_artifact("BountyIntake"), board.address)
    proofs = Contract(chain, load_artifact("BountyProofs"), board.address)
    board.send("fix_parts", intake.address, proofs.address, sender=owner)
    board.send("set_fee_bps", 100, sender=owner)
    token.send("mint", requester, MONEY, sender=requester)
    # Once and for all, as requesters who come back do.
    token.send("approve", board.address, 2**256 - 1, sender=requester)
    relay, payer = account_of("relay"), account_of("payer")
    return Bench(chain, token, board, intake, proofs, requester, relay, payer)


def measure(sizes: Sequence[int] = tuple(GOLD)) -> list[Figure]:
    """Measure whole bounties of these sizes, and all rows where these are all sizes."""
    extra = ("--auto-impersonate", "--base-fee", "0", "--gas-price", "0")
    limit = ("--gas-limit", "100000000", "--timestamp", str(gas.START))
    with start_anvil(extra=(*extra, *limit)) as chain:
        bench = deploy(chain)
        measure_whole(bench, sizes)
        if set(sizes) == set(GOLD):
            measure_relay(bench)
            measure_challenges(bench)
            measure_gates(bench)
            measure_sizes(bench)
    return bench.figures


def main(arguments: Sequence[str]) -> int:
    """Measure; record where everything was measured."""
    sizes = tuple(map(int, arguments)) or tuple(GOLD)
    figures = measure(sizes)
    print(markdown(figures))
    if not arguments:
        write("gas_bounties", figures)
        (ROOT / "docs" / "gas.md").write_text(gas.document(gas.recorded()), "utf-8")
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
