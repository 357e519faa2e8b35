// SPDX-License-Identifier: Apache-2.0
// What the board keeps of a bounty, and the relay's rows held against it.

import { concat, toBigInt, toHex, utf8, word } from "./bytes.js";
import { ofStranger, Refusal, Unavailable } from "./errors.js";
import { keccak } from "./hash.js";
import { within } from "./http.js";
import { broughtCalls } from "./logs.js";
import { readCommits, readRoster, requireSoundRoster } from "./roster.js";

/** The board's numbers. */
export const Status = {
  NONE: 0,
  OPEN: 1,
  DRAWN: 2,
  LABEL: 3,
  SCORED: 4,
  SCORED_HALF: 5,
  REFUNDED: 6,
  SETTLED: 7,
  HALF: 8,
  FLAT: 9,
  PROVEN: 10,
};

const STATE = [
  ...["status", "mark", "position", "seats", "workers", "roster_calls", "commit_calls"],
  ...["committed", "committers", "overrides", "posted"],
];
const STATE_WORDS = 13;
const CONTEXT_WORDS = 9;
const MAX_CALLS = 4096;

/** @param {string} signature @param {...any} values @returns {Uint8Array} */
export function calldata(signature, ...values) {
  return concat(keccak(utf8(signature)).subarray(0, 4), ...values.map(word));
}

/**
 * @typedef {object} Seen A bounty at a block that counts as final.
 * @property {number} block Its number.
 * @property {string} blockHash
 * @property {number} time Of that block: what is over by it is over.
 * @property {number} now Chain time, of the newest block that any of the sources asked shows.
 * @property {number} early The same of that whose clock is behind.
 * @property {number} status
 * @property {number} mark When the status began.
 * @property {string} seed Zeros before it is fixed.
 * @property {import("./roster.js").Row[]} rows
 * @property {(worker: number) => {seats: number, commitment: string, isOverride: boolean} | undefined} standing
 * @property {(worker: number) => boolean} isPosted
 * @property {import("./roster.js").Roster} roster
 * @property {import("./roster.js").Commits} [commits] Where they were asked for.
 * @property {string} score What the board keeps of the score; zeros where there is none.
 * @property {{overrides: number, posted: number}} counts Of workers.
 */

/**
 * Read how a bounty stands; everything is held against what the board keeps.
 * @param {import("./bounty.js").Bounty} bounty
 * @param {{worker?: number, wantsCommits?: boolean, store?: import("./types.js").Store}} [options]
 *   worker: whose commit is asked for; store: keeps what the board holds for good, from the score on.
 * @returns {Promise<Seen>}
 * @throws {Refusal} The relay's rows are not those on chain, or are not sound.
 * @throws {Unavailable} Chain or relay do not answer, or are behind.
 */
export async function look(bounty, { worker, wantsCommits = worker !== undefined, store } = {}) {
  const { chain, ref, terms } = bounty;
  const moment = await chain.finalBlock();
  const at = (calls) => chain.call(ref.board, calls, moment.hash);
  const [first, termsHash] = await at([
    calldata("state(uint256)", ref.bountyId),
    calldata("terms_hashes(uint256)", ref.bountyId),
  ]);
  const state = readState(first);
  if (state.status === Status.NONE) {
    throw new Unavailable("the bounty is not confirmed on the chain yet; waiting");
  }
  requireTerms(bounty, toHex(termsHash));
  const calls = Math.max(state.roster_calls, wantsCommits ? state.commit_calls : 0, 1);
  const question = (n, who) => contextCall(ref, who, n);
  const own = worker ?? 0;
  const numbers = Array.from({ length: calls }, (_, n) => n);
  const contexts = (await at(numbers.map((n) => question(n, own)))).map(readContext);
  contexts.forEach((context) => requireTerms(bounty, context.termsHash));
  const shown = { state, last: moment.number, store };
  const roster = await rosterOf(bounty, contexts, shown);
  requireSoundRoster(roster.rows, terms, roster.position);
  const commits = wantsCommits ? await commitsOf(bounty, contexts, shown) : undefined;
  const seed = state.status >= Status.LABEL ? contexts[0].seed : toHex(new Uint8Array(32));
  return {
    block: moment.number,
    blockHash: moment.hash,
    ...{ time: moment.time, now: moment.now, early: moment.early },
    status: state.status,
    mark: state.mark,
    seed,
    rows: roster.rows,
    standing: (who) => standingOf(who, worker, contexts[0], commits?.standing ?? new Map()),
    isPosted: (who) => who === worker && contexts[0].isPosted,
    ...{ roster, commits, score: contexts[0].score },
    counts: { overrides: state.overrides, posted: state.posted },
  };
}

/** @param {import("./types.js").BountyRef} ref @param {number} worker @param {number} call */
function contextCall(ref, worker, call) {
  return calldata("context(uint256,uint256,uint256,uint256)", ref.bountyId, worker, call, call);
}

/**
 * What stands for each worker that the rows alone do not show; asked for only where there is any.
 * Before the score nobody but oneself matters, and all can still change.
 * @param {import("./bounty.js").Bounty} bounty @param {Seen} seen @param {number} own A worker.
 * @returns {Promise<{overrides: Map<number, {seats: number, commitment: string}>, posted: Set<number>}>}
 */
