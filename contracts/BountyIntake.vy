# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
# pragma nonreentrancy on
"""
@title Bounty Intake
@custom:contract-name BountyIntake
@license AGPL-3.0-only
@author The Truthmark authors
@notice Reads what comes in about bounties (terms, rosters, scores, payouts), and tells the board what
        follows from it.
@custom:security No storage, no money, no owner. Who may call and when, the board decides: it is told who called.
@custom:kill Nothing to stop; the board's `pause` stops new bounties.
"""

from .interfaces import IBountyBoard
from .interfaces import IBountyIntake
from .interfaces import ICurve
from .interfaces import IGate

implements: IBountyIntake

from .modules import bounties as b
from .modules import permutation
from .modules import scoring
from .modules import secp256k1

# ---------------------------------------------------------------- constants

MAX_GOLD: constant(uint256) = 2_048
MAX_SEATS: constant(uint256) = 2**19
MAX_MONEY: constant(uint256) = 2**128
MAX_WINDOW: constant(uint256) = 2**23
# Labels of a run where a label is 32 bytes, so that one transaction can show all of them.
MAX_CODES: constant(uint256) = 256
MASK_32: constant(uint256) = 2**32 - 1

# What a gate may use of the relay's gas.
GATE_GAS: constant(uint256) = 100_000

# --------------------------------------------------------------- immutables

BOARD: public(immutable(IBountyBoard))

# -------------------------------------------------------------- constructor


@deploy
def __init__(board_: IBountyBoard):
    """
    @notice Fix the board for good.
    @param board_ The board, which must name this contract as its intake.
    """
    assert board_.address != empty(address), "intake: board is zero"
    BOARD = board_


# --------------------------------------------------------------- requesting


@external
@view
def check_terms(terms: IBountyBoard.Terms) -> uint256:
    """
    @notice Revert unless a bounty may have these terms.
    @dev The board asks when a bounty is created; everybody else may ask before.
    @param terms The terms.
    @return Its seats in all.
    """
    assert 0 < terms.token and terms.token <= b.MASK_160, "intake: bad token"
    assert 0 < terms.relay and terms.relay <= b.MASK_160, "intake: bad relay"
    assert terms.receiver <= b.MASK_160, "intake: bad receiver"
    assert terms.gate <= b.MASK_160, "intake: bad gate"
    assert secp256k1._is_valid(ICurve.Point(x=terms.key_x, y=terms.key_y)), "intake: bad key"
    assert 0 < terms.items and terms.items <= permutation.MAX_ITEMS, "intake: bad items"
    assert 0 < terms.rounds and terms.rounds <= scoring.MAX_ROUNDS, "intake: bad rounds"
    assert 0 < terms.batch and terms.batch <= b.MAX_BATCH, "intake: bad batch"
    per_round: uint256 = b._per_round(terms.items, terms.batch)
    seats: uint256 = terms.rounds * per_round
    assert seats < MAX_SEATS, "intake: too many seats"
    assert (
        0 < terms.min_run
        and terms.min_run <= terms.max_run
        and terms.max_run <= min(b.MAX_RUN, per_round)
    ), "intake: bad run"
    # Runs lie in one round each.
    assert (
        0 < terms.min_seats
        and terms.min_seats <= terms.rounds * (per_round - per_round % terms.min_run)
    ), "intake: bad least seats"
    # So that no product passes 2^256: seats * batch is below 2^25.
    assert (
        terms.price
        | terms.bond
        | terms.reward
        | terms.relay_fee
        | terms.tip
        | terms.post_call_fee
        | terms.post_worker_fee
        | terms.post_seat_fee
    ) < MAX_MONEY, "intake: too much money"
    self._check_window(terms.join_seconds)
    self._check_window(terms.label_seconds)
    self._check_window(terms.grace_seconds)
    self._check_window(terms.release_seconds)
    self._check_window(terms.score_seconds)
    self._check_window(terms.challenge_seconds)
    if terms.gold_count == 0:
        self._check_team(terms)
    else:
        self._check_gold(terms, per_round, seats)
    return seats


