// SPDX-License-Identifier: Apache-2.0
// A labeler asks the relay for a place.

import { calldata, look, Status } from "./board.js";
import { toBigInt } from "./bytes.js";
import { readAddress } from "./curve.js";
import { signTyped } from "./device.js";
import { Refusal, Unavailable } from "./errors.js";
import { oneLine } from "./http.js";
import { NO_ACCOUNT } from "./terms.js";
import { typedData } from "./typed.js";

/** @typedef {{payee: string, seats: number, code?: string}} Wish */
/** @typedef {{state: "waiting"|"enrolled"|"removed", worker: ?number, seats: number, payee: string, enrolls_by: ?number, reason: string}} JoinState */

/**
 * Ask for seats; the same again returns how that stands.
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device
 * @param {Wish} wish
 * @returns {Promise<JoinState>}
 * @throws {Refusal} It cannot be joined so.
 */
export async function join(bounty, device, wish) {
  const { ref, terms } = bounty;
  requireWish(terms, wish);
  const relay = await bounty.relay();
  const values = {
    terms_hash: terms.hash,
    signer: device.address,
    payee: wish.payee.toLowerCase(),
    seats: wish.seats,
  };
  const state = await relay.send("POST", `bounties/${ref.bountyId}/joins`, {
    signer: device.address,
    payee: values.payee,
    seats: wish.seats,
    signature: signTyped(device, typedData(ref, "Join", values)),
    code: wish.code || null,
  });
  return checked(state, wish);
}

function checked(state, wish) {
  if (state?.state === "removed") {
    throw new Refusal(`the relay did not take you in: ${oneLine(String(state.reason || "it says not why"))}`);
  }
  if (String(state?.payee).toLowerCase() !== wish.payee.toLowerCase()) {
    throw new Refusal("the relay would have somebody else paid; do not label for this requester");
  }
  return state;
}

/** @param {Record<string, any>} terms @param {Wish} wish */
function requireWish(terms, { payee, seats, code }) {
  readAddress(payee);
  if (!Number.isInteger(seats) || seats < terms.min_run || seats > terms.max_run) {
    const { min_run, max_run, batch } = terms;
    throw new Refusal(`this bounty gives ${min_run} to ${max_run} batches of ${batch} items to each`);
  }
  if (code && !/^[!-~]{8,64}$/.test(code)) {
    throw new Refusal("this is no invitation code; open the whole link that you were sent");
  }
}

/**
 * Refuse to join where nobody can any more, or a gate does not admit the signer.
 * @param {import("./bounty.js").Bounty} bounty @param {import("./types.js").Device} device
 */
export async function requireJoinable(bounty, device) {
  const { chain, terms, ref } = bounty;
  const seen = await look(bounty);
  if (seen.status !== Status.OPEN || seen.now > seen.mark + terms.join_seconds) {
    throw new Refusal("this bounty takes no more labelers; look for another one");
  }
  if (terms.gate === NO_ACCOUNT) return;
  const [reply] = await chain.call(terms.gate, [
    calldata("admits(uint256,address)", ref.bountyId, device.address),
  ]);
  if (reply.length !== 32 || toBigInt(reply) === 0n) {
    throw new Refusal("the gate of this bounty does not admit this key; use the account that it admits");
  }
}

/**
 * How a signer's wish stands, as the relay says; null where it knows none. The chain decides.
 * @param {import("./bounty.js").Bounty} bounty @param {import("./types.js").Device} device
 * @returns {Promise<?JoinState>}
 */
export async function joinState(bounty, device) {
  const relay = await bounty.relay();
  try {
    return await relay.get(`bounties/${bounty.ref.bountyId}/joins/${device.address}`);
  } catch (error) {
    if (error instanceof Unavailable && error.status === 404) return null;
    throw error;
  }
}