export async function lookAtWorkers(bounty, { status, rows, counts, blockHash }, own) {
  const { chain, ref } = bounty;
  const found = { overrides: new Map(), posted: new Set() };
  if (!counts.overrides && !counts.posted) return found;
  if (bounty.workers) return bounty.workers;
  const workers = status >= Status.SCORED ? rows.map((_, worker) => worker) : [own];
  const calls = workers.map((worker) => contextCall(ref, worker, 0));
  const contexts = (await chain.call(ref.board, calls, blockHash)).map(readContext);
  contexts.forEach(({ override, committed, isPosted }, i) => {
    const worker = workers[i];
    if (BigInt(override) !== 0n) found.overrides.set(worker, { seats: committed, commitment: override });
    if (isPosted) found.posted.add(worker);
  });
  if (status >= Status.SCORED) bounty.workers = found; // from then on none changes
  return found;
}

function standingOf(who, worker, context, commits) {
  if (who !== worker) throw new Refusal("another worker's commit was not asked for");
  if (BigInt(context.override) !== 0n) {
    return { seats: context.committed, commitment: context.override, isOverride: true };
  }
  const found = commits.get(who);
  if ((found?.seats ?? 0) !== context.committed) {
    throw new Refusal("the relay's commits are not those on chain; ask another relay");
  }
  return found && { ...found, isOverride: false };
}

/** @param {import("./bounty.js").Bounty} bounty @param {string} held */
function requireTerms(bounty, held) {
  if (held !== bounty.terms.hash) {
    throw new Refusal("these are not the terms that the board holds; do not label");
  }
}

async function rosterOf(bounty, contexts, shown) {
  const { state } = shown;
  if (bounty.roster?.hashes.length === state.roster_calls && isHeld(bounty.roster, contexts)) {
    return bounty.roster;
  }
  bounty.roster = await shownRows(bounty, "roster", state.roster_calls, shown, (calls) => {
    const roster = readRoster(calls);
    const isWhole = roster.position === state.position && roster.rows.length === state.workers;
    if (!isWhole || !isHeld(roster, contexts)) {
      throw new Refusal("the relay shows another roster than the board holds; do not label");
    }
    return roster;
  });
  return bounty.roster;
}

/**
 * Read rows as the relay shows them. After the score they are read from the chain itself where the
 * relay, which may be the requester's, withholds them; then they never change, and are kept.
 */
async function shownRows(bounty, what, count, { state, last, store }, check) {
  const isFixed = state.status >= Status.SCORED;
  const asked = async () => check(shownCalls(await bounty.relayGet(what), count, what));
  if (!isFixed) {
    try {
      return await asked();
    } catch (error) {
      throw ofStranger(error, "the relay");
    }
  }
  const kept = await store?.get(`calls/${what}`);
  try {
    if (kept) return check(shownCalls({ calls: kept }, count, what));
  } catch {
    // it is not what the board holds, and is asked for again
  }
  let found;
  try {
    found = await within(bounty.patience, asked(), "the relay");
  } catch {
    found = await broughtCalls(bounty, what, count, { mark: state.mark, last }, check);
  }
  await store?.put(`calls/${what}`, found.calls.map(({ chunks }) => chunks.map(toHex)));
  return found;
}

function isHeld(roster, contexts) {
  return roster.hashes.every((hash, n) => hash === contexts[n].roster);
}

async function commitsOf(bounty, contexts, shown) {
  const { state } = shown;
  const isSame = (commits) => commits.hashes.every((hash, n) => hash === contexts[n].commits);
  if (bounty.commits?.hashes.length === state.commit_calls && isSame(bounty.commits)) {
    return bounty.commits;
  }
  if (!state.commit_calls) return readCommits([]);
  bounty.commits = await shownRows(bounty, "commits", state.commit_calls, shown, (calls) => {
    const commits = readCommits(calls);
    if (!isSame(commits)) {
      throw new Refusal("the relay shows other commits than the board holds; ask another relay");
    }
    return commits;
  });
  return bounty.commits;
}

/** The relay may know newer calls than those that count as final. */
function shownCalls(reply, count, what) {
  const calls = Array.isArray(reply?.calls) ? reply.calls : [];
  if (calls.length < count) throw new Unavailable(`the relay does not show the whole ${what} yet`);
  return calls.slice(0, count);
}

function readState(data) {
  if (data.length !== 32 * STATE_WORDS) throw new Unavailable("a source answers with no state");
  const state = {};
  STATE.forEach((name, i) => {
    const value = toBigInt(data.subarray(32 * i, 32 * i + 32));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Unavailable("a source answers nonsense");
    state[name] = Number(value);
  });
  if (Math.max(state.roster_calls, state.commit_calls) > MAX_CALLS) {
    throw new Refusal("this bounty has more calls than a page can check; use the command line");
  }
  return state;
}

function readContext(data) {
  if (data.length !== 32 * CONTEXT_WORDS) throw new Unavailable("a source answers with no context");
  const at = (i) => data.subarray(32 * i, 32 * i + 32);
  const [termsHash, seed, , roster, commits, score, override] = [0, 1, 2, 3, 4, 5, 6].map((i) => toHex(at(i)));
  return {
    termsHash,
    seed,
    roster,
    commits,
    score,
    override,
    committed: Number(toBigInt(at(7))),
    isPosted: toBigInt(at(8)) === 1n,
  };
}
