// SPDX-License-Identifier: Apache-2.0
// What a labeler is to label, after all checks on which their pay depends.

import { look, Status } from "./board.js";
import { fromHex } from "./bytes.js";
import { labelerOf, signTyped } from "./device.js";
import { Refusal, Unavailable } from "./errors.js";
import { isSwapped } from "./pairs.js";
import { itemsOf, NO_ITEM } from "./permutation.js";
import { deadlines } from "./terms.js";
import { typedData } from "./typed.js";

/** @typedef {import("./types.js").Run} Run */

/**
 * Return the run of a device by the chain, confirmed: roster, row, payee, seed, time are checked.
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device
 * @param {{payee: string}} wish
 * @returns {Promise<Run>}
 * @throws {Refusal} Something is not as it must be: do not label.
 * @throws {Unavailable} Labeling has not begun, or nothing can be read just now.
 */
export async function myRun(bounty, device, wish) {
  return runOf(bounty, await look(bounty), device, wish);
}

/** The same of what was seen. @param {import("./board.js").Seen} seen @returns {Run} */
export function runOf(bounty, seen, device, wish) {
  const { terms, host } = bounty;
  if (seen.status === Status.OPEN || seen.status === Status.DRAWN) {
    throw new Unavailable("labeling has not begun yet");
  }
  if (seen.status !== Status.LABEL || BigInt(seen.seed) === 0n) {
    throw new Refusal("labeling is over; look for another bounty");
  }
  const worker = seen.rows.findIndex((row) => row.signer === labelerOf(device));
  const row = seen.rows[worker];
  if (!row) throw new Refusal("you are not on the roster; ask the relay, or look for another bounty");
  if (row.payee !== wish.payee.toLowerCase()) {
    throw new Refusal(`the roster would pay ${row.payee} and not you; do not label`);
  }
  const label = deadlines(terms, seen.mark).label;
  const reserve = 30 + Math.round(10 * host.block_time);
  const items = itemsOf(fromHex(seen.seed, 32), terms, row.start, row.seats);
  return {
    worker,
    start: row.start,
    seats: row.seats,
    seed: seen.seed,
    batch: terms.batch,
    items: items.flatMap((item, order) => {
      if (item === NO_ITEM) return [];
      const swapped = bounty.document.kind === "pair" && isSwapped(seen.seed, worker, item);
      return [{ item, order, swapped }];
    }),
    // A relay takes no commit so close to its deadline that a transaction could miss it.
    lastCall: label - Math.min(reserve, Math.floor(terms.label_seconds / 3)),
  };
}

/**
 * Return the keys of the items of a run, by item; empty where items are not encrypted.
 * @param {import("./bounty.js").Bounty} bounty @param {import("./types.js").Device} device
 * @param {Run} run
 * @returns {Promise<Record<number, string>>}
 * @throws {Refusal} The relay withholds some.
 */
export async function itemKeys(bounty, device, run) {
  if (!bounty.document.items.encrypted) return {};
  const { ref, terms } = bounty;
  const values = { terms_hash: terms.hash, seed: run.seed, worker: run.worker };
  const relay = await bounty.relay();
  const { keys } = await relay.send("POST", `bounties/${ref.bountyId}/keys`, {
    worker: run.worker,
    signature: signTyped(device, typedData(ref, "ItemKeys", values)),
  });
  const found = {};
  for (const { item } of run.items) {
    if (typeof keys?.[item] !== "string") {
      throw new Refusal("the relay withholds keys of your items; ask the requester, or leave this bounty");
    }
    fromHex(keys[item], 32);
    found[item] = keys[item];
  }
  return found;
}
