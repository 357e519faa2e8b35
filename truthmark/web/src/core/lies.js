// SPDX-License-Identifier: Apache-2.0
// Lies in a posted score, each with the call that disproves it (truthmark/bounty/lies.py).

import { bytesOf, callOf, listOf, tuple, words } from "./abi.js";
import { fromHex, toBigInt } from "./bytes.js";
import { CHUNK } from "./roster.js";
import { chunkOf, isFine, NOT_DELIVERED, seatsOfGold } from "./score.js";
import { ABSENT, millionths, NOBODY, SKIP } from "./scoring.js";
import { sealOf } from "./sealing.js";
import { TERMS_TYPE, termsWords } from "./terms.js";

/**
 * @typedef {object} Record All that the chain says of a bounty that has a score.
 * @property {import("./types.js").BountyRef} ref
 * @property {Record<string, any>} terms
 * @property {string} seed
 * @property {import("./roster.js").Roster} roster
 * @property {import("./roster.js").Commits} commits
 * @property {Map<number, {seats: number, commitment: string}>} overrides By worker.
 * @property {Set<number>} posted Workers whose sealed labels are on chain.
 * @property {import("./score.js").Score} score
 */

/**
 * @typedef {object} Knowledge What a labeler has beside the chain.
 * @property {number} worker
 * @property {import("./sealing.js").OpenedRun} opened Labels that open to what they committed.
 * @property {string} [acknowledgement] The receiver's signature for them.
 */

/**
 * @typedef {object} Lie
 * @property {"answer" | "line" | "delivered" | "readable"} kind Which proof.
 * @property {number} worker Whom it is about; NOBODY where nobody holds the seat.
 * @property {number} [gold] @property {number} [round] Of an answer.
 * @property {number} [claimed] @property {number} [truth] Of an answer or a line; no truth where only
 *   the claim is known to be false.
 * @property {"nothing" | "answer" | "all"} opens Of the labels that only their labeler knows: what
 *   everybody can read by the proof.
 * @property {() => Uint8Array} call What proves it, to the proofs' contract.
 */

const ROSTER = "(uint256,bytes32[],uint256,uint256,uint256,bytes)";
const COMMITS = "(uint256,bytes32[],uint256,uint256,bytes)";
const JUDGED = "(bytes32[],uint256,bytes,bytes,bytes32,bytes)";
const OPENING = "(uint256,bytes32,bytes32[],bytes32,bytes32)";
const VERDICT = "(bool,uint256,uint256[8],uint256[])";
const POINT = "(uint256,uint256)";
const MARKED = "uint256,bytes32,bytes";
const CALLS = {
  answer: `prove_answer(uint256,${TERMS_TYPE},uint256,uint256,uint256,${JUDGED},${ROSTER},${COMMITS},${OPENING})`,
  line: `prove_line(uint256,${TERMS_TYPE},uint256,bytes[],bytes[],${VERDICT},bytes,${ROSTER})`,
  delivered: `prove_delivered(uint256,${TERMS_TYPE},${MARKED},${COMMITS},bytes)`,
  readable: `prove_readable(uint256,${TERMS_TYPE},${MARKED},${COMMITS},uint256,${POINT},${POINT},bytes)`,
};
const ZERO = new Uint8Array(32);

/**
 * Find every lie of a score that can be proven with what is known, the cheapest first.
 * @param {Record} record @param {Knowledge} [known] Nothing, for a stranger.
 * @returns {Lie[]}
 */
export function findLies(record, known) {
  const { score, terms } = record;
  const found = marks(record, known);
  if (terms.isTeam) return found;
  const seats = seatsOfGold(record.seed, terms, record.roster, score.items);
  found.push(...entries(record, seats, known));
  if (!score.isHalf) found.push(...lines(record, seats));
  return found;
}

/** @param {Record} record @param {number} worker @returns {number} Seats that they committed. */
export function committedBy({ overrides, commits }, worker) {
  return (overrides.get(worker) ?? commits.standing.get(worker))?.seats ?? 0;
}

/** @param {Record} record @param {Knowledge} [known] @returns {Lie[]} */
function marks(record, known) {
  const { score } = record;
  const found = [];
  score.lines.forEach((mark, worker) => {
    if (isFine(mark) || !committedBy(record, worker)) return;
    const own = known?.worker === worker ? known : undefined;
    const isPosted = record.posted.has(worker);
    if (mark === NOT_DELIVERED) {
      const signature = own?.acknowledgement ?? "0x";
      if (!isPosted && signature === "0x") return;
      const commits = () => (isPosted ? NO_COMMITS : commitsOf(record, worker));
      const more = () => [commits(), bytesOf(fromHex(signature))];
      found.push({ kind: "delivered", worker, opens: "nothing", call: () => marked(record, "delivered", worker, more()) });
    } else if (own) {
      const { run, secret, shared } = own.opened;
      const points = [words(run.point.x, run.point.y), words(shared.x, shared.y)];
      const more = () => [commitsOf(record, worker), words(secret), ...points, bytesOf(run.sealed)];
      found.push({ kind: "readable", worker, opens: "all", call: () => marked(record, "readable", worker, more()) });
    }
  });
  return found;
}

function marked(record, kind, worker, more) {
  const { judged, packedLines } = record.score;
  return about(record, kind, [words(worker), words(judged), bytesOf(packedLines), ...more]);
}

/**
 * Whether an answer must stand for a seat, and not "absent".
 * @param {Record} record @param {{holder: number, offset: number}} seat
 */
