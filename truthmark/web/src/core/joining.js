// SPDX-License-Identifier: Apache-2.0
// A labeler asks the relay for a place.

/**
 * Ask for seats; the same again returns how that stands.
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device
 * @param {{payee: string, seats: number, code?: string}} wish
 * @returns {Promise<{state: "waiting"|"enrolled"|"removed", worker: ?number, seats: number, payee: string, enrolls_by: ?number, reason: string}>}
 */
export async function join(bounty, device, wish) {
  throw new Error("not built yet");
}

/** How a signer's wish stands, as the relay says; null where it knows none. The chain decides. */
export async function joinState(bounty, device) {
  throw new Error("not built yet");
}