@external
def score(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    salt: bytes32,
    gold: Bytes[8192],
    entries: DynArray[Bytes[288], 64],
    lines: Bytes[6144],
):
    """
    @notice Show the gold, what each worker said about it, and what that is worth.
    @dev Only the requester, in time. Malformed gold reverts: silence is FLAT. What follows from gold and
         entries (what is excluded, which classes score, HALF) is computed here.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param salt Of the gold commitment.
    @param gold Item (u24) and class (u8) each.
    @param entries A byte for each round of each gold item, 32 items a chunk.
    @param lines A u24 a row of the roster: millionths, or a mark.
    """
    # In one piece: what is handed to another function is copied, and memory for all bounds of gold and
    # entries would cost more than the arithmetic.
    assert len(lines) % 3 == 0, "intake: bad lines"
    gold_count: uint256 = terms.gold_count
    assert len(gold) == 4 * gold_count, "intake: other gold"
    assert len(entries) == (gold_count + 31) // 32, "intake: bad entries"
    assert (
        gold_count == 0 or keccak256(concat(salt, gold)) == terms.gold_commitment
    ), "intake: other gold"
    rounds: uint256 = terms.rounds
    ones: uint256 = scoring._ones(rounds)
    mask: uint256 = ones * 255
    tallies: DynArray[uint256, 254] = []
    for _: uint256 in range(terms.classes, bound=254):
        tallies.append(0)
    kept: uint256[8] = empty(uint256[8])
    # The hash of each chunk, so that one entry can be shown with few bytes.
    heads: DynArray[bytes32, 64] = []
    counted: uint256 = 0
    excluded: uint256 = 0
    # The least item that may come next.
    next: uint256 = 0
    g: uint256 = 0
    for rows: Bytes[288] in entries:
        count: uint256 = min(32, gold_count - g)
        assert len(rows) == count * rounds, "intake: bad entries"
        log IBountyIntake.ScoreEntries(bounty_id=bounty_id, entries=rows)
        padded: Bytes[320] = concat(b.ZEROS, rows)
        # The word that ends with the entries of an item; at most 288.
        at: uint256 = rounds
        # The chunk's gold, eight items a word, filled up with zeros. Terms have at least ten gold items, so that
        # the last eight can be read where a chunk ends.
        words: uint256[4] = empty(uint256[4])
        bits: uint256 = 0
        for w: uint256 in range(4):
            first: uint256 = g + 8 * w
            if first + 8 <= gold_count:
                words[w] = convert(extract32(gold, 4 * first), uint256)
            elif first < gold_count:
                words[w] = convert(extract32(gold, 4 * gold_count - 32), uint256) << (
                    32 * (first + 8 - gold_count)
                )
        for _: uint256 in range(count, bound=32):
            pair: uint256 = (
                words[(g >> 3) & 3] >> unsafe_sub(224, unsafe_mul(32, g & 7))
            ) & MASK_32
            row: uint256 = convert(extract32(padded, at), uint256) & mask
            at = unsafe_add(at, rounds)
            item: uint256 = pair >> 8
            right: uint256 = pair & b.MASK_8
            assert (
                item >= next and item < terms.items and right < terms.classes
            ), "intake: malformed gold"
            next = unsafe_add(item, 1)
            tally: uint256 = unsafe_add(tallies[right], scoring.COMMITTED)
            found: uint256 = scoring._judge(row, right, terms.classes, rounds, ones)
            if found != scoring.TOO_FEW:
                counted = unsafe_add(counted, 1)
                if found == scoring.KEPT:
                    bits |= 1 << (g & 31)
                    tally = unsafe_add(tally, 1)
                else:
                    excluded = unsafe_add(excluded, 1)
            tallies[right] = tally
            g = unsafe_add(g, 1)
        # Eight chunks of 32 bits a word; g is where the next chunk begins, or below.
        kept[unsafe_sub(g, 1) >> 8] |= bits << (unsafe_sub(g, 1) & 224)
        heads.append(
            keccak256(
                concat(
                    convert(words[0], bytes32),
                    convert(words[1], bytes32),
                    convert(words[2], bytes32),
                    convert(words[3], bytes32),
                    rows,
                )
            )
        )
    log IBountyIntake.ScoreGold(bounty_id=bounty_id, salt=salt, gold=gold, lines=lines)
    verdict: IBountyIntake.Verdict = empty(IBountyIntake.Verdict)
    if gold_count != 0:
        assert scoring._is_balanced(tallies, gold_count), "intake: malformed gold"
        verdict = scoring._weigh(tallies, counted, excluded)
        verdict.kept = kept
    judged: bytes32 = keccak256(
        concat(keccak256(abi_encode(verdict)), keccak256(abi_encode(heads)))
    )
    extcall BOARD.set_score(
        bounty_id,
        terms,
        keccak256(concat(judged, keccak256(lines))),
        len(lines) // 3,
        verdict.is_half,
        msg.sender,
    )


