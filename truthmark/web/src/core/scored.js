// SPDX-License-Identifier: Apache-2.0
// What became of a labeler's part: the score from the chain, held against the board, their own labels
// opened here, and whatever can be proven wrong.

import { readBytes } from "./abi.js";
import { calldata, look, lookAtWorkers, Status } from "./board.js";
import { concat, fromHex, toHex, word } from "./bytes.js";
import { Refusal, Unavailable } from "./errors.js";
import { judgementOf, paymentOf } from "./judging.js";
import { labelerSecret } from "./labelfile.js";
import { findLies } from "./lies.js";
import { blockAt, logsAt, logsBackwards, topicOf } from "./logs.js";
import { rewardOf } from "./proving.js";
import { acknowledged, isAcknowledgement } from "./releasing.js";
import { NOT_DELIVERED, readScore } from "./score.js";
import { commitmentOf, openRun } from "./sealing.js";
import { deadlines } from "./terms.js";

/** @typedef {import("./bounty.js").Bounty} Bounty */
/** @typedef {import("./board.js").Seen} Seen */
/** @typedef {{gold: Uint8Array, entries: Uint8Array, lines: Uint8Array}} Posted */

/** By how many seconds the block that counts as final may be older than the newest one. */
const BEHIND = 900;
const ENDS = {
  [Status.SCORED]: "settled",
  [Status.SCORED_HALF]: "half",
  [Status.REFUNDED]: "refunded",
  [Status.SETTLED]: "settled",
  [Status.HALF]: "half",
  [Status.FLAT]: "flat",
  [Status.PROVEN]: "proven",
};
const [SCORE_GOLD, SCORE_ENTRIES] = [
  "ScoreGold(uint256,bytes32,bytes,bytes)",
  "ScoreEntries(uint256,bytes)",
].map(topicOf);

/**
 * @typedef {object} Standing
 * @property {"waiting" | "silent" | "challenge" | "over" | "ended"} phase waiting: for the score;
 *   silent: none came in time; challenge: it can be disproved; over: nobody did in time.
 * @property {?number} until When that ends at the latest, chain time.
 * @property {number} now
 * @property {"" | "settled" | "half" | "flat" | "proven" | "refunded"} end How it ends, or ended.
 * @property {?{price: bigint, bond: bigint, withheld: bigint}} pay What the labeler gets by that.
 * @property {number} worker @property {number} seats That stand for them.
 * @property {?import("./judging.js").Judgement} judgement Where there is a score.
 * @property {import("./lies.js").Lie[]} lies What they can prove wrong in it; all of it, not only of
 *   them. Where it is over: what could have been proven.
 * @property {?import("./proving.js").Reward} reward Where the score was disproved, and its reward
 *   was not taken out yet.
 * @property {boolean} isPartial Whether that cannot be read just now.
 * @property {string} score Its hash, as the board keeps it.
 * @property {boolean} oneSource
 */

/**
 * Look at what became of a labeler's part, as the chain has it, confirmed.
 * @param {Bounty} bounty @param {import("./types.js").Device} device
 * @param {import("./types.js").Store} store Keeps the score, so that it is fetched once.
 * @returns {Promise<?Standing>} Null where no labels of this device stand on the chain.
 * @throws {Unavailable} Something cannot be read just now.
 * @throws {Refusal} Something is not what the board holds.
 */
export async function standingOf(bounty, device, store) {
  const seen = await look(bounty, { wantsCommits: true, store });
  const signed = await store.get(`signed/${seen.seed}`);
  if (!signed) return null;
  const { worker } = signed;
  const workers = await lookAtWorkers(bounty, seen, worker);
  const commit = workers.overrides.get(worker) ?? seen.commits?.standing.get(worker);
  if (commit?.commitment !== signed.commitment || commit.seats !== signed.seats) return null;
  const { terms, ref, chain } = bounty;
  requireFresh(seen, bounty.host);
  const found = { ...phaseOf(seen, terms), now: seen.now, worker, seats: commit.seats, score: seen.score };
  const standing = { ...found, oneSource: chain.oneSource, judgement: null, lies: [], pay: null, reward: null, isPartial: false };
  if (!found.end) return standing;
  const pay = (line) => paymentOf({ terms, rows: seen.rows }, { worker, seats: commit.seats }, found.end, line);
  if (BigInt(seen.score) === 0n) return { ...standing, pay: pay(0) };
  const { judgement, lies } = await judge(bounty, device, store, { seen, signed, workers });
  const left = found.phase === "ended" ? [] : lies;
  return { ...standing, pay: pay(judgement.line), judgement, lies: left, ...(await keptOf(bounty, seen)) };
}

/** What waits to be taken out holds nothing else back. */
async function keptOf(bounty, seen) {
  if (seen.status !== Status.PROVEN) return {};
  try {
    return { reward: await rewardOf(bounty, seen) };
  } catch (error) {
    if (error instanceof Unavailable) return { isPartial: true };
    throw error;
  }
}

/** A source that stands still shows no score to who waits for it. */
function requireFresh({ status, time, now }, { confirmations, block_time }) {
  if (status < Status.SCORED && now - time > BEHIND + 4 * confirmations * block_time) {
    throw new Unavailable("a source of the chain is behind, or its clock is wrong; waiting");
  }
}

