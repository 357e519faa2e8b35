// SPDX-License-Identifier: Apache-2.0
// The two hash functions of the protocol.

import { sha256 as sha } from "@noble/hashes/sha2.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { concat, utf8, word } from "./bytes.js";

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function keccak(...parts) {
  return keccak_256(parts.length === 1 ? parts[0] : concat(...parts));
}

/** @param {Uint8Array} data @returns {Uint8Array} */
export function sha256(data) {
  return sha(data);
}

/** @param {string} text @returns {Uint8Array} The domain tag of a text. */
export function tag(text) {
  return keccak(utf8(text));
}

/** @param {...(number | bigint | Uint8Array | string)} values @returns {Uint8Array} */
export function hashWords(...values) {
  return keccak(...values.map(word));
}