# -------------------------------------------------------------------- relay


@external
def enroll(
    bounty_id: uint256,
    terms: IBountyBoard.Terms,
    chunks: DynArray[Bytes[1312], 32],
    closes: bool,
):
    """
    @notice Add rows to the roster.
    @dev Only the relay, while the bounty is open; it may end joining with its last call, from the least
         number of seats on. The gate, where the terms name one, must admit every signer.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param chunks Signer, payee and seats (u8) each, 32 rows a chunk at most; no signer: a gap.
    @param closes Whether joining ends with these.
    """
    first: uint256 = 0
    position: uint256 = 0
    first, position = staticcall BOARD.next_row(bounty_id)
    # The board checks the terms; with others nothing here comes to effect.
    per_round: uint256 = b._per_round(terms.items, terms.batch)
    worker: uint256 = first
    seats: uint256 = 0
    heads: DynArray[bytes32, 32] = []
    runs: DynArray[uint256, 33] = []
    word: uint256 = 0
    low: uint256 = (worker & 31) << 3
    # What is left of the round.
    left: uint256 = per_round - position % per_round
    for rows: Bytes[1312] in chunks:
        count: uint256 = unsafe_div(len(rows), b.ROSTER_ROW)
        assert count != 0 and len(rows) == b.ROSTER_ROW * count, "intake: bad rows"
        heads.append(b._roster_head(worker, position, rows))
        padded: Bytes[1344] = concat(b.ZEROS, rows)
        # The word that ends with a row; at most 41 * 32.
        at: uint256 = b.ROSTER_ROW
        for _: uint256 in range(count, bound=32):
            row: uint256 = convert(extract32(padded, at), uint256)
            run: uint256 = row & b.MASK_8
            # The word that ends with the signer.
            signer: uint256 = convert(extract32(padded, unsafe_sub(at, 21)), uint256) & b.MASK_160
            at = unsafe_add(at, b.ROSTER_ROW)
            assert run <= left, "intake: run over two rounds"
            if signer != 0:
                assert (row >> 8) & b.MASK_160 != 0, "intake: payee is zero"
                assert terms.min_run <= run and run <= terms.max_run, "intake: bad run"
                if terms.gate != 0:
                    assert staticcall IGate(convert(terms.gate, address)).admits(
                        bounty_id, convert(signer, address), gas=GATE_GAS
                    ), "intake: not admitted"
                # At most 1,024 rows of at most 255 seats: no sum wraps.
                seats = unsafe_add(seats, run)
                word |= run << low
            position = unsafe_add(position, run)
            left = unsafe_sub(left, run)
            if left == 0:
                left = per_round
            low = unsafe_add(low, 8)
            if low == 256:
                runs.append(word)
                word = 0
                low = 0
        worker = unsafe_add(worker, count)
    if low != 0:
        runs.append(word)
    assert position <= terms.rounds * per_round, "intake: too many seats"
    extcall BOARD.set_roster(
        bounty_id,
        terms,
        keccak256(abi_encode(heads)),
        runs,
        worker - first,
        seats,
        position,
        closes,
        msg.sender,
    )


# ------------------------------------------------------------------- anyone


