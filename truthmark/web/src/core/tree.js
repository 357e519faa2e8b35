// SPDX-License-Identifier: Apache-2.0
// The one Merkle tree of the protocol (docs/format.md): leaves of 32 bytes, hashed by the caller.

import { concat, uint } from "./bytes.js";
import { keccak } from "./hash.js";

const NODE = new Uint8Array([2]);
const ROOT = new Uint8Array([3]);

/** @param {Uint8Array[]} leaves @returns {Uint8Array} The root, which binds their number. */
export function treeRoot(leaves) {
  return climb(leaves, 0).root;
}

/**
 * @param {Uint8Array[]} leaves @param {number} place
 * @returns {Uint8Array[]} The siblings of a leaf, from it upwards.
 */
export function treePath(leaves, place) {
  return climb(leaves, place).path;
}

/** @param {Uint8Array[]} leaves @param {number} place Whose siblings are noted. */
function climb(leaves, place) {
  let level = leaves;
  let at = place;
  const path = [];
  let zero = new Uint8Array(32);
  while (level.length > 1) {
    const next = [];
    path.push(level[at ^ 1] ?? zero);
    at >>= 1;
    for (let i = 0; i < level.length; i += 2) {
      next.push(keccak(concat(NODE, level[i], level[i + 1] ?? zero)));
    }
    zero = keccak(concat(NODE, zero, zero));
    level = next;
  }
  return { root: keccak(concat(ROOT, uint(leaves.length, 4), level[0])), path };
}
