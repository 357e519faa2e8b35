// SPDX-License-Identifier: Apache-2.0
// The items of a bounty: the list of their hashes, and single items, checked and opened.

import { concat, fromHex, same, toBigInt, utf8 } from "./bytes.js";
import { cidOf } from "./cid.js";
import { Refusal, Unavailable } from "./errors.js";

const MAGIC = concat(utf8("TMKI"), new Uint8Array([1]));
const HEAD = MAGIC.length + 9;
const ENTRY = 44;
const MAX_ITEM = 16 << 20;
const MIMES = [
  "text/plain",
  ...["image/jpeg", "image/png", "image/webp", "image/gif"],
  ...["audio/mpeg", "audio/ogg", "audio/wav", "audio/flac"],
  ...["application/json", "application/octet-stream"],
];
const PAIR = 10;

/**
 * Read the list of items that a document names.
 * @param {Uint8Array} data @param {{count: number, shown: number, manifest: string, encrypted: boolean}} info
 * @returns {{length: (i: number) => number, digest: (i: number) => Uint8Array, count: number, shown: number, encrypted: boolean}}
 * @throws {Refusal} It is another one.
 */
export function readManifest(data, info) {
  const total = info.count + info.shown;
  const isFine =
    data.length === HEAD + ENTRY * total &&
    cidOf(data) === info.manifest &&
    same(data.subarray(0, MAGIC.length), MAGIC) &&
    data[MAGIC.length] === Number(info.encrypted) &&
    number(data, MAGIC.length + 1, 4) === info.count &&
    number(data, MAGIC.length + 5, 4) === info.shown;
  if (!isFine) throw new Refusal("the relay has another list of items than the document names");
  const entry = (i) => {
    if (!Number.isInteger(i) || i < 0 || i >= total) throw new Refusal(`there is no item ${i}`);
    return HEAD + ENTRY * i;
  };
  return {
    ...info,
    length: (i) => Math.min(number(data, entry(i) + 8, 4), MAX_ITEM),
    digest: (i) => data.subarray(entry(i) + 12, entry(i) + ENTRY),
  };
}

/** How many bytes the list of so many items has. */
export function manifestBytes(items) {
  return HEAD + ENTRY * items;
}

function number(data, at, length) {
  return Number(toBigInt(data.subarray(at, at + length)));
}

/**
 * @param {ReturnType<typeof readManifest>} manifest @param {number} i @param {Uint8Array} stored
 * @returns {Promise<Uint8Array>} The same bytes.
 * @throws {Unavailable} They are not the item's.
 */
export async function checkStored(manifest, i, stored) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", stored));
  if (!same(digest, manifest.digest(i))) {
    throw new Refusal(`item ${i} is not what the list says; the relay sent something else`);
  }
  return stored;
}

/**
 * Open an item whose stored bytes were checked.
 * @param {ReturnType<typeof readManifest>} manifest @param {number} i
 * @param {Uint8Array} stored @param {?string} [key] Hex.
 * @returns {Promise<import("./types.js").Item>}
 */
export async function openStored(manifest, i, stored, key) {
  if (!manifest.encrypted || i >= manifest.count) return readItem(stored);
  if (!key) throw new Unavailable(`item ${i} is encrypted, and its key is not here yet`);
  const raw = await crypto.subtle.importKey("raw", fromHex(key, 32), "AES-GCM", false, ["decrypt"]);
  const iv = new Uint8Array(12); // a key encrypts one item, once
  let plain;
  try {
    plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, raw, stored);
  } catch {
    throw new Refusal(`the relay's key does not open item ${i}; ask it again, or leave this bounty`);
  }
  return readItem(new Uint8Array(plain));
}

/** @param {Uint8Array} data @returns {import("./types.js").Item} */
export function readItem(data) {
  const media = data[0];
  const bytes = data.subarray(1);
  if (!(media in MIMES)) throw new Refusal("an item is of a kind that cannot be read; reload this page");
  const item = { media, mime: MIMES[media], bytes, text: null, pair: null };
  if (media === 0 || media === 9) item.text = decode(bytes);
  if (media === PAIR) item.pair = readPair(bytes);
  return item;
}

function readPair(bytes) {
  const length = bytes.length > 4 ? number(bytes, 0, 4) : 0;
  if (length <= 0 || length >= bytes.length - 4) {
    throw new Refusal("an item is no pair; do not label for this requester");
  }
  const items = [readItem(bytes.subarray(4, 4 + length)), readItem(bytes.subarray(4 + length))];
  if (items.some((item) => item.pair)) throw new Refusal("an item is a pair of pairs; do not label");
  return items;
}

function decode(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal("an item is no UTF-8; do not label for this requester");
  }
}
