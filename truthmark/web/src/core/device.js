// SPDX-License-Identifier: Apache-2.0
// The labeler's key of one bounty, and the file from which another device goes on.

import { fromHex, toHex } from "./bytes.js";
import { addressOf, randomKey, sign as signDigest } from "./curve.js";
import { Refusal } from "./errors.js";
import { digest } from "./typed.js";

const FORMAT = "truthmark/sitting/1";

/** @typedef {import("./types.js").Device} Device */

/**
 * Make a fresh key for a bounty. The flow puts it into the store before anything else.
 * @returns {Device}
 */
export function newDevice() {
  return deviceOf(toHex(randomKey()));
}

/** @param {string} privateKey Hex. @returns {Device} */
export function deviceOf(privateKey) {
  return { privateKey, address: addressOf(fromHex(privateKey, 32)) };
}

/** @param {Device} device @param {object} data Typed data. @returns {string} 65 bytes as hex. */
export function signTyped(device, data) {
  return toHex(signDigest(digest(data), fromHex(device.privateKey, 32)));
}

/**
 * Return a file that holds a sitting: the key, and all that the store has of it.
 * @param {import("./types.js").BountyRef} ref
 * @param {import("./types.js").Store} store
 * @returns {Promise<string>} JSON; whoever has it can label and be read as this labeler.
 */
export async function recoveryFile(ref, store) {
  const device = await store.get("device");
  if (!device) throw new Refusal("there is no sitting to save yet; join first");
  const entries = Object.fromEntries(await store.entries(""));
  return `${JSON.stringify({ format: FORMAT, ref, entries }, null, 1)}\n`;
}

/**
 * Read such a file into a store; what is there already stays only where it is of the same key.
 * @param {string} text
 * @param {import("./types.js").BountyRef} ref Of the bounty that is open.
 * @param {import("./types.js").Store} store
 * @returns {Promise<Device>}
 * @throws {Refusal} It is no such file, of another bounty, or there is another sitting here.
 */
export async function readRecoveryFile(text, ref, store) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    file = undefined;
  }
  if (file?.format !== FORMAT || typeof file.entries !== "object" || !file.entries?.device) {
    throw new Refusal("this is no recovery file of a sitting; choose the one that this page saved");
  }
  const found = file.ref ?? {};
  if (["chainId", "board", "bountyId"].some((name) => found[name] !== ref[name])) {
    throw new Refusal(`this file is of bounty ${Number(found.bountyId)} of another place; open that link`);
  }
  const device = deviceOf(file.entries.device.privateKey);
  const kept = await store.get("device");
  if (kept && kept.address !== device.address) {
    throw new Refusal("another sitting of this bounty is on this device; finish that one first");
  }
  for (const [key, value] of Object.entries(file.entries)) {
    // What was signed is never replaced: there is one set of labels for one secret.
    if ((await store.get(key)) === undefined) await store.put(key, value);
  }
  return device;
}