@external
def payout(bounty_id: uint256, terms: IBountyBoard.Terms, evidence: IBountyIntake.PayEvidence):
    """
    @notice Credit the workers of some chunks of the roster.
    @dev Anyone, once the bounty's last deadline is over; the caller gets the tips. Passes over who is paid.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param evidence The chunks, and the lines where the score stands.
    """
    context: IBountyBoard.Context = staticcall BOARD.context(bounty_id, 0, evidence.call, 0)
    assert keccak256(abi_encode(evidence.heads)) == context.roster, "intake: other roster"
    has_lines: bool = len(evidence.lines) != 0
    if has_lines:
        assert (
            keccak256(concat(evidence.judged, keccak256(evidence.lines))) == context.score
        ), "intake: other lines"
    # The board checks the terms; with others nothing here comes to effect.
    per_round: uint256 = b._per_round(terms.items, terms.batch)
    # What the last seat of a round lacks.
    short: uint256 = per_round * terms.batch - terms.items
    rows: DynArray[uint256, 512] = []
    worker: uint256 = evidence.first_worker
    seat: uint256 = evidence.first_seat
    for i: uint256 in range(len(evidence.rows), bound=16):
        assert (
            b._roster_head(worker, seat, evidence.rows[i]) == evidence.heads[evidence.chunk + i]
        ), "intake: other roster"
        padded: Bytes[1344] = concat(b.ZEROS, evidence.rows[i])
        count: uint256 = unsafe_div(len(evidence.rows[i]), b.ROSTER_ROW)
        # The lines of this chunk, at the end of a word each. The board saw to it that there is one
        # for each row.
        lines: Bytes[6176] = b""
        if has_lines:
            lines = concat(b.ZEROS, slice(evidence.lines, 3 * worker, 3 * count))
        line_at: uint256 = 3
        # The word that ends with a row.
        at: uint256 = b.ROSTER_ROW
        for _: uint256 in range(count, bound=32):
            row: uint256 = convert(extract32(padded, at), uint256)
            at = unsafe_add(at, b.ROSTER_ROW)
            run: uint256 = row & b.MASK_8
            line: uint256 = 0
            if has_lines:
                line = convert(extract32(lines, line_at), uint256) & b.MASK_24
                line_at = unsafe_add(line_at, 3)
            seat = unsafe_add(seat, run)
            missing: uint256 = 0
            if short != 0 and seat % per_round == 0:
                missing = short
            # As the board reads it: 160, 8, 8, 16 and 24 bits.
            rows.append(
                (((row >> 8) & b.MASK_160) << 56)
                | (missing << 48)
                | (run << 40)
                | (worker << 24)
                | line
            )
            worker = unsafe_add(worker, 1)
    extcall BOARD.pay(bounty_id, terms, rows, has_lines, msg.sender)


# -------------------------------------------------------------------- views


