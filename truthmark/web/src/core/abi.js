// SPDX-License-Identifier: Apache-2.0
// Arguments of contracts' functions, encoded (the ABI of Solidity and Vyper).

import { concat, utf8, word } from "./bytes.js";
import { keccak } from "./hash.js";

/** @typedef {{isDynamic: boolean, data: Uint8Array}} Encoded */

/** @param {...(number | bigint | Uint8Array | string)} values @returns {Encoded} Of fixed size. */
export function words(...values) {
  return { isDynamic: false, data: concat(...values.map(word)) };
}

/** @param {Uint8Array} bytes @returns {Encoded} Bytes of any length. */
export function bytesOf(bytes) {
  const rest = (32 - (bytes.length % 32)) % 32;
  return { isDynamic: true, data: concat(word(bytes.length), bytes, new Uint8Array(rest)) };
}

/** @param {Encoded[]} items @returns {Encoded} */
export function listOf(items) {
  return { isDynamic: true, data: concat(word(items.length), tuple(items).data) };
}

/** @param {Encoded[]} parts @returns {Encoded} */
export function tuple(parts) {
  const size = parts.reduce((sum, { isDynamic, data }) => sum + (isDynamic ? 32 : data.length), 0);
  const heads = [];
  const tails = [];
  let at = size;
  for (const { isDynamic, data } of parts) {
    heads.push(isDynamic ? word(at) : data);
    if (!isDynamic) continue;
    tails.push(data);
    at += data.length;
  }
  return { isDynamic: tails.length > 0, data: concat(...heads, ...tails) };
}

/** @param {string} signature Of the function. @param {Encoded[]} parts @returns {Uint8Array} Calldata. */
export function callOf(signature, parts) {
  return concat(keccak(utf8(signature)).subarray(0, 4), tuple(parts).data);
}

/**
 * Read the dynamic bytes that an event holds, among words of fixed size.
 * @param {Uint8Array} data @param {number} place Of the argument.
 * @returns {Uint8Array | undefined} Undefined where it is cut off.
 */
export function readBytes(data, place) {
  const number = (at) => {
    const found = data.subarray(at, at + 32);
    return found.length === 32 && found.subarray(0, 28).every((byte) => byte === 0)
      ? new DataView(found.buffer, found.byteOffset + 28).getUint32(0)
      : NaN;
  };
  const at = number(32 * place);
  const length = number(at);
  const found = data.subarray(at + 32, at + 32 + length);
  return found.length === length ? found : undefined;
}
