// SPDX-License-Identifier: Apache-2.0
// What people write where a label is a text, and no class (truthmark/bounty/annotations.py).

import { utf8 } from "./bytes.js";
import { Refusal } from "./errors.js";
import { keccak } from "./hash.js";

/** Of a text. */
export const MAX_LETTERS = 2_000;
const HASH_BYTES = 32;

/**
 * Return a text as it is committed to: without spaces around, lines ended by a line feed.
 * @param {string} text @returns {string}
 * @throws {Refusal} It is empty, too long, or holds what is no letter.
 */
export function annotation(text) {
  const found = text.replace(/\r\n?/g, "\n").trim();
  if (!found) throw new Refusal("an empty text is no answer; write something, or skip the item");
  const letters = [...found].length;
  if (letters > MAX_LETTERS) {
    throw new Refusal(`a text has at most ${MAX_LETTERS} letters, this one ${letters}`);
  }
  if (/[^\P{Cc}\n\t]|\p{Cs}/u.test(found)) {
    throw new Refusal("the text holds a control character; take it out");
  }
  return found;
}

/** @param {string} text @returns {Uint8Array} Its code; of an empty one that of a skip. */
export function annotationCode(text) {
  return text ? keccak(utf8(text)) : new Uint8Array(HASH_BYTES);
}
