// SPDX-License-Identifier: Apache-2.0
// The file that a labeler hands out: sealed labels, and notes that only the requester reads.

import { concat, fromHex, uint, utf8 } from "./bytes.js";
import { scalarOf } from "./curve.js";
import { hashWords, tag } from "./hash.js";
import { pointBytes } from "./sealing.js";

const MAGIC = concat(utf8("TMKL"), new Uint8Array([1]));
const SECRET = tag("truthmark/label-secret/1");
const NOTES = tag("truthmark/label-notes/1");

/**
 * Return e of a worker: always the same for a key, a bounty and a seed.
 * @param {Uint8Array} key @param {import("./types.js").BountyRef} ref
 * @param {string} seed @param {number} worker
 * @returns {bigint}
 */
export function labelerSecret(key, ref, seed, worker) {
  return scalarOf(hashWords(SECRET, key, ref.chainId, ref.board, ref.bountyId, seed, worker));
}

/**
 * @param {import("./types.js").BountyRef} ref @param {number} worker @param {number} seats
 * @param {import("./sealing.js").SealedRun} run @param {Uint8Array} [notes] Sealed.
 * @returns {Uint8Array}
 */
export function labelFile(ref, worker, seats, run, notes = new Uint8Array()) {
  return concat(
    MAGIC,
    uint(ref.chainId, 8),
    fromHex(ref.board, 20),
    uint(ref.bountyId, 8),
    uint(worker, 2),
    uint(seats, 1),
    run.root,
    pointBytes(run.point),
    uint(run.sealed.length, 4),
    run.sealed,
    notes,
  );
}

/**
 * Seal notes for the requester.
 * @param {{x: bigint, y: bigint}} shared S @param {object} notes
 * @returns {Promise<Uint8Array>} A nonce of 12 bytes, ciphertext, tag; nothing for no notes.
 */
export async function sealNotes(shared, notes) {
  if (!Object.keys(notes).length) return new Uint8Array();
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const raw = hashWords(NOTES, shared.x, shared.y);
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt"]);
  const plain = utf8(JSON.stringify(notes));
  const box = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, plain);
  return concat(nonce, new Uint8Array(box));
}
