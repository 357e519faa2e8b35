// SPDX-License-Identifier: Apache-2.0
// A score as it is posted: gold, what each worker said of it, what that is worth, and its hash.

import { concat, fromHex, toBigInt, toHex, word } from "./bytes.js";
import { Refusal } from "./errors.js";
import { keccak } from "./hash.js";
import { placeOf, roundKey } from "./permutation.js";
import { CHUNK, headsHash } from "./roster.js";
import { judge, NOBODY } from "./scoring.js";

export const NOT_DELIVERED = 2 ** 22;
export const UNREADABLE = 2 ** 23;
const GOLD_BYTES = 4;
const LINE_BYTES = 3;

/**
 * @typedef {object} Score
 * @property {number[]} items Of the gold. @property {number[]} answers
 * @property {Uint8Array[]} entries A row a gold item, a byte a round.
 * @property {number[]} lines Of each row of the roster: millionths, or a mark.
 * @property {import("./scoring.js").Verdict} verdict What follows from gold and entries.
 * @property {boolean} isHalf Never in team mode.
 * @property {Uint8Array[]} goldChunks @property {Uint8Array[]} entryChunks @property {Uint8Array[]} heads
 * @property {Uint8Array} packedLines
 * @property {Uint8Array[]} verdictWords The verdict as the contracts' struct: half, classes, kept.
 * @property {number[]} verdictWeights
 * @property {Uint8Array} verdictHash @property {Uint8Array} judged @property {string} hash
 */

/**
 * Read a score from what the contract logged.
 * @param {Record<string, any>} terms
 * @param {{gold: Uint8Array, entries: Uint8Array, lines: Uint8Array}} posted
 * @returns {Score} True or not; whether it is the board's, its hash tells.
 * @throws {Refusal} It has another length than its bounty's.
 */
export function readScore(terms, { gold, entries, lines }) {
  const { gold_count: count, rounds, classes } = terms;
  const isWhole =
    gold.length === GOLD_BYTES * count &&
    entries.length === count * rounds &&
    lines.length % LINE_BYTES === 0;
  if (!isWhole) throw new Refusal("the score has another length than its bounty's");
  const rows = (data, size) =>
    Array.from({ length: Math.ceil(data.length / size) }, (_, i) => data.subarray(size * i, size * i + size));
  const pairs = rows(gold, GOLD_BYTES);
  const items = pairs.map((pair) => Number(toBigInt(pair.subarray(0, 3))));
  const answers = pairs.map((pair) => pair[3]);
  if (answers.some((answer) => answer >= classes)) throw new Refusal("the score's gold has no such class");
  const table = rows(entries, rounds);
  const verdict = count
    ? judge(table, answers, classes)
    : { half: "", counted: [], excluded: [], kept: [], classes: 0, weights: [] };
  const goldChunks = rows(gold, CHUNK * GOLD_BYTES).map((chunk) =>
    concat(chunk, new Uint8Array(CHUNK * GOLD_BYTES - chunk.length)));
  const entryChunks = rows(entries, CHUNK * rounds);
  const heads = goldChunks.map((chunk, i) => keccak(concat(chunk, entryChunks[i])));
  const isHalf = verdict.half !== "";
  const verdictWords = [isHalf ? 1 : 0, verdict.classes, ...bitmap(verdict.kept)].map((each) => word(each));
  const verdictWeights = isHalf ? [] : verdict.weights;
  const tail = [32 * 11, verdictWeights.length, ...verdictWeights].map((each) => word(each));
  const verdictHash = keccak(concat(word(32), ...verdictWords, ...tail));
  const judged = keccak(concat(verdictHash, headsHash(heads)));
  return {
    ...{ items, answers, entries: table, verdict, isHalf },
    lines: rows(lines, LINE_BYTES).map((line) => Number(toBigInt(line))),
    ...{ goldChunks, entryChunks, heads, packedLines: lines, verdictWords, verdictWeights },
    ...{ verdictHash, judged, hash: toHex(keccak(concat(judged, keccak(lines)))) },
  };
}

/** @param {boolean[]} kept @returns {bigint[]} A bit for each gold item, 256 a word. */
function bitmap(kept) {
  const found = new Array(8).fill(0n);
  kept.forEach((is, g) => {
    if (is) found[g >> 8] |= 1n << BigInt(g & 255);
  });
  return found;
}

/** @param {number} g @returns {number} Which chunk shows a gold item. */
export function chunkOf(g) {
  return Math.floor(g / CHUNK);
}

/** @param {number} line @returns {boolean} Whether it is no mark. */
export function isFine(line) {
  return line !== NOT_DELIVERED && line !== UNREADABLE;
}

/**
 * Find out who judges which gold item in which round.
 * @param {string} seed @param {Record<string, any>} terms
 * @param {{rows: import("./roster.js").Row[], position: number}} roster @param {number[]} items
 * @returns {{seat: number, index: number, holder: number, offset: number, row: number}[][]} By gold
 *   item and round; row: the last that begins at or before the seat, whoever holds it.
 */
export function seatsOfGold(seed, terms, roster, items) {
  const { rows } = roster;
  const keys = Array.from({ length: terms.rounds }, (_, round) => roundKey(fromHex(seed, 32), round));
  return items.map((item) =>
    keys.map((key, round) => {
      const place = placeOf(key, terms.items, item);
      const seat = round * terms.perRound + Math.floor(place / terms.batch);
      const row = rowAt(rows, seat);
      const isHeld = row >= 0 && seat < roster.position && isWorker(rows[row]);
      const holder = isHeld ? row : NOBODY;
      const offset = isHeld ? seat - rows[row].start : 0;
      return { seat, index: place % terms.batch, holder, offset, row };
    }),
  );
}

/** @param {import("./roster.js").Row} row @returns {boolean} Whether it is no gap. */
export function isWorker(row) {
  return BigInt(row.signer) !== 0n && row.seats > 0;
}

function rowAt(rows, seat) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].start <= seat) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

