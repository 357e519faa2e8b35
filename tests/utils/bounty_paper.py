# SPDX-License-Identifier: Apache-2.0
"""A bounty off chain: terms, roster, labels, commits, scores, and evidence for contracts.

It follows docs/bounties.md by `tests/utils/bounty_reference.py`, and knows no chain: tests on
titanoboa and the gas table on anvil send what it makes.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

from tests.utils import bounty_reference as ref
from tests.utils.bounty_rows import CHUNK, REQUESTER_SECRET, Commit, Row, Terms, chunked, sign
from tests.utils.drafts import word_of
from truthmark.hashing import keccak256
from truthmark.keys.curve import multiply
from truthmark.labels.permutation import order_of, places_of, round_key

NO_COMMITS = (0, [], 0, 0, b"")
NO_OPENING = (0, bytes(32), [], bytes(32), bytes(32))


@dataclass
class Paper:
    """One bounty: what everybody in it knows and does.

    Attributes:
        terms: As agreed.
        gold: (item, class), ascending.
        gold_salt: Of the gold commitment.
        place: Chain id and address of the board.
        bounty_id: Its number.
        rows: The roster, in the order of its calls.
        calls: How many rows each `enroll` call brought.
        seed: Of the chain.
        commits: worker -> what stands for them.
        marks: worker -> mark.
        posts: Rows of each commit call.
        where: worker -> (commit call, row).
    """

    terms: Terms
    gold: list[tuple[int, int]]
    gold_salt: bytes
    place: tuple[int, str]
    rng: random.Random
    bounty_id: int = 1
    rows: list[Row] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    seed: bytes = b""
    commits: dict[int, Commit] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)
    posts: list[list[bytes]] = field(default_factory=list)
    where: dict[int, tuple[int, int]] = field(default_factory=dict)
    skill: float = 0.9
    truth: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.truth = [self.rng.randrange(self.terms.classes or 2) for _ in range(self.terms.items)]
        for item, answer in self.gold:
            if item < self.terms.items:
                self.truth[item] = answer

    # ------------------------------------------------------------- geometry

    @property
    def first_workers(self) -> list[int]:
        """The first row of each `enroll` call, and the number of all rows."""
        return [0, *accumulate(self.calls)]

    @property
    def starts(self) -> list[int]:
        """The first seat of each row, and the position after all."""
        return [0, *accumulate(row.seats for row in self.rows)]

    @cached_property
    def keys(self) -> list[int]:
        return [round_key(self.seed, k) for k in range(self.terms.rounds)]

    @cached_property
    def gold_places(self) -> list[list[int]]:
        """For each round, the places of the gold items."""
        return [
            [int(p) for p in places_of(key, self.terms.items)[[i for i, _ in self.gold]]]
            if self.gold
            else []
            for key in self.keys
        ]

    @cached_property
    def orders(self) -> list[list[int]]:
        return [[int(i) for i in order_of(key, self.terms.items)] for key in self.keys]

    def seat_of(self, gold: int, round_: int) -> tuple[int, int]:
        """The seat that judges a gold item in a round, and the item's index in it."""
        place = self.gold_places[round_][gold]
        return round_ * self.terms.per_round + place // self.terms.batch, place % self.terms.batch

    def holder_of(self, seat: int) -> tuple[int, int] | None:
        """The row that holds a seat and the seat's offset; None beyond the roster."""
        starts = self.starts
        if seat >= starts[-1]:
            return None
        worker = bisect_right(starts, seat) - 1
        return worker, seat - starts[worker]

    def judge_of(self, gold: int, round_: int) -> int | None:
        holder = self.holder_of(self.seat_of(gold, round_)[0])
        return None if holder is None else holder[0]

    def labels_in(self, worker: int, seats: int) -> int:
        return ref.labels_in(self.terms.items, self.terms.batch, self.starts[worker], seats)

    @property
    def workers(self) -> list[int]:
        """Rows that are no gaps."""
        return [w for w, row in enumerate(self.rows) if not row.is_gap]

    # ------------------------------------------------------------- labeling

    def label(
        self,
        worker: int,
        seats: int | None = None,
        *,
        skill: float | None = None,
        variant: object = "",
        answer: Callable[[int], int] | None = None,
        is_real: bool = True,
    ) -> Commit:
        """Label the first seats of a run.

        Args:
            worker: Whose.
            seats: How many; all of the run unless given.
            skill: Share of right answers; below 0, none is right and all agree.
            variant: Makes another secret.
            answer: item -> code, in place of a drawn one.
            is_real: Whether there are trees behind it; else hashes that nobody can open.
        """
        t = self.terms
        skip = t.classes
        labels = []
        for offset in range(self.rows[worker].seats if seats is None else seats):
            round_, batch = divmod(self.starts[worker] + offset, t.per_round)
            items = self.orders[round_][batch * t.batch : (batch + 1) * t.batch] if is_real else []
            codes = [answer(item) if answer else self._draw(item, skill) for item in items]
            labels.append(codes + [skip] * (t.batch - len(codes)))
        e = 1 + int.from_bytes(word_of("e", self.bounty_id, worker, variant), "big") % 2**250
        if not is_real:
            bits = ref.bits_of(t.classes)
            sealed = random.Random(worker).randbytes((len(labels) * t.batch * bits + 7) // 8)
            root, seal = word_of("root", worker), word_of("seal", worker)
            return Commit(labels, e, (worker, 0), (0, 0), [], sealed, [], root, seal)
        return self.seal(worker, e, labels)

    def _draw(self, item: int, skill: float | None) -> int:
        t = self.terms
        if t.classes == 0:
            return self.rng.getrandbits(256)
        chance = self.skill if skill is None else skill
        if chance < 0:
            return (self.truth[item] + 1) % t.classes
        if self.rng.random() < chance:
            return self.truth[item]
        return self.rng.randint(0, t.classes)

    def seal(self, worker: int, e: int, labels: list[list[int]]) -> Commit:
        """Seal labels as `ref.seal` does, with the package's curve: a hundred times as fast."""
        t = self.terms
        chain_id, board = self.place
        big_e, shared = multiply(e), multiply(e * REQUESTER_SECRET)
        words = (shared.x, shared.y, chain_id, board, self.bounty_id, worker)
        base = ref.keccak(*map(ref.word, words))
        bits, places = ref.bits_of(t.classes), 2 ** (t.batch - 1).bit_length()
        salts, leaves, stream = [], [], ""
        for offset, codes in enumerate(labels):
            secret = ref.keccak(base, ref.word(offset))
            for i, code in enumerate(codes):
                salt = ref.keccak(secret, ref.word(i))
                pad = salt if t.classes else ref.keccak(salt)
                salts.append(salt)
                leaves.append(ref.keccak(b"\1", salt, ref.word(code)))
                masked = (code ^ int.from_bytes(pad, "big")) % 2**bits
                stream += format(masked, f"0{bits}b")
            leaves += [bytes(32)] * (places - t.batch)
        stream += "0" * (-len(stream) % 8)
        sealed = int(stream, 2).to_bytes(len(stream) // 8, "big")
        levels = tree_levels(leaves)
        root = ref.keccak(b"\3", ref.u(len(leaves), 4), levels[-1][0])
        seal = ref.keccak(ref.word(big_e.x), ref.u(big_e.y & 1, 1), sealed)
        return Commit(labels, e, tuple(big_e), tuple(shared), salts, sealed, levels, root, seal)

    def commit_all(
        self, seats: Callable[[int], int] | None = None, *, is_real: bool = True
    ) -> None:
        """Let everybody label; `seats` says how much of their run, 0 for nothing."""
        for worker in self.workers:
            run = self.rows[worker].seats
            count = run if seats is None else min(run, seats(worker))
            if count:
                self.commits[worker] = self.label(worker, count, is_real=is_real)

    def committed(self, worker: int) -> int:
        return self.commits[worker].seats if worker in self.commits else 0

    # -------------------------------------------------------------- scoring

    def entry(self, gold: int, round_: int) -> int:
        seat, index = self.seat_of(gold, round_)
        holder = self.holder_of(seat)
        if holder is None:
            return ref.ABSENT
        worker, offset = holder
        if offset >= self.committed(worker) or worker in self.marks:
            return ref.ABSENT
        code = self.commits[worker].labels[offset][index]
        return code if code < self.terms.classes else ref.SKIP

    def entries(self) -> list[list[int]]:
        """What an honest requester posts."""
        return [[self.entry(g, k) for k in range(self.terms.rounds)] for g in range(len(self.gold))]

    def verdict(self, entries: list[list[int]]) -> dict[str, Any]:
        return ref.judge(entries, [a for _, a in self.gold], self.terms.classes)

    def lines(self, entries: list[list[int]]) -> list[int]:
        """What an honest requester writes about each row, given entries."""
        if not self.gold:
            return [self.marks.get(w, 0) for w in range(len(self.rows))]
        answers = [a for _, a in self.gold]
        verdict = self.verdict(entries)
        runs: list[dict[int, int]] = [{} for _ in self.rows]
        for g in range(len(self.gold)):
            for k in range(self.terms.rounds):
                worker = self.judge_of(g, k)
                if worker is not None:
                    runs[worker][g] = entries[g][k]
        lines = []
        for worker in range(len(self.rows)):
            if worker in self.marks:
                lines.append(self.marks[worker])
            elif not self.committed(worker):
                lines.append(0)
            else:
                lines.append(ref.millionths(verdict, answers, runs[worker], self.terms.full))
        return lines

    def score(
        self, entries: list[list[int]] | None = None, lines: list[int] | None = None
    ) -> "Score":
        """Make a score: the true one, but for what is given."""
        said = self.entries() if entries is None else entries
        return Score(self, said, self.lines(said) if lines is None else lines)

    # ---------------------------------------------------------------- bytes

    @property
    def gold_bytes(self) -> bytes:
        return ref.gold_bytes(self.gold)

    def enroll_chunks(self, first: int, count: int) -> list[bytes]:
        return chunked([row.packed for row in self.rows[first : first + count]])

    def heads(self, call: int) -> list[bytes]:
        first, end = self.first_workers[call : call + 2]
        rows = [row._asdict() for row in self.rows[first:end]]
        return ref.roster_heads(rows, first, self.starts[first])

    def roster(self, worker: int) -> tuple[Any, ...]:
        """The struct `Roster` with a worker's row."""
        call = bisect_right(self.first_workers, worker) - 1
        first = self.first_workers[call]
        chunk = (worker - first) // CHUNK
        start = first + CHUNK * chunk
        end = min(start + CHUNK, self.first_workers[call + 1])
        rows = b"".join(row.packed for row in self.rows[start:end])
        return call, self.heads(call), chunk, start, self.starts[start], rows

    def commit_row(self, worker: int, commit: Commit | None = None) -> bytes:
        made = commit or self.commits[worker]
        return ref.commit_row(worker, made.seats, made.commitment)

    def post(self, rows: Iterable[bytes]) -> list[bytes]:
        """Remember a commit call; return its chunks."""
        posted = list(rows)
        for number, row in enumerate(posted):
            self.where.setdefault(int.from_bytes(row[:2], "big"), (len(self.posts), number))
        self.posts.append(posted)
        return chunked(posted)

    def posted(self, worker: int) -> tuple[Any, ...]:
        """The struct `Commits` with a worker's row of the relay; empty where there is none."""
        if worker not in self.where:
            return NO_COMMITS
        call, number = self.where[worker]
        chunks = chunked(self.posts[call])
        chunk = number // CHUNK
        return call, [keccak256(c) for c in chunks], chunk, number % CHUNK, chunks[chunk]

    def chunk_file(self, worker: int, commit: Commit | None = None) -> bytes:
        """What `post_sealed` takes for a worker."""
        return ref.u(self.where[worker][1] % CHUNK, 1) + (commit or self.commits[worker]).file

    def opening(self, gold: int, round_: int) -> tuple[Any, ...]:
        """The struct `Opening` of the label behind an entry; empty where there is none."""
        seat, index = self.seat_of(gold, round_)
        holder = self.holder_of(seat)
        if holder is None or holder[1] >= self.committed(holder[0]):
            return NO_OPENING
        commit, offset, batch = self.commits[holder[0]], holder[1], self.terms.batch
        places = 2 ** (batch - 1).bit_length()
        return (
            commit.labels[offset][index],
            commit.salts[offset * batch + index],
            commit.path(offset * places + index),
            commit.root,
            commit.seal,
        )

    # ----------------------------------------------------------- signatures

    def sign_commit(
        self, signer: int, commit: Commit | None = None, role: str | None = None, **changed: Any
    ) -> bytes:
        made = commit or self.commits[signer]
        values = {
            "place": self.place,
            "bounty_id": self.bounty_id,
            "terms_hash": self.terms.terms_hash,
            "seed": self.seed,
            "worker": signer,
            "seats": made.seats,
            "commitment": made.commitment,
        } | changed
        (chain_id, board), *rest = values.values()
        digest = ref.digest(chain_id, board, ref.COMMIT, *rest)
        return sign(role or f"labeler {signer}", digest)

    def acknowledge(
        self,
        committer: int,
        commitment: bytes | None = None,
        role: str = "receiver",
        **changed: Any,
    ) -> bytes:
        values = {
            "place": self.place,
            "bounty_id": self.bounty_id,
            "terms_hash": self.terms.terms_hash,
            "worker": committer,
            "commitment": commitment or self.commits[committer].commitment,
        } | changed
        (chain_id, board), *rest = values.values()
        return sign(role, ref.digest(chain_id, board, ref.ACKNOWLEDGED, *rest))


@dataclass
class Score:
    """What a requester posts, and everything that shows parts of it."""

    paper: Paper
    said: list[list[int]]
    line_values: list[int]

    @cached_property
    def verdict(self) -> dict[str, Any]:
        if not self.paper.gold:
            return {"half": "", "kept": [], "weights": [], "classes": 0}
        return self.paper.verdict(self.said)

    @property
    def is_half(self) -> bool:
        return bool(self.verdict["half"])

    @cached_property
    def hashes(self) -> dict[str, Any]:
        gold = self.paper.gold
        return ref.score_hashes(gold, self.said, self.verdict, self.line_values)

    @property
    def lines(self) -> bytes:
        return b"".join(ref.u(line, 3) for line in self.line_values)

    @property
    def judged(self) -> bytes:
        return bytes(self.hashes["judged"])

    @property
    def entry_chunks(self) -> list[bytes]:
        said = self.said
        return [b"".join(map(bytes, said[i : i + CHUNK])) for i in range(0, len(said), CHUNK)]

    @property
    def gold_chunks(self) -> list[bytes]:
        packed = self.paper.gold_bytes
        return [packed[i : i + 128].ljust(128, b"\0") for i in range(0, len(packed), 128)]

    @property
    def verdict_struct(self) -> tuple[Any, ...]:
        kept = [0] * 8
        for g, is_kept in enumerate(self.verdict["kept"]):
            kept[g // 256] |= is_kept << g % 256
        weights = [] if self.is_half else self.verdict["weights"]
        return self.is_half, self.verdict["classes"], kept, weights

    def arguments(self) -> tuple[Any, ...]:
        """What `score` takes behind the terms."""
        return self.paper.gold_salt, self.paper.gold_bytes, self.entry_chunks, self.lines

    def chunk_of(self, gold: int) -> tuple[Any, ...]:
        """The struct `Judged` with a gold item."""
        i = gold // CHUNK
        verdict_hash = self.hashes["verdict_hash"]
        chunks = self.gold_chunks[i], self.entry_chunks[i]
        return self.hashes["heads"], i, *chunks, verdict_hash, self.lines

    def line_arguments(self, worker: int) -> tuple[Any, ...]:
        """What `prove_line` takes behind the terms."""
        chunks = self.gold_chunks, self.entry_chunks
        return worker, *chunks, self.verdict_struct, self.lines, self.paper.roster(worker)


def pay_evidence(
    paper: Paper, call: int, chunk: int = 0, count: int = 16, score: Score | None = None
) -> tuple[Any, ...]:
    """The struct `PayEvidence` of some chunks of one `enroll` call."""
    first, end = paper.first_workers[call : call + 2]
    start = first + CHUNK * chunk
    rows = paper.enroll_chunks(start, min(CHUNK * count, end - start))
    said = (score.judged, score.lines) if score else (bytes(32), b"")
    return call, paper.heads(call), chunk, start, paper.starts[start], rows, *said


def chunk_evidence(paper: Paper, worker: int, score: Score | None = None) -> tuple[Any, ...]:
    """The struct `ChunkEvidence` of the chunk with a worker's row."""
    said = (score.judged, score.lines) if score else (bytes(32), b"")
    return *paper.roster(worker), *said


def tree_levels(leaves: list[bytes]) -> list[list[bytes]]:
    """The levels of a tree whose leaves are filled up to a power of two."""
    level = leaves + [bytes(32)] * (2 ** (len(leaves) - 1).bit_length() - len(leaves))
    levels = [level]
    while len(level) > 1:
        level = [ref.keccak(b"\2", level[i], level[i + 1]) for i in range(0, len(level), 2)]
        levels.append(level)
    return levels
