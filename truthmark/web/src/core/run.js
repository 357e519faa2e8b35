// SPDX-License-Identifier: Apache-2.0
// What a labeler is to label, after all checks on which their pay depends.

/**
 * Return the run of a device by the chain: roster, row, payee, seed and time are checked.
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device
 * @param {{payee: string}} wish
 * @returns {Promise<import("./types.js").Run>}
 */
export async function myRun(bounty, device, wish) {
  throw new Error("not built yet");
}

/**
 * Return the keys of the items of a run, by item; empty where items are not encrypted.
 * @returns {Promise<Record<number, string>>}
 */
export async function itemKeys(bounty, device, run) {
  throw new Error("not built yet");
}
