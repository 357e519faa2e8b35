// SPDX-License-Identifier: Apache-2.0
// The labeler's key of one bounty, and the file from which another device goes on.

import { concat, fromHex, toHex, word } from "./bytes.js";
import { addressOf, randomKey, readAddress, sign as signDigest, signerOf } from "./curve.js";
import { Refusal, Unavailable } from "./errors.js";
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

/** @param {Device} device @returns {string} Who labels: the wallet's account, or the key itself. */
export function labelerOf(device) {
  return device.signer ?? device.address;
}

/**
 * Return what signs as the labeler. What a wallet gives is held against its account before it
 * counts, for what was signed once is final.
 * @param {import("./bounty.js").Bounty} bounty @param {Device} device
 * @param {import("./types.js").AskWallet} [askWallet]
 * @returns {(data: object) => Promise<string>}
 */
export function signing(bounty, device, askWallet) {
  const account = device.signer;
  if (!account) return async (data) => signTyped(device, data);
  return async (data) => {
    if (!askWallet) throw new Refusal("a wallet's account labels here; go on in the browser that has it");
    for (let trouble = ""; ; ) {
      const signature = plainSignature(await askWallet(data, account, trouble));
      if (await isSignedBy(bounty, account, data, signature)) return signature;
      trouble = "that is no signature of this account, or the chain cannot be asked just now; try again";
    }
  };
}

/** Some wallets number the two keys that fit from 0. @param {unknown} text */
function plainSignature(text) {
  let bytes;
  try {
    bytes = fromHex(text);
  } catch {
    return "0x";
  }
  if (bytes.length === 65 && bytes[64] < 2) bytes[64] += 27;
  return toHex(bytes);
}

const MAGIC = "0x1626ba7e";

/** By its key or, where the account is a contract, by what that says (ERC-1271). */
async function isSignedBy(bounty, account, data, signature) {
  const bytes = fromHex(signature);
  if (signerOf(digest(data), bytes) === account) return true;
  const padded = concat(bytes, new Uint8Array((32 - (bytes.length % 32)) % 32));
  const asked = concat(fromHex(MAGIC), digest(data), word(64), word(bytes.length), padded);
  try {
    const [reply] = await bounty.chain.call(account, [asked]);
    return reply.length === 32 && toHex(reply) === MAGIC.padEnd(66, "0");
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return false;
  }
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
  const { privateKey, signer } = file.entries.device;
  const device = { ...deviceOf(privateKey), ...(signer && { signer: readAddress(signer).toLowerCase() }) };
  const kept = await store.get("device");
  if (kept && (kept.address !== device.address || kept.signer !== device.signer)) {
    throw new Refusal("another sitting of this bounty is on this device; finish that one first");
  }
  for (const [key, value] of Object.entries(file.entries)) {
    // What was signed is never replaced: there is one set of labels for one secret.
    if ((await store.get(key)) === undefined) await store.put(key, value);
  }
  return device;
}
