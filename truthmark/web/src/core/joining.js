// SPDX-License-Identifier: Apache-2.0
// A labeler asks the relay for a place.

import { calldata, look, Status } from "./board.js";
import { toBigInt } from "./bytes.js";
import { readAddress } from "./curve.js";
import { labelerOf, signing } from "./device.js";
import { Refusal, Unavailable } from "./errors.js";
import { oneLine } from "./http.js";
import { NO_ACCOUNT } from "./terms.js";
import { typedData } from "./typed.js";

/** @typedef {{payee: string, seats: number, code?: string, signature?: string}} Wish signature: of Join, once it is there. */
/** @typedef {{state: "waiting"|"enrolled"|"removed", worker: ?number, seats: number, payee: string, enrolls_by: ?number, reason: string}} JoinState */

/**
 * Ask for seats; the same again returns how that stands.
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device
 * @param {Wish} wish Signed here, if it is not yet.
 * @returns {Promise<JoinState>}
 * @throws {Refusal} It cannot be joined so.
 */
export async function join(bounty, device, wish) {
  const { signature } = wish.signature ? wish : await signWish(bounty, device, wish, signing(bounty, device));
  const relay = await bounty.relay();
  const state = await relay.send("POST", `bounties/${bounty.ref.bountyId}/joins`, {
    signer: labelerOf(device),
    payee: wish.payee.toLowerCase(),
    seats: wish.seats,
    signature,
    code: wish.code || null,
    // Else a wallet would be asked once more, for the keys of its items.
    reader: device.signer ? device.address : null,
  });
  return checked(state, wish);
}

/**
 * Have a wish signed.
 * @param {import("./bounty.js").Bounty} bounty @param {import("./types.js").Device} device
 * @param {Wish} wish @param {(data: object) => Promise<string>} sign
 * @returns {Promise<Wish>} With its signature.
 * @throws {Refusal} It cannot be joined so.
 */
export async function signWish(bounty, device, wish, sign) {
  const { ref, terms } = bounty;
  requireWish(terms, wish);
  await bounty.relay(); // nothing is signed for one that the terms do not name
  const [payee, signer] = [wish.payee.toLowerCase(), labelerOf(device)];
  const values = { terms_hash: terms.hash, signer, payee, seats: wish.seats };
  return { ...wish, signature: await sign(typedData(ref, "Join", values)) };
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
  const seen = await look(bounty);
  if (seen.status !== Status.OPEN || seen.early > seen.mark + bounty.terms.join_seconds) {
    throw new Refusal("this bounty takes no more labelers; look for another one");
  }
  if (!(await isAdmitted(bounty, labelerOf(device)))) {
    throw new Refusal("the gate of this bounty does not admit this key; use the account that it admits");
  }
}

/** @param {import("./bounty.js").Bounty} bounty @returns {boolean} Whether only certain accounts may join. */
export function isGated({ terms }) {
  return terms.gate !== NO_ACCOUNT;
}

/**
 * Whether the gate of the terms admits an account; where there is none, it does.
 * @param {import("./bounty.js").Bounty} bounty @param {string} account
 * @returns {Promise<boolean>}
 */
export async function isAdmitted(bounty, account) {
  const { chain, terms, ref } = bounty;
  if (!isGated(bounty)) return true;
  const asked = calldata("admits(uint256,address)", ref.bountyId, account);
  const [reply] = await chain.call(terms.gate, [asked]);
  return reply.length === 32 && toBigInt(reply) !== 0n;
}

/**
 * How a signer's wish stands, as the relay says; null where it knows none. The chain decides.
 * @param {import("./bounty.js").Bounty} bounty @param {import("./types.js").Device} device
 * @returns {Promise<?JoinState>}
 */
export async function joinState(bounty, device) {
  const relay = await bounty.relay();
  try {
    return await relay.get(`bounties/${bounty.ref.bountyId}/joins/${labelerOf(device)}`);
  } catch (error) {
    if (error instanceof Unavailable && error.status === 404) return null;
    throw error;
  }
}