/** Hold a score against what the labeler has: once, for as long as both stay what they are. */
async function judge(bounty, device, store, { seen, signed, workers }) {
  const { ref, terms } = bounty;
  const kept = await store.get(`acknowledged/${signed.commitment}`);
  const acknowledgement = kept && isAcknowledgement(bounty, signed, kept) ? kept : undefined;
  const key = [seen.score, signed.codes, acknowledgement].join(" ");
  if (bounty.judged?.key === key) return bounty.judged;
  const score = await scoreOf(bounty, seen, store);
  const known = { worker: signed.worker, opened: openedBy(bounty, device, signed), acknowledgement };
  const { roster, commits, seed } = seen;
  const record = { ref, terms, seed, ...workers, roster, commits, score };
  if (score.lines[signed.worker] === NOT_DELIVERED && !acknowledgement) collect(bounty, signed, store);
  bounty.judged = { key, judgement: judgementOf(record, known), lies: findLies(record, known) };
  return bounty.judged;
}

/** Ask beside all else for the signature that would disprove a mark; the next look has it. */
function collect(bounty, signed, store) {
  bounty.collecting ??= acknowledged(bounty, signed)
    .then((found) => found && store.put(`acknowledged/${signed.commitment}`, found))
    .catch(() => {})
    .finally(() => {
      bounty.collecting = undefined;
    });
}

/**
 * Only the block on which the sources agree says that something is over, and not one source's clock.
 * @param {Seen} seen @param {Record<string, any>} terms
 */
function phaseOf({ status, mark, time }, terms) {
  const end = ENDS[status] ?? "";
  if (!end) {
    const times = deadlines(terms, mark);
    if (time > times.score) return { phase: "silent", until: null, end: "flat" };
    return { phase: "waiting", until: times.score, end };
  }
  if (status !== Status.SCORED && status !== Status.SCORED_HALF) return { phase: "ended", until: null, end };
  const until = mark + terms.challenge_seconds;
  return time > until ? { phase: "over", until: null, end } : { phase: "challenge", until, end };
}

/**
 * Open one's own labels: what was kept makes the commitment again, or it is not what stands.
 * @param {Bounty} bounty @param {import("./types.js").Device} device
 * @param {import("./committing.js").Signed} signed
 */
function openedBy({ ref, terms }, device, signed) {
  const { batch, classes } = terms;
  const secret = labelerSecret(fromHex(device.privateKey, 32), ref, signed.seed, signed.worker);
  const size = classes ? 1 : 32;
  const bytes = fromHex(signed.codes, size * batch * signed.seats);
  const codes = Array.from({ length: batch * signed.seats }, (_, i) =>
    classes ? bytes[i] : bytes.subarray(size * i, size * i + size));
  const key = { x: terms.key_x, y: terms.key_y };
  const opened = openRun({ ref, worker: signed.worker, batch, classes }, secret, key, codes);
  if (toHex(commitmentOf(opened.run)) !== signed.commitment) {
    throw new Refusal("the labels that this browser kept are not those that you committed; use the recovery file");
  }
  return opened;
}

// ------------------------------------------------------------------ the score

/** @param {Bounty} bounty @param {Seen} seen @param {import("./types.js").Store} store */
async function scoreOf(bounty, seen, store) {
  const name = `score/${seen.score}`;
  const kept = await store.get(name);
  if (kept) {
    const [gold, entries, lines] = [kept.gold, kept.entries, kept.lines].map((hex) => fromHex(hex));
    const again = held(bounty.terms, { gold, entries, lines }, seen.score);
    if (again) return again.score;
  }
  const { posted, score } = await fetchScore(bounty, seen);
  const hexed = Object.entries(posted).map(([key, bytes]) => [key, toHex(bytes)]);
  await store.put(name, Object.fromEntries(hexed));
  return score;
}

/**
 * Find the score among what the contracts logged. Its hash is held against the board's, so whoever
 * shows it need not be trusted.
 * @param {Bounty} bounty @param {Seen} seen
 * @returns {Promise<{posted: Posted, score: import("./score.js").Score}>}
 */
async function fetchScore({ chain, ref, terms }, seen) {
  const [address] = await chain.call(ref.board, [calldata("intake()")], seen.blockHash);
  const topics = [[SCORE_GOLD, SCORE_ENTRIES], toHex(word(ref.bountyId))];
  const wanted = { address: toHex(address.subarray(12)), topics };
  const isUnderChallenge = seen.status === Status.SCORED || seen.status === Status.SCORED_HALF;
  const pick = (logs) => candidates(logs).map((posted) => held(terms, posted, seen.score)).find(Boolean);
  return chain.anyone(async (ask) => {
    if (isUnderChallenge) return pick(await logsAt(ask, wanted, seen.mark, seen.block));
    return logsBackwards(ask, wanted, await blockAt(ask, seen.mark, seen.block), pick);
  });
}

/** By transaction, what its events hold. @param {any[]} logs @returns {Posted[]} */
function candidates(logs) {
  const found = new Map();
  for (const log of logs) {
    const key = typeof log?.transactionHash === "string" ? log.transactionHash : "";
    const one = found.get(key) ?? { entries: [] };
    found.set(key, one);
    let data;
    try {
      data = fromHex(log?.data);
    } catch {
      continue;
    }
    const [topic] = Array.isArray(log.topics) ? log.topics : [];
    if (topic === SCORE_GOLD) Object.assign(one, { gold: readBytes(data, 1), lines: readBytes(data, 2) });
    else if (topic === SCORE_ENTRIES) one.entries.push([Number(log.logIndex), readBytes(data, 0)]);
  }
  const whole = [...found.values()].filter(
    ({ gold, lines, entries }) => gold && lines && entries.every(([, data]) => data),
  );
  return whole.map(({ gold, lines, entries }) => {
    entries.sort(([one], [other]) => one - other);
    return { gold, lines, entries: concat(...entries.map(([, data]) => data)) };
  });
}

function held(terms, posted, hash) {
  try {
    const score = readScore(terms, posted);
    return score.hash === hash ? { posted, score } : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
