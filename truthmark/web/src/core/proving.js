// SPDX-License-Identifier: Apache-2.0
// A lie made ready to be sent: by a wallet of this browser, or by anyone who is given the file.

import { callOf, words } from "./abi.js";
import { calldata, look, Status } from "./board.js";
import { toBigInt, toHex, word } from "./bytes.js";
import { checksummed } from "./curve.js";
import { Refusal, Unavailable } from "./errors.js";
import { logsAt, topicOf } from "./logs.js";

const FORMAT = "truthmark/proof/1";

/** Gas that each proof takes at most, on bounties of the usual size (docs/gas.md). */
const GAS = { answer: 300_000, line: 160_000, delivered: 150_000, readable: 175_000 };
const GAS_A_LABEL = 1_000;
const GAS_A_GOLD = 1_450;
const WITHDRAW_GAS = 80_000;
const ACCOUNT = /^0x0{24}[0-9a-f]{40}$/i;
const LIE_PROVEN = topicOf("LieProven(uint256,uint256,address,uint256)");

/** @typedef {import("./bounty.js").Bounty} Bounty */
/** @typedef {import("./lies.js").Lie} Lie */
/**
 * @typedef {object} Reward Of a proof, while the board keeps it.
 * @property {string} account Who proved it.
 * @property {bigint} units All that the board keeps for that account, in the token of the bounty.
 */

/**
 * Make a proof ready, after a last look: nothing is sent for what somebody else has proven, nor is
 * anything shown to the world for a score that only one source knows.
 * @param {Bounty} bounty @param {Lie} lie @param {string} score Its hash, of which it is a lie.
 * @returns {Promise<{to: string, data: string}>} Anyone may send it.
 * @throws {Refusal} It can no longer be proven.
 */
export async function proofOf(bounty, lie, score) {
  const { chain, ref, terms } = bounty;
  chain.requireSure();
  const seen = await look(bounty);
  const isScored = seen.status === Status.SCORED || seen.status === Status.SCORED_HALF;
  if (!isScored || seen.score !== score) {
    throw new Refusal("this score does not stand any more; somebody has disproved it, or it has ended");
  }
  if (seen.early > seen.mark + terms.challenge_seconds) {
    throw new Refusal("the time in which this score could be disproved is over");
  }
  const [proofs] = await chain.call(ref.board, [calldata("proofs()")], seen.blockHash);
  return { to: toHex(proofs.subarray(12)), data: toHex(lie.call()) };
}

/**
 * What pays out to an account what the board holds for it, such as the reward of a proof.
 * @param {Bounty} bounty @param {string} account
 * @returns {{to: string, data: string}}
 */
export function withdrawalOf({ ref, terms }, account) {
  const data = callOf("withdraw(address,address,uint256)", [words(terms.token, account, 0)]);
  return { to: ref.board, data: toHex(data) };
}

/**
 * Look who disproved a score, and whether the board still keeps their reward.
 * @param {Bounty} bounty @param {import("./board.js").Seen} seen Of a bounty that ended by a proof.
 * @returns {Promise<?Reward>} Null where there is none, or it was taken out.
 * @throws {Unavailable} It cannot be read just now.
 */
export async function rewardOf({ chain, ref, terms }, seen) {
  if (!terms.reward) return null;
  const wanted = { address: ref.board, topics: [LIE_PROVEN, toHex(word(ref.bountyId))] };
  const account = await chain.alike(async (ask) => {
    const [log] = await logsAt(ask, wanted, seen.mark, seen.block);
    const prover = log?.topics?.[3];
    if (ACCOUNT.test(prover)) return `0x${prover.slice(26).toLowerCase()}`;
    throw new Unavailable("a source of the chain does not show who disproved the score; trying again");
  });
  const [held] = await chain.call(ref.board, [calldata("balances(address,address)", terms.token, account)], seen.blockHash);
  const units = toBigInt(held);
  return units ? { account, units } : null;
}

/**
 * Return a proof as a file: whoever sends it with `truthmark bounty prove` gets the reward.
 * @param {Bounty} bounty @param {{to: string, data: string}} proof
 * @returns {string} JSON.
 */
export function proofFile({ ref }, { to, data }) {
  const { chainId, board, bountyId } = ref;
  const file = {
    ...{ format: FORMAT, chain_id: chainId, board: checksummed(board), bounty: bountyId },
    ...{ to: checksummed(to), data },
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}

/**
 * How much gas a proof, and taking the reward out where there is one, take at most.
 * @param {Record<string, any>} terms @param {Lie} lie @param {number} seats Of whom it is about.
 */
export function gasOf(terms, { kind }, seats) {
  const more = { line: GAS_A_GOLD * terms.gold_count, readable: GAS_A_LABEL * seats * terms.batch };
  return GAS[kind] + (more[kind] ?? 0) + (terms.reward ? WITHDRAW_GAS : 0);
}

/**
 * What gas costs just now, as one source has it; only to be shown.
 * @param {Bounty} bounty @param {number} gas
 * @returns {Promise<?bigint>} In the chain's smallest unit; null where nobody says.
 */
export async function feeOf({ chain }, gas) {
  try {
    return await chain.anyone(async (ask) => {
      const [block] = await ask([["eth_getBlockByNumber", ["latest", false]]]);
      return /^0x[0-9a-f]{1,32}$/i.test(block?.baseFeePerGas) ? BigInt(gas) * BigInt(block.baseFeePerGas) : undefined;
    });
  } catch (error) {
    if (error instanceof Unavailable) return null;
    throw error;
  }
}
