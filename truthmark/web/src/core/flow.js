// SPDX-License-Identifier: Apache-2.0
// The one sitting: joined, started, labeled, committed, confirmed, released, done.

/**
 * Go through a sitting. Killed anywhere and begun again with the same store it goes on: whatever
 * must not be lost is in the store before anything that depends on it is sent.
 *
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device Kept in the store under "device" by the flow.
 * @param {import("./types.js").Store} store
 * @param {object} options
 * @param {{payee: string, seats: number, code?: string}} [options.wish] Needed the first time.
 * @param {(run: import("./types.js").Run, keys: Record<number, string>) =>
 *   Promise<{answers: Record<number, number>, notes?: object}>} options.label Resolves when the
 *   labeler says that they have finished.
 * @param {(seconds: number) => Promise<void>} [options.wait]
 * @returns {AsyncGenerator<import("./types.js").Step>} Troubles that pass are yielded as the step
 *   before with `trouble`; a Refusal ends it.
 */
export async function* labelingSteps(bounty, device, store, options) {
  throw new Error("not built yet");
}
