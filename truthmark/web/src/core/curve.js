// SPDX-License-Identifier: Apache-2.0
// secp256k1: keys, shared points, signatures that recover.

import { secp256k1 } from "@noble/curves/secp256k1.js";
import { concat, fromHex, toBigInt, toHex, uint } from "./bytes.js";
import { Refusal } from "./errors.js";
import { keccak } from "./hash.js";

const Point = secp256k1.Point;

/** The curve's order. */
export const ORDER = Point.Fn.ORDER;

/** @typedef {{x: bigint, y: bigint}} Affine */

/**
 * @param {bigint} scalar 1 to the order less 1. @param {Affine} [point] G if not given.
 * @returns {Affine}
 * @throws {Refusal} The point is not on the curve.
 */
export function multiply(scalar, point) {
  return onCurve(point).multiply(scalar).toAffine();
}

/** @param {Affine | undefined} point */
function onCurve(point) {
  if (point === undefined) return Point.BASE;
  try {
    const found = Point.fromAffine(point);
    found.assertValidity();
    return found;
  } catch {
    throw new Refusal("a key is no usable point of secp256k1; do not label for this requester");
  }
}

/** @param {Affine} point @returns {boolean} */
export function isValid(point) {
  try {
    onCurve(point);
    return true;
  } catch {
    return false;
  }
}

/** @param {bigint} x @param {number} parity @returns {Affine} */
export function liftX(x, parity) {
  try {
    return Point.fromBytes(concat(new Uint8Array([2 + parity]), uint(x, 32))).toAffine();
  } catch {
    throw new Refusal("a label file holds no point of secp256k1; it is damaged");
  }
}

/** @param {Uint8Array} digest @returns {bigint} A scalar from 1 to the order less 1. */
export function scalarOf(digest) {
  return 1n + (toBigInt(digest) % (ORDER - 1n));
}

/** @returns {Uint8Array} A fresh private key. */
export function randomKey() {
  return secp256k1.utils.randomSecretKey();
}

/** @param {Uint8Array} key @returns {string} Its address, small letters. */
export function addressOf(key) {
  if (!secp256k1.utils.isValidSecretKey(key)) {
    throw new Refusal("this is no private key; restore it from the recovery file");
  }
  return addressOfPoint(secp256k1.getPublicKey(key, false));
}

/** @param {Uint8Array} point 65 bytes. */
function addressOfPoint(point) {
  return toHex(keccak(point.subarray(1)).subarray(12));
}

/** @param {Uint8Array} digest @param {Uint8Array} key @returns {Uint8Array} r, s, v (27 or 28). */
export function sign(digest, key) {
  const made = secp256k1.sign(digest, key, { prehash: false, format: "recovered" });
  return concat(made.subarray(1), new Uint8Array([27 + made[0]]));
}

/**
 * @param {Uint8Array} digest @param {Uint8Array} signature 65 bytes.
 * @returns {string | undefined} Whose key made it.
 */
export function signerOf(digest, signature) {
  const recovery = signature[64] - 27;
  if (signature.length !== 65 || (recovery !== 0 && recovery !== 1)) return undefined;
  const made = concat(new Uint8Array([recovery]), signature.subarray(0, 64));
  try {
    const point = secp256k1.recoverPublicKey(made, digest, { prehash: false });
    return addressOfPoint(Point.fromBytes(point).toBytes(false));
  } catch {
    return undefined;
  }
}

/** @param {string} address @returns {string} With the capitals of ERC-55, as people are shown it. */
export function checksummed(address) {
  const small = toHex(fromHex(address, 20)).slice(2);
  const digest = toHex(keccak(new TextEncoder().encode(small))).slice(2);
  const letters = [...small].map((c, i) => (parseInt(digest[i], 16) > 7 ? c.toUpperCase() : c));
  return `0x${letters.join("")}`;
}

/**
 * Read an address that somebody typed.
 * @param {string} text @returns {string} With the right capitals.
 * @throws {Refusal} It is none, or a letter of it is mistyped.
 */
export function readAddress(text) {
  const trimmed = text.trim();
  if (!/^0x[0-9a-fA-F]{40}$/.test(trimmed)) {
    throw new Refusal("this is no address; it begins with 0x and has 40 more digits or letters a to f");
  }
  const right = checksummed(trimmed);
  const isPlain = trimmed.slice(2) === trimmed.slice(2).toLowerCase();
  if (!isPlain && trimmed !== right && trimmed.slice(2) !== trimmed.slice(2).toUpperCase()) {
    throw new Refusal("the capitals of this address are wrong: a letter is mistyped; copy it again");
  }
  if (BigInt(trimmed) === 0n) throw new Refusal("this address is nobody's; give your own");
  return right;
}
