// SPDX-License-Identifier: Apache-2.0
// Labels handed out once their commit is final; or left with nodes that do so.

/**
 * Hand the file to relay and receivers; asks the chain again first, and refuses where it must.
 * @returns {Promise<string[]>} Who took it.
 */
export async function release(bounty, signed) {
  throw new Error("not built yet");
}

/** The receiver's signature for the file, checked; undefined while there is none. */
export async function acknowledged(bounty, signed) {
  throw new Error("not built yet");
}

/**
 * Leave commit and sealed file with watch nodes, which read nothing. Before the commit is final no
 * node of the bounty's own gets them (team mode excepted).
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./committing.js").Signed} signed
 * @param {{url: string}[]} nodes
 * @returns {Promise<{taken: string[], refused: {url: string, why: string}[]}>}
 */
export async function deposit(bounty, signed, nodes) {
  throw new Error("not built yet");
}
