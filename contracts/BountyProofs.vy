# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Bounty Proofs
@custom:contract-name BountyProofs
@license AGPL-3.0-only
@author The Truthmark authors
@notice Evidence of labelers against relay and requester: signed commits, sealed labels, and the four
        proofs that a score is false. All of it is computed here; nobody votes.
@custom:security No storage, no money, no owner. A proof names no beneficiary, so a copier of it takes the
        reward and changes nothing else: the wronged gain by the end that it brings.
@custom:kill Nothing to stop; the board's `pause` stops new bounties.
"""

from .interfaces import IBountyBoard
from .interfaces import IBountyIntake
from .interfaces import IBountyProofs
from .interfaces import ICurve

implements: IBountyProofs

from .modules import bounties as b
from .modules import merkle
from .modules import permutation
from .modules import scoring
from .modules import secp256k1
from .modules import signatures

# ---------------------------------------------------------------- constants

COMMIT_TYPE: constant(bytes32) = keccak256(
    "Commit(uint256 bounty_id,bytes32 terms_hash,bytes32 seed,uint256 worker,uint256 seats,bytes32 commitment)"
)
ACKNOWLEDGED_TYPE: constant(bytes32) = keccak256(
    "Acknowledged(uint256 bounty_id,bytes32 terms_hash,uint256 worker,bytes32 commitment)"
)
DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
# Places of a seat, padded; seats of a run, padded.
MAX_PLACES: constant(uint256) = 64
MAX_SEATS: constant(uint256) = 64
# Before root and E in the file of `post_sealed`.
ROW_BYTE: constant(uint256) = 1
ROOT_BYTES: constant(uint256) = 32

# --------------------------------------------------------------- immutables

BOARD: public(immutable(IBountyBoard))

# -------------------------------------------------------------- constructor


@deploy
def __init__(board_: IBountyBoard):
    """
    @notice Fix the board for good.
    @param board_ The board, which must name this contract as its proofs.
    """
    assert board_.address != empty(address), "proofs: board is zero"
    BOARD = board_


# ----------------------------------------------------------- against a relay


@external
def override_commit(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    worker: uint256,
    roster: IBountyProofs.Roster,
    commitment: bytes32,
    seats: uint256,
    signature: Bytes[1024],
):
    """
    @notice Put a worker's signed commit in the place of what the relay posted or left out.
    @dev Anyone, until the end of grace, once a worker. The caller gets the relay's fee for that worker.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param worker The row of the roster.
    @param roster The chunk with that row.
    @param commitment What the worker signed.
    @param seats How many seats of the run it covers.
    @param signature Of the EIP-712 message `Commit`, by the row's signer.
    """
    context: IBountyBoard.Context = self._context(bounty_id, terms, worker, roster.call, 0)
    signer: address = empty(address)
    start: uint256 = 0
    run: uint256 = 0
    signer, start, run = self._row(context.roster, roster, worker)
    assert commitment != empty(bytes32), "proofs: commitment is zero"
    assert 0 < seats and seats <= run, "proofs: bad seats"
    # Of a gap the signer is zero, and nobody signs for zero.
    assert signatures._is_signer(
        signer,
        self._digest(
            keccak256(
                abi_encode(
                    COMMIT_TYPE,
                    bounty_id,
                    context.terms_hash,
                    context.seed,
                    worker,
                    seats,
                    commitment,
                )
            )
        ),
        signature,
    ), "proofs: not signed"
    extcall BOARD.set_override(bounty_id, terms, worker, commitment, seats, msg.sender)


# ------------------------------------------------------ against a deaf requester


@external
def post_sealed(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    commits: IBountyProofs.Commits,
    files: DynArray[Bytes[1090], 32],
):
    """
    @notice Put the sealed labels of workers of one chunk of commits on chain.
    @dev Anyone, when commits are final. The caller gets the fees, for each worker's first time. A file
         that is not what was committed fails the call.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param commits The chunk; its `row` is not read.
    @param files Row of the chunk (u8), root, x and parity of E, sealed labels.
    """
    context: IBountyBoard.Context = self._context(bounty_id, terms, 0, 0, commits.call)
    self._check_chunk(context.commits, commits.heads, commits.chunk, keccak256(commits.rows))
    workers: DynArray[uint256, 32] = []
    for file: Bytes[1090] in files:
        worker: uint256 = 0
        commitment: bytes32 = empty(bytes32)
        worker, commitment = self._commit_row(
            commits.rows, convert(slice(file, 0, ROW_BYTE), uint256)
        )
        self._post(bounty_id, worker, commitment, file, ROW_BYTE)
        workers.append(worker)
    extcall BOARD.set_posted(bounty_id, terms, workers, True, msg.sender)


@external
def post_sealed_one(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    worker: uint256,
    commits: IBountyProofs.Commits,
    file: Bytes[8257],
):
    """
    @notice The same for one worker: who overrode, or sealed more than `post_sealed` takes.
    @dev Anyone, when commits are final; the caller gets the fees.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param worker The row of the roster.
    @param commits The chunk with their commit, empty for who overrode.
    @param file Root, x and parity of E, sealed labels.
    """
    context: IBountyBoard.Context = self._context(bounty_id, terms, worker, 0, commits.call)
    self._post(bounty_id, worker, self._commitment(context, commits, worker), file, 0)
    extcall BOARD.set_posted(bounty_id, terms, [worker], False, msg.sender)


# --------------------------------------------------------- against a false score


@external
def prove_answer(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    gold: uint256,
    round_: uint256,
    worker: uint256,
    judged: IBountyProofs.Judged,
    roster: IBountyProofs.Roster,
    commits: IBountyProofs.Commits,
    opening: IBountyProofs.Opening,
):
    """
    @notice Prove that the score says something else about a gold item and round than was committed.
    @dev Anyone. No opening is needed where the score denies an answer, has one where none can be, or has
         a byte that is no answer at all.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param gold Number of the gold item.
    @param round_ The round.
    @param worker Who holds the seat; not read where nobody can.
    @param judged The chunk of the score.
    @param roster The chunk with the worker's row.
    @param commits The chunk with the worker's commit.
    @param opening The label.
    """
    context: IBountyBoard.Context = self._context(
        bounty_id, terms, worker, roster.call, commits.call
    )
    assert gold < terms.gold_count and round_ < terms.rounds, "proofs: no such entry"
    assert judged.chunk == gold // 32, "proofs: other chunk"
    self._check_score(
        context.score, judged.verdict, keccak256(abi_encode(judged.heads)), judged.lines
    )
    assert (
        keccak256(concat(judged.gold, judged.entries)) == judged.heads[judged.chunk]
    ), "proofs: other score"
    item: uint256 = convert(slice(judged.gold, 4 * (gold % 32), 3), uint256)
    claimed: uint256 = convert(
        slice(judged.entries, terms.rounds * (gold % 32) + round_, 1), uint256
    )
    place: uint256 = permutation._place(
        permutation._key(context.seed, round_),
        terms.items,
        permutation._width(terms.items),
        item,
    )
    seat: uint256 = round_ * b._per_round(terms.items, terms.batch) + place // terms.batch
    truth: uint256 = scoring.ABSENT
    # Seats from `position` on nobody holds.
    if seat < context.position:
        offset: uint256 = self._offset(context.roster, roster, worker, seat)
        if offset < context.committed and not b._is_mark(self._line(judged.lines, worker)):
            truth = self._answer(
                terms, context, commits, worker, claimed, offset, place % terms.batch, opening
            )
    assert claimed != truth, "proofs: the entry is true"
    extcall BOARD.prove(bounty_id, terms, worker, b.ANSWER, msg.sender)


@external
def prove_line(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    worker: uint256,
    gold: DynArray[Bytes[128], 64],
    entries: DynArray[Bytes[288], 64],
    verdict: IBountyIntake.Verdict,
    lines: Bytes[6144],
    roster: IBountyProofs.Roster,
):
    """
    @notice Prove that a worker's answers are worth something else than the score says.
    @dev Anyone. Only of workers who committed and bear no mark, and not in HALF, where lines say nothing.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param worker The row of the roster.
    @param gold All of it, 32 items a chunk, the last filled up with zero bytes.
    @param entries All of them, by the same chunks.
    @param verdict The score's.
    @param lines The score's.
    @param roster The chunk with the worker's row.
    """
    context: IBountyBoard.Context = self._context(bounty_id, terms, worker, roster.call, 0)
    heads: DynArray[bytes32, 64] = []
    for i: uint256 in range(len(gold), bound=64):
        # Chunks of gold have one length, so what is gold and what is not, is in the hash.
        assert len(gold[i]) == 128, "proofs: other score"
        heads.append(keccak256(concat(gold[i], entries[i])))
    self._check_score(
        context.score, keccak256(abi_encode(verdict)), keccak256(abi_encode(heads)), lines
    )
    assert terms.gold_count != 0 and not verdict.is_half, "proofs: no line counts"
    claimed: uint256 = self._line(lines, worker)
    assert not b._is_mark(claimed), "proofs: marked"
    assert context.committed != 0, "proofs: nothing committed"
    signer: address = empty(address)
    start: uint256 = 0
    run: uint256 = 0
    signer, start, run = self._row(context.roster, roster, worker)
    assert claimed != self._millionths(
        terms, context, gold, entries, verdict, start, run
    ), "proofs: the line is true"
    extcall BOARD.prove(bounty_id, terms, worker, b.LINE, msg.sender)


@external
def prove_delivered(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    worker: uint256,
    judged: bytes32,
    lines: Bytes[6144],
    commits: IBountyProofs.Commits,
    signature: Bytes[65],
):
    """
    @notice Prove that a worker marked as not delivered has delivered.
    @dev Anyone.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param worker The row of the roster.
    @param judged Hash of the rest of the score.
    @param lines The score's.
    @param commits The chunk with their commit; not read where the labels are on chain.
    @param signature Of the EIP-712 message `Acknowledged`, by the receiver's key; empty where the
           labels are on chain.
    """
    context: IBountyBoard.Context = self._context(bounty_id, terms, worker, 0, commits.call)
    self._check_mark(context, judged, lines, worker, b.NOT_DELIVERED)
    if not context.is_posted:
        # By a key only: a contract of the requester's could take back what it signed.
        assert len(signature) == 65, "proofs: not acknowledged"
        signer: address = ecrecover(
            self._digest(
                keccak256(
                    abi_encode(
                        ACKNOWLEDGED_TYPE,
                        bounty_id,
                        context.terms_hash,
                        worker,
                        self._commitment(context, commits, worker),
                    )
                )
            ),
            convert(slice(signature, 64, 1), uint256),
            convert(slice(signature, 0, 32), uint256),
            convert(slice(signature, 32, 32), uint256),
        )
        # What cannot be recovered is zero, and zero may be the receiver: then there is none.
        assert (
            signer != empty(address) and terms.receiver == convert(signer, uint256)
        ), "proofs: not acknowledged"
    extcall BOARD.prove(bounty_id, terms, worker, b.DELIVERED, msg.sender)


@external
def prove_readable(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    worker: uint256,
    judged: bytes32,
    lines: Bytes[6144],
    commits: IBountyProofs.Commits,
    e: uint256,
    big_e: ICurve.Point,
    shared: ICurve.Point,
    sealed: Bytes[8192],
):
    """
    @notice Prove that the labels of a worker marked as unreadable open to what was committed.
    @dev Anyone who has e. It shows all labels of the run: if one seat could be named, a liar would name
         one that opens.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param worker The row of the roster.
    @param judged Hash of the rest of the score.
    @param lines The score's.
    @param commits The chunk with their commit.
    @param e The worker's secret.
    @param big_e E = e*G.
    @param shared S = e*P, for the requester's key P.
    @param sealed The sealed labels.
    """
    context: IBountyBoard.Context = self._context(bounty_id, terms, worker, 0, commits.call)
    self._check_mark(context, judged, lines, worker, b.UNREADABLE)
    assert secp256k1._is_multiple(e, secp256k1._generator(), big_e), "proofs: other E"
    assert secp256k1._is_multiple(
        e, ICurve.Point(x=terms.key_x, y=terms.key_y), shared
    ), "proofs: other S"
    bits: uint256 = self._bits(terms.classes)
    assert (
        len(sealed) == (context.committed * terms.batch * bits + 7) // 8
    ), "proofs: other length"
    seal: bytes32 = keccak256(
        concat(convert(big_e.x, bytes32), convert(convert(big_e.y & 1, uint8), bytes1), sealed)
    )
    base: bytes32 = keccak256(abi_encode(shared, chain.id, BOARD.address, bounty_id, worker))
    root: bytes32 = self._root(base, context.committed, terms.batch, bits, sealed)
    assert (
        keccak256(concat(root, seal)) == self._commitment(context, commits, worker)
    ), "proofs: not committed"
    log IBountyProofs.RunOpened(bounty_id=bounty_id, worker=worker, e=e)
    extcall BOARD.prove(bounty_id, terms, worker, b.READABLE, msg.sender)


# -------------------------------------------------------- internals: evidence


@internal
@view
def _context(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    worker: uint256,
    roster_call: uint256,
    commit_call: uint256,
) -> IBountyBoard.Context:
    context: IBountyBoard.Context = staticcall BOARD.context(
        bounty_id, worker, roster_call, commit_call
    )
    assert keccak256(abi_encode(terms)) == context.terms_hash, "proofs: other terms"
    return context


@internal
@pure
def _check_chunk(expected: bytes32, heads: DynArray[bytes32, 32], chunk: uint256, head: bytes32):
    assert (
        keccak256(abi_encode(heads)) == expected and heads[chunk] == head
    ), "proofs: other chunk"


@internal
@pure
def _row(
    expected: bytes32, roster: IBountyProofs.Roster, worker: uint256
) -> (address, uint256, uint256):
    # Signer, first seat and run of a worker.
    self._check_chunk(
        expected,
        roster.heads,
        roster.chunk,
        b._roster_head(roster.first_worker, roster.first_seat, roster.rows),
    )
    assert (
        roster.first_worker <= worker
        and (worker - roster.first_worker) < len(roster.rows) // b.ROSTER_ROW
    ), "proofs: other worker"
    index: uint256 = worker - roster.first_worker
    padded: Bytes[1344] = concat(b.ZEROS, roster.rows)
    seat: uint256 = roster.first_seat
    # The words that end with a row; the chunk has at most 32.
    for i: uint256 in range(index, bound=31):
        seat += convert(extract32(padded, b.ROSTER_ROW * (i + 1)), uint256) & b.MASK_8
    # The word that ends with the signer.
    signer: uint256 = (convert(extract32(padded, b.ROSTER_ROW * index + 20), uint256) & b.MASK_160)
    return (
        convert(signer, address),
        seat,
        convert(extract32(padded, b.ROSTER_ROW * (index + 1)), uint256) & b.MASK_8,
    )


@internal
@pure
def _offset(
    expected: bytes32, roster: IBountyProofs.Roster, worker: uint256, seat: uint256
) -> uint256:
    # Which seat of a worker's run this is. A gap holds its seats too; nothing is committed of it.
    signer: address = empty(address)
    start: uint256 = 0
    run: uint256 = 0
    signer, start, run = self._row(expected, roster, worker)
    assert start <= seat and seat < start + run, "proofs: other worker"
    return seat - start


@internal
@pure
def _commit_row(rows: Bytes[1120], row: uint256) -> (uint256, bytes32):
    # Worker and commitment of a row of a chunk.
    assert row < len(rows) // b.COMMIT_ROW, "proofs: no such row"
    padded: Bytes[1152] = concat(b.ZEROS, rows)
    at: uint256 = b.COMMIT_ROW * row
    return (
        (convert(extract32(padded, at + 3), uint256) >> 8) & b.MASK_16,
        extract32(padded, at + b.COMMIT_ROW),
    )


@internal
@pure
def _commitment(
    context: IBountyBoard.Context, commits: IBountyProofs.Commits, worker: uint256
) -> bytes32:
    # What stands for a worker: what they signed, or else the relay's row.
    if context.override != empty(bytes32):
        return context.override
    self._check_chunk(context.commits, commits.heads, commits.chunk, keccak256(commits.rows))
    committer: uint256 = 0
    commitment: bytes32 = empty(bytes32)
    committer, commitment = self._commit_row(commits.rows, commits.row)
    assert committer == worker, "proofs: other worker"
    return commitment


@internal
def _post(
    bounty_id: uint256,
    worker: uint256,
    commitment: bytes32,
    file: Bytes[8257],
    at: uint256,
):
    # Root and the rest of a file, which begins at a byte.
    root: bytes32 = extract32(file, at)
    sealed: Bytes[8257] = slice(file, at + ROOT_BYTES, len(file) - at - ROOT_BYTES)
    assert commitment == keccak256(concat(root, keccak256(sealed))), "proofs: not committed"
    log IBountyProofs.SealedPosted(bounty_id=bounty_id, worker=worker, root=root, sealed=sealed)


@internal
@view
def _digest(message: bytes32) -> bytes32:
    # EIP-712; people see the board as the contract that they sign for.
    domain: bytes32 = keccak256(
        abi_encode(DOMAIN_TYPE, keccak256("Truthmark"), keccak256("1"), chain.id, BOARD.address)
    )
    return keccak256(concat(0x1901, domain, message))


# ----------------------------------------------------------- internals: score


@internal
@pure
def _check_score(expected: bytes32, verdict: bytes32, heads: bytes32, lines: Bytes[6144]):
    judged: bytes32 = keccak256(concat(verdict, heads))
    assert keccak256(concat(judged, keccak256(lines))) == expected, "proofs: other score"


@internal
@pure
def _check_mark(
    context: IBountyBoard.Context,
    judged: bytes32,
    lines: Bytes[6144],
    worker: uint256,
    mark: uint256,
):
    assert (keccak256(concat(judged, keccak256(lines))) == context.score), "proofs: other score"
    assert self._line(lines, worker) == mark, "proofs: not so marked"
    # Marks of others mean nothing.
    assert context.committed != 0, "proofs: nothing committed"


@internal
@pure
def _line(lines: Bytes[6144], worker: uint256) -> uint256:
    return convert(slice(lines, 3 * worker, 3), uint256)


@internal
@pure
def _answer(
    terms: IBountyBoard.Terms,
    context: IBountyBoard.Context,
    commits: IBountyProofs.Commits,
    worker: uint256,
    claimed: uint256,
    offset: uint256,
    index: uint256,
    opening: IBountyProofs.Opening,
) -> uint256:
    # What a fine worker said who has committed the seat at `offset` of their run.
    if terms.classes <= claimed and claimed != scoring.SKIP:
        # Denied, or no answer at all: whatever they said, it was something else.
        return scoring.SKIP
    assert self._commitment(context, commits, worker) == keccak256(
        concat(opening.root, opening.seal)
    ), "proofs: not committed"
    depth: uint256 = b._depth(terms.batch)
    assert merkle._verify(
        opening.root,
        context.committed << depth,
        (offset << depth) + index,
        self._leaf(opening.salt, opening.label),
        opening.path,
    ), "proofs: not committed"
    return opening.label if opening.label < terms.classes else scoring.SKIP


@internal
@pure
def _millionths(
    terms: IBountyBoard.Terms,
    context: IBountyBoard.Context,
    gold: DynArray[Bytes[128], 64],
    entries: DynArray[Bytes[288], 64],
    verdict: IBountyIntake.Verdict,
    start: uint256,
    run: uint256,
) -> uint256:
    # What the entries give a worker who holds `run` seats from `start` on and committed some of them.
    per_round: uint256 = b._per_round(terms.items, terms.batch)
    round_: uint256 = start // per_round
    key: uint256 = permutation._key(context.seed, round_)
    width: uint256 = permutation._width(terms.items)
    items: uint256 = terms.items
    # The places of the run, committed or not.
    first: uint256 = (start - round_ * per_round) * terms.batch
    whole: uint256 = run * terms.batch
    scored: uint256 = 0
    right: uint256 = 0
    answered: uint256 = 0
    for i: uint256 in range(len(gold), bound=64):
        padded: Bytes[160] = concat(b.ZEROS, gold[i])
        # 32 bits of the 256 in a word.
        kept: uint256 = verdict.kept[i >> 3] >> ((i & 7) << 5)
        # The words that end with a gold item.
        at: uint256 = 4
        for g: uint256 in range(min(32, terms.gold_count - 32 * i), bound=32):
            pair: uint256 = convert(extract32(padded, at), uint256)
            at = unsafe_add(at, 4)
            # A place before the run wraps, far beyond its end.
            place: uint256 = unsafe_sub(
                permutation._place(key, items, width, (pair >> 8) & b.MASK_24), first
            )
            if place >= whole:
                continue
            weight: uint256 = verdict.weights[pair & b.MASK_8]
            if weight == 0:
                continue
            entry: uint256 = convert(
                slice(entries[i], unsafe_add(unsafe_mul(g, terms.rounds), round_), 1), uint256
            )
            if entry == scoring.ABSENT:
                # Left unanswered: it could have scored them, also where it does not count for that.
                scored = unsafe_add(scored, 1)
                continue
            if (kept >> g) & 1 == 0:
                continue
            scored = unsafe_add(scored, 1)
            answered = unsafe_add(answered, weight)
            if entry == pair & b.MASK_8:
                right = unsafe_add(right, weight)
    return scoring._millionths(verdict.classes, scored, right, answered, terms.full)


# -------------------------------------------------------- internals: opening


@internal
@pure
def _leaf(salt: bytes32, label: uint256) -> bytes32:
    return keccak256(concat(0x01, salt, convert(label, bytes32)))


@internal
@pure
def _bits(classes: uint256) -> uint256:
    # Of a code: ceil(log2(classes + 1)), and 256 where it is a hash. classes <= 254.
    if classes == 0:
        return 256
    bits: uint256 = 1
    for _: uint256 in range(8):
        if (1 << bits) > classes:
            break
        bits = unsafe_add(bits, 1)
    return bits


@internal
@pure
def _root(
    base: bytes32, seats: uint256, batch: uint256, bits: uint256, sealed: Bytes[8192]
) -> bytes32:
    # The root of the tree over all that the sealed bytes open to. seats <= 63, batch <= 64; sealed
    # has seats * batch * bits bits, filled up to a byte, so that `bit` never passes its end.
    padded: Bytes[8224] = concat(sealed, b.ZEROS)
    up: uint256 = unsafe_sub(256, bits)
    is_hash: bool = bits == 256
    bit: uint256 = 0
    depth: uint256 = b._depth(batch)
    roots: bytes32[MAX_SEATS] = empty(bytes32[MAX_SEATS])
    for s: uint256 in range(seats, bound=63):
        secret: bytes32 = keccak256(abi_encode(base, s))
        nodes: bytes32[MAX_PLACES] = empty(bytes32[MAX_PLACES])
        for i: uint256 in range(batch, bound=64):
            salt: bytes32 = keccak256(abi_encode(secret, i))
            pad: uint256 = convert(salt, uint256)
            if is_hash:
                pad = convert(keccak256(salt), uint256)
            # The code's bits at the top, and its pad's likewise.
            word: uint256 = convert(extract32(padded, bit >> 3), uint256) << (bit & 7)
            bit = unsafe_add(bit, bits)
            # As `_leaf`, written out: 500 calls would cost 40,000 gas.
            nodes[i] = keccak256(concat(0x01, salt, convert((word ^ (pad << up)) >> up, bytes32)))
        roots[s] = self._fold(nodes, depth, batch)
    # Seats that make the list a power of two hold nothing.
    nothing: bytes32 = self._fold(empty(bytes32[MAX_PLACES]), depth, 1)
    top: uint256 = b._depth(seats)
    for s: uint256 in range(seats, 1 << top, bound=64):
        roots[s] = nothing
    return keccak256(
        concat(
            0x03, convert(convert(seats << depth, uint32), bytes4), self._fold(roots, top, 1 << top)
        )
    )


@internal
@pure
def _fold(leaves: bytes32[64], depth: uint256, count: uint256) -> bytes32:
    # The top of the tree over the first 2^depth, of which those from `count` on are zero; depth <= 6.
    nodes: bytes32[64] = leaves
    size: uint256 = count
    # What stands over zeros alone, a level after the other.
    nothing: bytes32 = empty(bytes32)
    for _: uint256 in range(depth, bound=6):
        if size & 1 == 1:
            # size < 2^depth here, so there is a place beside the last.
            nodes[size] = nothing
        nothing = keccak256(concat(0x02, nothing, nothing))
        size = unsafe_div(unsafe_add(size, 1), 2)
        for i: uint256 in range(size, bound=32):
            nodes[i] = keccak256(
                concat(0x02, nodes[unsafe_mul(i, 2)], nodes[unsafe_add(unsafe_mul(i, 2), 1)])
            )
    return nodes[0]
