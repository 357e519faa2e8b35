// SPDX-License-Identifier: Apache-2.0
// The one Merkle tree of the protocol (docs/format.md): leaves of 32 bytes, hashed by the caller.

import { concat, uint } from "./bytes.js";
import { keccak } from "./hash.js";

const NODE = new Uint8Array([2]);
const ROOT = new Uint8Array([3]);

/** @param {Uint8Array[]} leaves @returns {Uint8Array} The root, which binds their number. */
export function treeRoot(leaves) {
  let level = leaves;
  let zero = new Uint8Array(32);
  while (level.length > 1) {
    const next = [];
    for (let i = 0; i < level.length; i += 2) {
      next.push(keccak(concat(NODE, level[i], level[i + 1] ?? zero)));
    }
    zero = keccak(concat(NODE, zero, zero));
    level = next;
  }
  return keccak(concat(ROOT, uint(leaves.length, 4), level[0]));
}
