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
  const at = readCount(data, 32 * place);
  const length = readCount(data, at);
  const found = data.subarray(at + 32, at + 32 + length);
  return found.length === length ? found : undefined;
}

/**
 * Read a list of dynamic bytes among arguments of fixed size.
 * @param {Uint8Array} data @param {number} place Of the argument. @param {number} most Of them.
 * @returns {Uint8Array[] | undefined} Undefined where it is cut off, or there are more.
 */
export function readBytesList(data, place, most) {
  const at = readCount(data, 32 * place);
  const count = readCount(data, at);
  if (!(count <= most && 32 * count <= data.length)) return undefined;
  const found = Array.from({ length: count }, (_, i) => readBytes(data.subarray(at + 32), i));
  return found.every(Boolean) ? /** @type {Uint8Array[]} */ (found) : undefined;
}

/** @param {Uint8Array} data @param {number} at @returns {number} NaN where there is none so small. */
function readCount(data, at) {
  const found = data.subarray(at, at + 32);
  const isSmall = found.length === 32 && found.subarray(0, 28).every((byte) => byte === 0);
  return isSmall ? new DataView(found.buffer, found.byteOffset + 28).getUint32(0) : NaN;
}