@external
@view
def pays(
    bounty_id: uint256, terms: IBountyBoard.Terms, evidence: IBountyIntake.ChunkEvidence
) -> (uint256, DynArray[IBountyIntake.Pay, 32]):
    """
    @notice Read what workers of a chunk of the roster earn by how the bounty ended: what `payout`
            credits, without shares of the bond. It never changes again.
    @dev Once the bounty has ended and some workers are to be paid; whether they are already is the same.
    @param bounty_id The bounty.
    @param terms Its terms.
    @param evidence The chunk, and the lines where the score stands.
    @return The full price of all seats of the roster; who committed, and the pay of each.
    """
    state: IBountyBoard.State = staticcall BOARD.state(bounty_id)
    assert state.status >= b.REFUNDED, "intake: not ended"
    assert state.status != b.REFUNDED, "intake: refunded"
    context: IBountyBoard.Context = staticcall BOARD.context(bounty_id, 0, evidence.call, 0)
    assert keccak256(abi_encode(terms)) == context.terms_hash, "intake: other terms"
    assert keccak256(abi_encode(evidence.heads)) == context.roster, "intake: other roster"
    assert (
        b._roster_head(evidence.first_worker, evidence.first_seat, evidence.rows)
        == evidence.heads[evidence.chunk]
    ), "intake: other roster"
    count: uint256 = unsafe_div(len(evidence.rows), b.ROSTER_ROW)
    # What lines do not decide: in FLAT, in HALF, and in a team, whose lines say nothing but marks.
    fixed: uint256 = 0
    lines: Bytes[6176] = b""
    if state.status >= b.FLAT:
        fixed = scoring.ONE
    else:
        if state.status == b.HALF:
            fixed = scoring.HALF
        elif terms.gold_count == 0:
            fixed = scoring.ONE
        assert (
            keccak256(concat(evidence.judged, keccak256(evidence.lines))) == context.score
        ), "intake: other lines"
        lines = concat(b.ZEROS, slice(evidence.lines, 3 * evidence.first_worker, 3 * count))
    per_round: uint256 = b._per_round(terms.items, terms.batch)
    seat_price: uint256 = terms.price * terms.batch
    # What the last seat of a round lacks.
    missing: uint256 = (per_round * terms.batch - terms.items) * terms.price
    pays: DynArray[IBountyIntake.Pay, 32] = []
    padded: Bytes[1344] = concat(b.ZEROS, evidence.rows)
    # The word that ends with a row, and the one that ends with its line.
    at: uint256 = 0
    line_at: uint256 = 0
    worker: uint256 = evidence.first_worker
    seat: uint256 = evidence.first_seat
    index: uint256 = b.NO_WORD
    word: uint256 = 0
    for _: uint256 in range(count, bound=32):
        at += b.ROSTER_ROW
        line_at += 3
        row: uint256 = convert(extract32(padded, at), uint256)
        signer: uint256 = convert(extract32(padded, at - 21), uint256) & b.MASK_160
        run: uint256 = row & b.MASK_8
        seat += run
        if worker >> 5 != index:
            index = worker >> 5
            word = staticcall BOARD.worker_words(bounty_id, index)
        held: uint256 = (word >> ((worker & 31) << 3)) & b.MASK_8
        if held & b.COMMITTED != 0:
            held &= b.MASK_SEATS
            price: uint256 = held * seat_price
            if held == run and seat % per_round == 0:
                price -= missing
            millionths: uint256 = fixed
            if state.status < b.FLAT:
                line: uint256 = convert(extract32(lines, line_at), uint256) & b.MASK_24
                if b._is_mark(line):
                    millionths = 0
                elif fixed == 0:
                    # As in a payout, a line above the full price pays the full price.
                    millionths = min(line, scoring.ONE)
            pays.append(
                IBountyIntake.Pay(
                    worker=worker,
                    signer=convert(signer, address),
                    payee=convert((row >> 8) & b.MASK_160, address),
                    millionths=millionths,
                    amount=price * millionths // scoring.ONE,
                )
            )
        worker += 1
    return state.seats * seat_price, pays


# ---------------------------------------------------------- internals: terms


@internal
@pure
def _check_window(seconds: uint256):
    assert 0 < seconds and seconds < MAX_WINDOW, "intake: bad window"


@internal
@pure
def _check_team(terms: IBountyBoard.Terms):
    assert terms.gold_commitment == empty(bytes32) and terms.full == 0, "intake: bad team"
    # Nothing is scored, so nothing is withheld and there is nothing to stand for.
    assert terms.bond == 0 and terms.reward == 0, "intake: bond of a team"
    if terms.classes == 0:
        assert terms.max_run * terms.batch <= MAX_CODES, "intake: too many codes"
    else:
        self._check_classes(terms.classes)


@internal
@pure
def _check_gold(terms: IBountyBoard.Terms, per_round: uint256, seats: uint256):
    assert terms.rounds >= 2, "intake: bad rounds"
    self._check_classes(terms.classes)
    assert (
        terms.gold_count <= min(MAX_GOLD, terms.items) and terms.gold_commitment != empty(bytes32)
    ), "intake: bad gold"
    assert terms.full == 2 or terms.full == 3, "intake: bad full"
    # With fewer seats most gold has too few answers, and all is HALF by nobody's fault.
    assert (
        10 * terms.min_seats >= 9 * min(3, terms.rounds) * per_round
    ), "intake: too few least seats"
    # So much gold is to be expected in the smallest run.
    least: uint256 = 10
    if terms.rounds == 2:
        least = 14
    elif terms.rounds == 3:
        least = 20
    assert (
        terms.min_run * terms.gold_count * terms.rounds >= least * seats
    ), "intake: too little gold"
    assert 10 * terms.bond >= seats * terms.batch * terms.price, "intake: bond too small"
    assert terms.reward <= terms.bond, "intake: reward over bond"


@internal
@pure
def _check_classes(classes: uint256):
    assert 2 <= classes and classes <= scoring.MAX_CLASSES, "intake: bad classes"
