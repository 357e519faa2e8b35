// SPDX-License-Identifier: Apache-2.0
// In which order the two items of a pair are shown: by chance, so that no place is preferred.

import { hashWords, tag } from "./hash.js";

const ORDER = tag("truthmark/pair-order/1");

/**
 * Whether a worker sees the second item of a pair first.
 * @param {string} seed @param {number} worker @param {number} item
 */
export function isSwapped(seed, worker, item) {
  return (hashWords(ORDER, seed, worker, item)[31] & 1) === 1;
}

/** The code of the other one of the first two classes; of others the code itself. */
export function unswapped(code) {
  return code === 0 || code === 1 ? 1 - code : code;
}
