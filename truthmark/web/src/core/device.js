// SPDX-License-Identifier: Apache-2.0
// The labeler's key of one bounty, and the file from which another device goes on.

/**
 * Make a fresh key for a bounty. Put it into the store before anything else.
 * @returns {import("./types.js").Device}
 */
export function newDevice() {
  throw new Error("not built yet");
}

/** @param {string} privateKey Hex. @returns {import("./types.js").Device} */
export function deviceOf(privateKey) {
  throw new Error("not built yet");
}

/**
 * Return a file that holds a sitting: the key, and all that the store has of it.
 * @param {import("./types.js").BountyRef} ref
 * @param {import("./types.js").Store} store
 * @returns {Promise<string>} JSON; whoever has it can label and be read as this labeler.
 */
export async function recoveryFile(ref, store) {
  throw new Error("not built yet");
}

/**
 * Read such a file into a store that has no other sitting of this bounty.
 * @param {string} text
 * @param {import("./types.js").Store} store
 * @returns {Promise<{ref: import("./types.js").BountyRef, device: import("./types.js").Device}>}
 */
export async function readRecoveryFile(text, store) {
  throw new Error("not built yet");
}
