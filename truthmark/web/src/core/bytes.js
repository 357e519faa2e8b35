// SPDX-License-Identifier: Apache-2.0
// Bytes, hex and 32-byte words.

import { Refusal } from "./errors.js";

const HEX = /^0x(?:[0-9a-f]{2})*$/;

/** @param {Uint8Array} bytes @returns {string} Hex with 0x, in small letters. */
export function toHex(bytes) {
  let text = "0x";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/**
 * @param {unknown} text @param {number} [length] Bytes it must have.
 * @returns {Uint8Array}
 * @throws {Refusal} It is none.
 */
export function fromHex(text, length) {
  const small = typeof text === "string" ? text.toLowerCase() : "";
  if (!HEX.test(small) || (length !== undefined && small.length !== 2 + 2 * length)) {
    const many = length === undefined ? "" : `${length} `;
    throw new Refusal(`${JSON.stringify(text)?.slice(0, 80)} is not ${many}bytes as hex`);
  }
  const bytes = new Uint8Array(small.length / 2 - 1);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(small.slice(2 + 2 * i, 4 + 2 * i), 16);
  return bytes;
}

/** @param {...Uint8Array} parts @returns {Uint8Array} */
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {Uint8Array} one @param {Uint8Array} other */
export function same(one, other) {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** @param {number | bigint} value @param {number} length @returns {Uint8Array} Big-endian. */
export function uint(value, length) {
  const bytes = new Uint8Array(length);
  let rest = BigInt(value);
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  if (rest !== 0n) throw new Refusal(`${value} is no number of ${length} bytes`);
  return bytes;
}

/** @param {Uint8Array} bytes @returns {bigint} */
export function toBigInt(bytes) {
  return bytes.length ? BigInt(toHex(bytes)) : 0n;
}

/**
 * One static ABI value: a number, 32 bytes, or an address as hex.
 * @param {number | bigint | Uint8Array | string} value
 * @returns {Uint8Array} 32 bytes.
 */
export function word(value) {
  if (value instanceof Uint8Array) {
    if (value.length !== 32) throw new Refusal(`${value.length} bytes are no word of 32`);
    return value;
  }
  if (typeof value === "string") {
    const bytes = fromHex(value);
    if (bytes.length === 32) return bytes;
    if (bytes.length !== 20) throw new Refusal(`${value.slice(0, 80)} is no address`);
    return concat(new Uint8Array(12), bytes);
  }
  return uint(value, 32);
}

/** @param {string} text @returns {Uint8Array} */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/** @param {Uint8Array} bytes @returns {string} Base64. */
export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
