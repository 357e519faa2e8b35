// SPDX-License-Identifier: Apache-2.0
// Labels sealed for the requester and committed to (docs/bounties.md, "Sealing").

import { concat, uint, word } from "./bytes.js";
import { multiply } from "./curve.js";
import { Refusal } from "./errors.js";
import { hashWords, keccak } from "./hash.js";
import { treePath, treeRoot } from "./tree.js";

const LEAF = new Uint8Array([1]);

/** @typedef {{ref: import("./types.js").BountyRef, worker: number, batch: number, classes: number}} Scheme */
/** @typedef {{root: Uint8Array, point: {x: bigint, y: bigint}, sealed: Uint8Array}} SealedRun */
/** @typedef {number | Uint8Array} Code A class, or where a code is a hash its 32 bytes. */

/** @param {number} classes @returns {number} Bits of a sealed code. */
export function bitsOf(classes) {
  return classes ? 32 - Math.clz32(classes) : 256;
}

/** @param {Scheme} scheme @param {{x: bigint, y: bigint}} shared S @param {number} seats */
export function secretsOf(scheme, shared, seats) {
  const { ref, worker } = scheme;
  const base = hashWords(shared.x, shared.y, ref.chainId, ref.board, ref.bountyId, worker);
  return Array.from({ length: seats }, (_, seat) => hashWords(base, seat));
}

/** @param {Scheme} scheme @param {Uint8Array[]} secrets @returns {Uint8Array[]} A salt a place. */
export function saltsOf(scheme, secrets) {
  const places = Array.from({ length: scheme.batch }, (_, place) => word(place));
  return secrets.flatMap((secret) => places.map((place) => keccak(concat(secret, place))));
}

/**
 * Seal the codes of whole seats.
 * @param {Scheme} scheme
 * @param {bigint} secret e: the same for one worker of one bounty, never for two sets of labels.
 * @param {{x: bigint, y: bigint}} key P
 * @param {Code[]} codes Of all places, those without an item blank.
 * @returns {SealedRun}
 */
export function seal(scheme, secret, key, codes) {
  const { batch, classes } = scheme;
  const seats = codes.length / batch;
  if (!Number.isInteger(seats) || seats < 1) {
    throw new Refusal(`seal whole seats: a code for each of their ${batch} places`);
  }
  const isCode = (code) =>
    classes
      ? Number.isInteger(code) && code >= 0 && code < 1 << bitsOf(classes)
      : code instanceof Uint8Array && code.length === 32;
  if (!codes.every(isCode)) throw new Refusal(`a code is above ${classes}, which is a skip`);
  const shared = multiply(secret, key);
  const salts = saltsOf(scheme, secretsOf(scheme, shared, seats));
  return {
    root: treeRoot(leavesOf(scheme, salts, codes)),
    point: multiply(secret),
    sealed: pack(classes, codes.map((code, i) => applyPad(classes, salts[i], code))),
  };
}

/**
 * @typedef {object} OpenedRun Labels, with what shows each of them to a contract.
 * @property {SealedRun} run @property {number} seats @property {bigint} secret e
 * @property {{x: bigint, y: bigint}} shared S
 * @property {(offset: number, index: number) => Code} code Of a place of a seat of the run.
 * @property {(offset: number, index: number) => {label: Code, salt: Uint8Array, path: Uint8Array[]}} opening
 */

/**
 * Seal again what was sealed, and open it place by place.
 * @param {Scheme} scheme @param {bigint} secret e @param {{x: bigint, y: bigint}} key P
 * @param {Code[]} codes As they were sealed.
 * @returns {OpenedRun}
 */
export function openRun(scheme, secret, key, codes) {
  const run = seal(scheme, secret, key, codes);
  const shared = multiply(secret, key);
  const seats = codes.length / scheme.batch;
  const size = 1 << depthOf(scheme.batch);
  const opening = (offset, index) => {
    const salts = saltsOf(scheme, secretsOf(scheme, shared, seats));
    const at = offset * scheme.batch + index;
    const path = treePath(leavesOf(scheme, salts, codes), offset * size + index);
    return { label: codes[at], salt: salts[at], path };
  };
  return { run, seats, secret, shared, code: (offset, index) => codes[offset * scheme.batch + index], opening };
}

/** @param {number} batch @returns {number} Levels of the tree of a seat. */
function depthOf(batch) {
  return 32 - Math.clz32(batch - 1);
}

/** @param {Scheme} scheme @param {Uint8Array[]} salts @param {Code[]} codes */
function leavesOf({ batch }, salts, codes) {
  const size = 1 << depthOf(batch);
  const leaves = [];
  codes.forEach((code, i) => {
    leaves.push(keccak(concat(LEAF, salts[i], word(code))));
    if (i % batch === batch - 1) {
      for (let more = batch; more < size; more++) leaves.push(new Uint8Array(32));
    }
  });
  return leaves;
}

/** @param {number} classes @param {Uint8Array} salt @param {Code} code @returns {Code} */
function applyPad(classes, salt, code) {
  if (classes) return code ^ (salt[31] & ((1 << bitsOf(classes)) - 1));
  const pad = keccak(salt);
  return code.map((byte, i) => byte ^ pad[i]);
}

/** @param {number} classes @param {Code[]} codes @returns {Uint8Array} Most significant bit first. */
function pack(classes, codes) {
  if (!classes) return concat(...codes);
  const bits = bitsOf(classes);
  const packed = new Uint8Array(Math.ceil((codes.length * bits) / 8));
  codes.forEach((code, i) => {
    for (let bit = 0; bit < bits; bit++) {
      const at = i * bits + bit;
      if ((code >> (bits - 1 - bit)) & 1) packed[at >> 3] |= 128 >> (at & 7);
    }
  });
  return packed;
}

/** @param {SealedRun} run @returns {Uint8Array} E and the sealed labels. */
export function bodyOf(run) {
  return concat(pointBytes(run.point), run.sealed);
}

/** @param {{x: bigint, y: bigint}} point @returns {Uint8Array} 33 bytes: x, parity of y. */
export function pointBytes(point) {
  return concat(uint(point.x, 32), new Uint8Array([Number(point.y & 1n)]));
}

/** @param {SealedRun} run @returns {Uint8Array} */
export function sealOf(run) {
  return keccak(bodyOf(run));
}

/** @param {SealedRun} run @returns {Uint8Array} What the worker commits to. */
export function commitmentOf(run) {
  return keccak(concat(run.root, sealOf(run)));
}