export function isPresent(record, { holder, offset }) {
  return holder !== NOBODY && isFine(record.score.lines[holder]) && offset < committedBy(record, holder);
}

/**
 * What the score must say of a gold item in a round, as far as it is known.
 * @param {Record} record @param {{holder: number, offset: number, index: number}} seat
 * @param {number} claimed @param {Knowledge} [known]
 */
function truthOf(record, seat, claimed, known) {
  const { classes } = record.terms;
  if (!isPresent(record, seat)) return ABSENT;
  if (known && seat.holder === known.worker) {
    const code = Number(known.opened.code(seat.offset, seat.index));
    return code < classes ? code : SKIP;
  }
  return isAnswer(claimed, classes) ? claimed : undefined;
}

function isAnswer(entry, classes) {
  return entry < classes || entry === SKIP;
}

/** @param {Record} record @param {any[][]} seats @param {Knowledge} [known] @returns {Lie[]} */
function entries(record, seats, known) {
  const { score, terms, roster } = record;
  const found = [];
  seats.forEach((row, gold) =>
    row.forEach((seat, round) => {
      const claimed = score.entries[gold][round];
      const truth = truthOf(record, seat, claimed, known);
      if (truth === claimed) return;
      const worker = seat.holder;
      const isShown = isPresent(record, seat) && isAnswer(claimed, terms.classes);
      // Of a gap, its own row shows that nobody holds it; beyond the roster, none is read.
      const shown = worker === NOBODY ? Math.min(seat.row, roster.rows.length - 1) : worker;
      const call = () =>
        about(record, "answer", [
          words(gold, round, shown),
          judgedChunk(score, gold),
          rosterOf(roster, shown),
          isShown ? commitsOf(record, worker) : NO_COMMITS,
          isShown ? openingOf(known.opened, seat) : NO_OPENING,
        ]);
      found.push({ kind: "answer", worker, opens: isShown ? "answer" : "nothing", gold, round, claimed, truth, call });
    }),
  );
  return found;
}

/** @param {Record} record @param {any[][]} seats @returns {Lie[]} */
function lines(record, seats) {
  const { score, roster } = record;
  const earned = earnedBy(record, seats);
  const found = [];
  score.lines.forEach((claimed, worker) => {
    if (!isFine(claimed) || !committedBy(record, worker) || claimed === earned[worker]) return;
    const kept = words(...score.verdictWords);
    const weights = listOf(score.verdictWeights.map((weight) => words(weight)));
    const call = () =>
      about(record, "line", [
        words(worker),
        listOf(score.goldChunks.map(bytesOf)),
        listOf(score.entryChunks.map(bytesOf)),
        tuple([kept, weights]),
        bytesOf(score.packedLines),
        rosterOf(roster, worker),
      ]);
    found.push({ kind: "line", worker, opens: "nothing", claimed, truth: earned[worker], call });
  });
  return found;
}

/** @param {Record} record @param {any[][]} seats @returns {number[]} Millionths, by worker. */
export function earnedBy({ score, roster, terms }, seats) {
  const holders = seats.map((row) => row.map(({ holder }) => holder));
  return millionths(score.verdict, score.entries, score.answers, holders, roster.rows.length, terms.full);
}

// ------------------------------------------------------------------ evidence

/** @param {Record} record @param {keyof typeof CALLS} kind @param {import("./abi.js").Encoded[]} evidence */
function about({ ref, terms }, kind, evidence) {
  const known = [words(ref.bountyId), { isDynamic: false, data: termsWords(terms) }];
  return callOf(CALLS[kind], [...known, ...evidence]);
}

function hashes(list) {
  return listOf(list.map((hash) => words(hash)));
}

function judgedChunk(score, gold) {
  const chunk = chunkOf(gold);
  const shown = [score.goldChunks[chunk], score.entryChunks[chunk]].map(bytesOf);
  return tuple([hashes(score.heads), words(chunk), ...shown, words(score.verdictHash), bytesOf(score.packedLines)]);
}

/** @param {import("./roster.js").Roster} roster @param {number} worker */
function rosterOf({ rows, calls }, worker) {
  const call = calls.findLastIndex(({ first }) => first <= worker);
  const { first, heads, chunks } = calls[call];
  const chunk = Math.floor((worker - first) / CHUNK);
  const start = first + CHUNK * chunk;
  return tuple([words(call), hashes(heads), words(chunk, start, rows[start].start), bytesOf(chunks[chunk])]);
}

const NO_COMMITS = commitsStruct(0, [], 0, 0, new Uint8Array());

function commitsStruct(call, heads, chunk, row, rows) {
  return tuple([words(call), hashes(heads), words(chunk, row), bytesOf(rows)]);
}

/** The chunk that shows a worker's commit; empty where they overrode. @param {Record} record */
function commitsOf({ commits, overrides }, worker) {
  if (overrides.has(worker)) return NO_COMMITS;
  const { call, row } = commits.places.get(worker);
  const chunk = Math.floor(row / CHUNK);
  const { heads, chunks } = commits.calls[call];
  return commitsStruct(call, heads, chunk, row % CHUNK, chunks[chunk]);
}

const NO_OPENING = tuple([words(0, ZERO), hashes([]), words(ZERO, ZERO)]);

/** @param {import("./sealing.js").OpenedRun} opened @param {{offset: number, index: number}} seat */
function openingOf({ run, opening }, { offset, index }) {
  const { label, salt, path } = opening(offset, index);
  const code = label instanceof Uint8Array ? toBigInt(label) : label;
  return tuple([words(code, salt), hashes(path), words(run.root, sealOf(run))]);
}
