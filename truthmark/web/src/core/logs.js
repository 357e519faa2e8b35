// SPDX-License-Identifier: Apache-2.0
// What contracts logged and calls brought, found by time; hashes that the board keeps prove it.

import { readBytesList } from "./abi.js";
import { fromHex, toBigInt, toHex, utf8, word } from "./bytes.js";
import { toCount } from "./chain.js";
import { Unavailable } from "./errors.js";
import { keccak } from "./hash.js";

/** @typedef {(requests: [string, unknown[]][]) => Promise<any[]>} Ask One source. */
/** @typedef {{address: string, topics: unknown[]}} Wanted */

/** Blocks that are searched at once, as far as servers forward that, and how often. */
const SPAN = 10_000;
const SPANS = 50;
/** Blocks in which something must lie that was logged at a known time. */
const NEAR = 100;
/** Of one answer: more than any bounty logs. */
const MAX_LOGS = 5_000;
/** What a call brings at most, as the contracts take it. */
const MAX_CHUNKS = 32;
const MAX_CHUNK = 1_312;
/** Where the chunks stand among the arguments: behind the bounty's number and its terms. */
const CHUNKS = 35;
const EVENTS = {
  roster: "Enrolled(uint256,uint256,uint256,uint256,uint256)",
  commits: "Committed(uint256,uint256,uint256,uint256)",
};

/** @param {string} signature @returns {string} */
export function topicOf(signature) {
  return toHex(keccak(utf8(signature)));
}

/** @param {Ask} ask @param {Wanted} wanted @param {number} first @param {number} last @returns {Promise<any[]>} */
export async function logsWithin(ask, wanted, first, last) {
  const [fromBlock, toBlock] = [Math.max(0, first), last].map((number) => `0x${number.toString(16)}`);
  const [logs] = await ask([["eth_getLogs", [{ fromBlock, toBlock, ...wanted }]]]);
  if (!Array.isArray(logs)) return [];
  if (logs.length > MAX_LOGS) throw new Unavailable("a source of the chain shows more than was logged");
  return logs;
}

/**
 * Search logs backwards from a block, span by span, until one has what is looked for.
 * @template T
 * @param {Ask} ask @param {Wanted} wanted @param {number} last
 * @param {(logs: any[]) => T | undefined} enough Given the logs of one span alone.
 * @returns {Promise<T | undefined>}
 */
export async function logsBackwards(ask, wanted, last, enough) {
  for (let end = last, n = 0; end >= 0 && n < SPANS; n++, end -= SPAN) {
    const found = enough(await logsWithin(ask, wanted, end - SPAN + 1, end));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The first block at or after a time, of those up to the last. @param {Ask} ask @param {number} time @param {number} last */
export async function blockAt(ask, time, last) {
  let [low, high] = [0, last];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [block] = await ask([["eth_getBlockByNumber", [`0x${middle.toString(16)}`, false]]]);
    if (toCount(block?.timestamp) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What was logged at a known time, of the blocks up to the last. @param {Ask} ask @param {Wanted} wanted @param {number} time @param {number} last */
export async function logsAt(ask, wanted, time, last) {
  const at = await blockAt(ask, time, last);
  return logsWithin(ask, wanted, at, Math.min(at + NEAR, last));
}

/**
 * Read from the chain itself what a relay withholds: the chunks that calls brought.
 * @template T
 * @param {import("./bounty.js").Bounty} bounty @param {"roster" | "commits"} what
 * @param {number} count Of calls. @param {{mark: number, last: number}} until They were before that.
 * @param {(calls: string[][]) => T} check Throws where it is not what the board holds.
 * @returns {Promise<T>}
 */
export async function broughtCalls({ chain, ref }, what, count, { mark, last }, check) {
  const wanted = { address: ref.board, topics: [topicOf(EVENTS[what]), toHex(word(ref.bountyId))] };
  const numbers = Array.from({ length: count }, (_, n) => n);
  return chain.anyone(async (ask) => {
    const from = await blockAt(ask, mark, last);
    const known = new Map();
    const hashes = await logsBackwards(ask, wanted, from, (logs) => {
      for (const log of logs) known.set(numberOf(log), log.transactionHash);
      return numbers.every((n) => known.has(n)) ? numbers.map((n) => known.get(n)) : undefined;
    });
    if (!hashes) return undefined;
    const found = await ask(hashes.map((hash) => ["eth_getTransactionByHash", [hash]]));
    return check(found.map(chunksOf));
  });
}

function numberOf(log) {
  return Number(toBigInt(fromHex(log?.data).subarray(0, 32)));
}

/** @returns {string[]} */
function chunksOf(transaction) {
  const chunks = readBytesList(fromHex(transaction?.input).subarray(4), CHUNKS, MAX_CHUNKS);
  if (!chunks?.every(({ length }) => length <= MAX_CHUNK)) throw new Unavailable("a source of the chain shows a call that cannot be read");
  return chunks.map(toHex);
}
