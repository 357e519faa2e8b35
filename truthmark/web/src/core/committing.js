// SPDX-License-Identifier: Apache-2.0
// Answers sealed for the requester, committed to and signed, once and for good.

/**
 * @typedef {object} Signed A labeler's only word for their labels.
 * @property {number} worker
 * @property {number} seats
 * @property {string} seed
 * @property {string} termsHash
 * @property {string} codes Hex, a byte a place.
 * @property {string} commitment
 * @property {string} signature
 * @property {string} file The label file as hex: handed out only once the commit is final.
 * @property {object} notes
 */

/**
 * Seal and sign; kept in the store before it is returned, and the same again ever after.
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device
 * @param {import("./types.js").Run} run
 * @param {Record<number, number>} answers By item: a class, or C for a skip. Whole seats count.
 * @param {import("./types.js").Store} store
 * @param {object} [notes] For the requester alone: {seconds: {item: s}, flags: {item: text}}.
 * @returns {Promise<Signed>}
 */
export async function sealAnswers(bounty, device, run, answers, store, notes = {}) {
  throw new Error("not built yet");
}

/** Return what was signed before, or undefined. @returns {Promise<Signed|undefined>} */
export async function findSigned(bounty, device, run, store) {
  throw new Error("not built yet");
}

/** Give the signed commit to the relay, to be posted. Returns its CommitState. */
export async function sendCommit(bounty, signed) {
  throw new Error("not built yet");
}

/**
 * How the commit stands on chain, confirmed, by two sources that agree (one on a devnet).
 * @returns {Promise<{state: "missing"|"waiting"|"final"|"differs"|"lost", until: number, postsBy: ?number, oneSource: boolean}>}
 *   missing: not on chain; waiting: there, but not confirmed or not agreed on; differs: something
 *   else stands there and must be overridden until `until`; lost: too late for that.
 */
export async function commitState(bounty, signed) {
  throw new Error("not built yet");
}
