// SPDX-License-Identifier: Apache-2.0
// What a bounty asks, in words: read strictly, for it comes from a stranger.

import { toHex } from "./bytes.js";
import { Refusal } from "./errors.js";
import { sha256 } from "./hash.js";

const MAX_BYTES = 1 << 20;
const URL_TEXT = /^https?:\/\/[!-~]{1,490}$/;
const CID = /^b[a-z2-7]{58}$/;
const KINDS = ["text", "image", "audio", "pair", "number"];

const text = (most) => (value) => typeof value === "string" && [...value].length <= most;
const line = (most) => (value) => text(most)(value) && value.trim() !== "" && !/\p{C}|[^\P{Z} ]/u.test(value);
const count = (least, most) => (value) => Number.isInteger(value) && value >= least && value <= most;
const maybe = (test) => (value) => value === null || test(value);
const list = (most, test) => (value) => Array.isArray(value) && value.length <= most && value.every(test);
const record = (fields) => (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) &&
  Object.keys(value).length === Object.keys(fields).length &&
  Object.entries(fields).every(([name, test]) => Object.hasOwn(value, name) && test(value[name]));
const url = (value) => typeof value === "string" && URL_TEXT.test(value);
const truth = (value) => typeof value === "boolean";
const isKey = (value) => value === "" || (line(1)(value) && !/\s/.test(value));

const FIELDS = {
  format: (value) => value === "truthmark/bounty/1",
  title: line(200),
  guidelines: text(200_000),
  classes: list(254, record({ name: line(100), key: isKey })),
  kind: (value) => KINDS.includes(value),
  items: record({
    count: count(1, 2 ** 24 - 1),
    shown: count(0, 33),
    manifest: (value) => typeof value === "string" && CID.test(value),
    data: (value) => typeof value === "string" && CID.test(value),
    encrypted: truth,
  }),
  examples: list(3, count(0, 32)),
  practice: list(30, record({ item: count(0, 32), answer: count(0, 253), explanation: text(10_000) })),
  licence: (value) => text(10_000)(value) && value.trim() !== "",
  flags: list(10, line(100)),
  relay_urls: list(10, url),
  receiver_urls: list(10, url),
  watch: list(10, record({ url, key: (value) => /^0x[0-9a-f]{64}$/.test(value) })),
  post_rows: maybe(count(1, 2048)),
  post_seconds: count(1, 86_400),
  seconds_per_item: maybe((value) => typeof value === "number" && value > 0 && value <= 86_400),
  gold_against: truth,
  wave_of: maybe(count(0, Number.MAX_SAFE_INTEGER)),
  max_labels_each: maybe(count(1, 2 ** 24 - 1)),
};

/**
 * Read the document that terms name.
 * @param {Uint8Array} data @param {Record<string, any>} terms
 * @returns {Record<string, any>}
 * @throws {Refusal} It is another one, or contradicts the terms or itself.
 */
export function readDocument(data, terms) {
  if (data.length > MAX_BYTES || toHex(sha256(data)) !== terms.document) {
    throw new Refusal("the relay has another document than the terms name; do not label");
  }
  const document = parse(data);
  for (const [name, test] of Object.entries(FIELDS)) {
    if (!Object.hasOwn(document, name) || !test(document[name])) {
      throw new Refusal(`the bounty's document cannot be read (${name}); do not label`);
    }
  }
  if (Object.keys(document).length !== Object.keys(FIELDS).length) {
    throw new Refusal("the bounty's document has fields that are not known; reload this page");
  }
  requireConsistent(document);
  if (document.items.count !== terms.items || document.classes.length !== terms.classes) {
    throw new Refusal("document and terms differ in items or classes; do not label");
  }
  return document;
}

function parse(data) {
  let value;
  try {
    const read = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    value = JSON.parse(read);
    // Two readers must see the same: only the one way to write it (RFC 8785) is read.
    if (canonical(value) !== read) throw new Error("not canonical");
  } catch {
    throw new Refusal("the bounty's document is no canonical JSON; do not label");
  }
  return value ?? {};
}

/** @param {any} value @returns {string} JSON as RFC 8785 has it. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

function requireConsistent({ classes, items, examples, practice }) {
  const names = new Set(classes.map(({ name }) => name));
  const keys = classes.map(({ key }) => key).filter((key) => key !== "");
  const isFine =
    names.size === classes.length &&
    new Set(keys).size === keys.length &&
    examples.every((place) => place < items.shown) &&
    practice.every(({ item, answer }) => item < items.shown && answer < classes.length);
  if (!isFine) throw new Refusal("the bounty's document contradicts itself; do not label");
}
