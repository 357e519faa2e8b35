// SPDX-License-Identifier: Apache-2.0
// The order in which a round goes through its items, and which of them seats hold.

import { toBigInt } from "./bytes.js";
import { Refusal } from "./errors.js";
import { hashWords } from "./hash.js";

const MASK = (1n << 64n) - 1n;
const MIX_1 = 11400714819323198485n;
const MIX_2 = 15485907640880692627n;

/** Stands where the short last seat of a round has no item. */
export const NO_ITEM = -1;

/** @param {bigint} value @param {bigint} subkey */
function mix(value, subkey) {
  const mixed = ((value + subkey) * MIX_1) & MASK;
  return (((mixed ^ (mixed >> 32n)) * MIX_2) & MASK) >> 32n;
}

/** @param {bigint} value @param {bigint} size */
function modulo(value, size) {
  const rest = value % size;
  return rest < 0n ? rest + size : rest;
}

/** @param {Uint8Array} seed @param {number} round @returns {bigint} */
export function roundKey(seed, round) {
  return toBigInt(hashWords(seed, round));
}

/** @param {bigint} key @param {number} count */
function network(key, count) {
  const a = BigInt(Math.ceil(Math.sqrt(count)));
  const b = (BigInt(count) + a - 1n) / a;
  const subkeys = [0n, 32n, 64n, 96n].map((shift) => (key >> shift) & 0xffffffffn);
  return { a, b, subkeys };
}

/** @param {bigint} key @param {number} count @param {number} item @returns {number} Its place. */
export function placeOf(key, count, item) {
  const { a, b, subkeys } = network(key, count);
  let x = BigInt(item);
  do {
    let l = x % a;
    let r = x / a;
    for (const at of [0, 2]) {
      l = (l + mix(r, subkeys[at])) % a;
      r = (r + mix(l, subkeys[at + 1])) % b;
    }
    x = l + a * r;
  } while (x >= BigInt(count));
  return Number(x);
}

/** @param {bigint} key @param {number} count @param {number} place @returns {number} Its item. */
export function itemAt(key, count, place) {
  const { a, b, subkeys } = network(key, count);
  let x = BigInt(place);
  do {
    let l = x % a;
    let r = x / a;
    for (const at of [2, 0]) {
      r = modulo(r - mix(l, subkeys[at + 1]), b);
      l = modulo(l - mix(r, subkeys[at]), a);
    }
    x = l + a * r;
  } while (x >= BigInt(count));
  return Number(x);
}

/**
 * Return the items of consecutive seats of one round, in the order in which they stand.
 * @param {Uint8Array} seed
 * @param {{items: number, batch: number, rounds: number}} terms
 * @param {number} start @param {number} seats
 * @returns {number[]} NO_ITEM behind the last of a short seat.
 */
export function itemsOf(seed, terms, start, seats) {
  const perRound = Math.ceil(terms.items / terms.batch);
  const round = Math.floor(start / perRound);
  const first = start % perRound;
  if (start < 0 || round >= terms.rounds || first + seats > perRound) {
    throw new Refusal(`${seats} seats from seat ${start} do not lie in one round`);
  }
  const key = roundKey(seed, round);
  const found = [];
  for (let place = first * terms.batch; place < (first + seats) * terms.batch; place++) {
    found.push(place < terms.items ? itemAt(key, terms.items, place) : NO_ITEM);
  }
  return found;
}
