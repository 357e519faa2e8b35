// SPDX-License-Identifier: Apache-2.0
// What requester and labelers agree on; the board keeps its hash.

import { concat, fromHex, toHex, uint, word } from "./bytes.js";
import { isValid } from "./curve.js";
import { Refusal } from "./errors.js";
import { keccak } from "./hash.js";

const ACCOUNTS = ["requester", "token", "relay", "receiver", "gate"];
const HASHES = ["gold_commitment", "document", "salt"];
const COUNTS = [
  ...["items", "classes", "rounds", "batch", "gold_count", "full"],
  ...["min_seats", "min_run", "max_run"],
];
const MONEY = [
  ...["price", "bond", "reward", "relay_fee", "tip"],
  ...["post_call_fee", "post_worker_fee", "post_seat_fee", "fee_bps"],
];
const WINDOWS = [
  ...["join_seconds", "label_seconds", "grace_seconds"],
  ...["release_seconds", "score_seconds", "challenge_seconds"],
];
/** In the order of the contracts' struct. */
const NAMES = [...ACCOUNTS, ...HASHES, "key_x", "key_y", ...COUNTS, ...MONEY, ...WINDOWS];

const MAX_SEATS = 2 ** 19;
const MAX_WINDOW = 2 ** 23;
const MAX_ITEMS = 2 ** 24 - 1;

/** Nobody's account. */
export const NO_ACCOUNT = `0x${"00".repeat(20)}`;

/**
 * Read the terms that a relay shows (GET …/terms): hashes as hex, all else as decimal numbers.
 * @param {any} texts
 * @returns {Record<string, any>} Accounts and hashes as hex, counts and seconds as numbers, money
 *   and the key as bigint; `hash`, `seats`, `perRound` and `isTeam` follow from them.
 * @throws {Refusal} A field is missing or no such value.
 */
export function readTerms(texts) {
  const values = {};
  for (const name of NAMES) values[name] = readField(name, texts?.[name]);
  const terms = {};
  for (const name of NAMES) {
    const isSmall = COUNTS.includes(name) || WINDOWS.includes(name);
    terms[name] = isSmall ? toCount(name, values[name]) : values[name];
    if (ACCOUNTS.includes(name)) terms[name] = toHex(uint(values[name], 20));
  }
  terms.hash = toHex(keccak(termsWords(terms)));
  terms.perRound = Math.ceil(terms.items / terms.batch);
  terms.seats = terms.rounds * terms.perRound;
  terms.isTeam = terms.gold_count === 0;
  return terms;
}

/** @param {Record<string, any>} terms @returns {Uint8Array} The contracts' struct, a word a field. */
export function termsWords(terms) {
  return concat(...NAMES.map((name) => word(terms[name])));
}

/** The struct's type, as signatures of functions have it. */
export const TERMS_TYPE = `(${NAMES.map((name) => (HASHES.includes(name) ? "bytes32" : "uint256")).join(",")})`;

function readField(name, text) {
  if (HASHES.includes(name)) return toHex(fromHex(text, 32));
  if (typeof text !== "string" || !/^[0-9]{1,78}$/.test(text) || BigInt(text) >= 1n << 256n) {
    throw new Refusal(`the terms lack ${name}, a number; do not label for this requester`);
  }
  return BigInt(text);
}

function toCount(name, value) {
  if (value > BigInt(2 ** 32)) throw new Refusal(`${name} of the terms is too large; do not label`);
  return Number(value);
}

/**
 * Check what the board checks when a bounty is created.
 * @param {Record<string, any>} terms
 * @throws {Refusal} The message says what is wrong.
 */
export function requireSound(terms) {
  const { items, batch, rounds, classes, min_run, max_run, min_seats, perRound, seats } = terms;
  const reachable = rounds * (perRound - (perRound % min_run));
  const checks = [
    [items > 0 && items <= MAX_ITEMS, "the number of items"],
    [batch > 0 && batch <= 64, "the batch"],
    [rounds > 0 && rounds <= 9, "the rounds"],
    [seats < MAX_SEATS, "the seats"],
    [min_run > 0 && min_run <= max_run && max_run <= Math.min(63, perRound), "the run"],
    [min_seats > 0 && min_seats <= reachable, "min_seats"],
    [terms.relay !== NO_ACCOUNT && terms.token !== NO_ACCOUNT, "relay or token"],
    [isValid({ x: terms.key_x, y: terms.key_y }), "the requester's key"],
    ...WINDOWS.map((name) => [terms[name] > 0 && terms[name] < MAX_WINDOW, name]),
    ...(terms.isTeam ? teamChecks(terms) : goldChecks(terms)),
  ];
  for (const [isFine, what] of checks) {
    if (!isFine) throw new Refusal(`the terms are not sound (${what}); do not label for this requester`);
  }
}

function teamChecks({ full, bond, reward, classes, batch, max_run }) {
  return [
    [full === 0 && bond === 0n && reward === 0n, "money in team mode"],
    [classes === 0 || (classes >= 2 && classes <= 254), "the classes"],
    [classes > 0 || batch * max_run <= 256, "the run"],
  ];
}

function goldChecks(terms) {
  const { rounds, classes, gold_count, items, full, min_seats, min_run, perRound } = terms;
  const needed = Math.ceil((9 * Math.min(3, rounds) * perRound) / 10);
  const least = { 2: 14, 3: 20 }[rounds] ?? 10;
  const all = BigInt(terms.seats * terms.batch) * terms.price;
  return [
    [rounds >= 2, "the rounds"],
    [classes >= 2 && classes <= 254, "the classes"],
    [gold_count <= Math.min(2048, items), "the gold"],
    [BigInt(terms.gold_commitment) !== 0n, "the gold commitment"],
    [full === 2 || full === 3, "where the full price is paid"],
    [min_seats >= needed, "min_seats"],
    [min_run * gold_count >= least * perRound, "the gold in a run"],
    [10n * terms.bond >= all, "the bond"],
    [terms.reward <= terms.bond, "the reward"],
  ];
}

/**
 * @param {Record<string, any>} terms @param {number} mark When the seed was fixed, chain time.
 * @returns {{label: number, commit: number, post: number, score: number}} Last seconds in time.
 */
export function deadlines(terms, mark) {
  const label = mark + terms.label_seconds;
  const commit = label + terms.grace_seconds;
  const post = commit + terms.release_seconds;
  return { label, commit, post, score: post + terms.score_seconds };
}
