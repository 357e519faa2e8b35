// SPDX-License-Identifier: Apache-2.0
// Who holds which seats, and what workers committed: the relay's chunks, held against the board.

import { concat, fromHex, toBigInt, toHex, uint, word } from "./bytes.js";
import { Refusal } from "./errors.js";
import { keccak } from "./hash.js";
import { NO_ACCOUNT } from "./terms.js";

/** Rows, or gold items, that are hashed together. */
export const CHUNK = 32;
const ROSTER_ROW = 41;
const COMMIT_ROW = 35;
const MAX_WORKERS = 2048;

/** @typedef {{signer: string, payee: string, seats: number, start: number}} Row */

/** @typedef {{heads: Uint8Array[], chunks: Uint8Array[]}} CommitsCall */
/** @typedef {CommitsCall & {first: number}} RosterCall first: its first worker. */
/** @typedef {{rows: Row[], position: number, hashes: string[], calls: RosterCall[]}} Roster hashes: what the board must hold. */
/**
 * @typedef {object} Commits
 * @property {Map<number, {seats: number, commitment: string}>} standing By worker.
 * @property {Map<number, {call: number, row: number}>} places Where that is.
 * @property {string[]} hashes What the board must hold.
 * @property {CommitsCall[]} calls
 */

/** @param {Uint8Array[]} heads @returns {Uint8Array} */
export function headsHash(heads) {
  return keccak(concat(word(32), word(heads.length), ...heads));
}

/** @param {Uint8Array[]} heads @returns {string} What the board keeps of a call. */
export function hashOfHeads(heads) {
  return toHex(headsHash(heads));
}

/**
 * Split what calls brought into rows.
 * @param {string[][]} calls Chunks as hex, by call. @param {number} size Bytes of a row.
 * @returns {{chunks: Uint8Array[], rows: Uint8Array[]}[]}
 */
function readCalls(calls, size) {
  return calls.map((texts) => {
    if (!Array.isArray(texts)) throw new Refusal("the relay shows no rows; they are not those on chain");
    const chunks = texts.map((text) => fromHex(text));
    const rows = [];
    chunks.forEach((chunk, i) => {
      const isLast = i === chunks.length - 1;
      const isWhole = chunk.length % size === 0 && chunk.length <= CHUNK * size;
      if (!isWhole || (!isLast && chunk.length !== CHUNK * size)) {
        throw new Refusal("the relay shows rows that are cut off; they are not those on chain");
      }
      for (let at = 0; at < chunk.length; at += size) rows.push(chunk.subarray(at, at + size));
    });
    return { chunks, rows };
  });
}

/**
 * Read a roster.
 * @param {string[][]} calls As the relay shows it.
 * @returns {Roster}
 */
export function readRoster(calls) {
  const rows = [];
  let position = 0;
  const read = readCalls(calls, ROSTER_ROW).map(({ chunks, rows: found }) => {
    const first = rows.length;
    for (const row of found) {
      const [signer, payee] = [row.subarray(0, 20), row.subarray(20, 40)].map(toHex);
      rows.push({ signer, payee, seats: row[40], start: position });
      position += row[40];
    }
    if (rows.length > MAX_WORKERS) throw new Refusal("the relay shows more rows than a roster has");
    const heads = chunks.map((chunk, i) => {
      const worker = first + CHUNK * i;
      return keccak(concat(uint(worker, 2), uint(rows[worker]?.start ?? position, 4), chunk));
    });
    return { first, heads, chunks };
  });
  return { rows, position, hashes: read.map(({ heads }) => hashOfHeads(heads)), calls: read };
}

/**
 * Read commits.
 * @param {string[][]} calls As the relay shows them.
 * @returns {Commits}
 */
export function readCommits(calls) {
  const standing = new Map();
  const places = new Map();
  const read = readCalls(calls, COMMIT_ROW).map(({ chunks, rows: found }, call) => {
    found.forEach((data, row) => {
      const worker = Number(toBigInt(data.subarray(0, 2)));
      if (standing.has(worker)) return;
      standing.set(worker, { seats: data[2], commitment: toHex(data.subarray(3)) });
      places.set(worker, { call, row });
    });
    return { heads: chunks.map((chunk) => keccak(chunk)), chunks };
  });
  return { standing, places, hashes: read.map(({ heads }) => hashOfHeads(heads)), calls: read };
}

/**
 * Check what the intake checks of a roster, and what labelers must not put up with.
 * @param {Row[]} rows @param {Record<string, any>} terms @param {number} position
 */
export function requireSoundRoster(rows, terms, position) {
  if (position > terms.seats) throw new Refusal("the roster gives out more seats than there are");
  const seen = new Set();
  rows.forEach((row, worker) => {
    const round = (seat) => Math.floor(seat / terms.perRound);
    if (round(row.start) !== round(Math.max(row.start, row.start + row.seats - 1))) {
      throw new Refusal(`row ${worker} of the roster crosses a round; do not label`);
    }
    if (row.signer === NO_ACCOUNT) return;
    if (row.seats < terms.min_run || row.seats > terms.max_run) {
      throw new Refusal(`row ${worker} of the roster has ${row.seats} seats, which the terms do not allow`);
    }
    if (row.payee === NO_ACCOUNT) throw new Refusal(`row ${worker} of the roster would pay nobody`);
    if (seen.has(row.signer)) {
      throw new Refusal(`${row.signer} stands on the roster more than once; do not label for this requester`);
    }
    seen.add(row.signer);
  });
}
