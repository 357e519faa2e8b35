// SPDX-License-Identifier: Apache-2.0
// A bounty as its labeler sees it: terms, document and items, each held against its hash.

/** @typedef {import("./types.js").Item} Item */

/**
 * Open a bounty: its terms held against the board's hash, its document against the terms.
 * @param {string} base Where the page comes from, such as location.origin.
 * @param {number} id
 * @param {{fetch?: typeof fetch, relay?: string}} [options] relay: where a link names one.
 * @returns {Promise<Bounty>}
 * @throws {import("./errors.js").Refusal} Something is not what its hash says: do not label.
 * @throws {import("./errors.js").Unavailable} Relay or chain do not answer.
 */
export async function openBounty(base, id, options = {}) {
  throw new Error("not built yet");
}

/**
 * @typedef {object} Bounty
 * @property {import("./types.js").BountyRef} ref
 * @property {import("./types.js").Host} host
 * @property {string} relay Address of the relay that serves it.
 * @property {string} termsHash
 * @property {Record<string, any>} terms As in docs: counts as numbers, money as bigint.
 * @property {Record<string, any>} document As docs/bounties.md has it.
 * @property {() => Promise<Record<string, any>>} status How it stands: chain's status, mark, now,
 *   deadlines (join, label, commit, post, score) and the relay's figures (taken, next_post_at, ...).
 * @property {{stored: (i: number) => Promise<Uint8Array>, open: (i: number, key: ?string) => Promise<Item>,
 *   openStored: (i: number, stored: Uint8Array, key: ?string) => Promise<Item>}} items
 *   stored: bytes as the relay has them, held against their hash, for a cache; open: fetched and opened.
 * @property {{answer: number, explanation: string, item: () => Promise<Item>}[]} practice
 * @property {(() => Promise<Item>)[]} examples
 */
