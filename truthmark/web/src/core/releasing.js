// SPDX-License-Identifier: Apache-2.0
// Labels handed out once their commit is final; or left with nodes that do so.

import { fromHex, toBase64, toHex } from "./bytes.js";
import { commitState } from "./committing.js";
import { signerOf } from "./curve.js";
import { ofStranger, Refusal, Unavailable } from "./errors.js";
import { within } from "./http.js";
import { Relay } from "./relay.js";
import { digest, typedData } from "./typed.js";

/** @typedef {import("./committing.js").Signed} Signed */
/** @typedef {import("./bounty.js").Bounty} Bounty */

/**
 * Hand the file to relay and receivers. Asks the chain again first: nothing that opens the labels
 * leaves before exactly their commit is on it, confirmed, by two sources.
 * @param {Bounty} bounty @param {Signed} signed
 * @returns {Promise<string[]>} Who took it.
 * @throws {Refusal} The commit is not there: nothing was handed out.
 * @throws {Unavailable} Nobody takes it just now, or nobody can be asked.
 */
export async function release(bounty, signed) {
  bounty.chain.requireSure();
  const { state } = await commitState(bounty, signed);
  if (state !== "final" && state !== "over") {
    throw new Refusal("your commit is not on the chain; nothing is handed out before it is");
  }
  const taken = [];
  let problem = new Unavailable("nobody takes the labels just now; trying again");
  const bytes = fromHex(signed.file);
  const handed = helpers(bounty).map(async (helper) => {
    try {
      await helper.put(`bounties/${bounty.ref.bountyId}/files/${signed.worker}`, bytes);
      taken.push(helper.url);
    } catch (error) {
      problem = ofStranger(error, "the relay");
    }
  });
  // All at once, and the slow ones go on beside what comes next.
  await within(bounty.patience, Promise.all(handed), "a server").catch(() => {});
  if (!taken.length) await Promise.all(handed);
  if (!taken.length) throw problem;
  return [...taken];
}

/** Where files are handed out: the relays, and the requester's receivers beside. */
function helpers(bounty) {
  const urls = new Set(bounty.relays.map(({ url }) => url));
  const more = bounty.document.receiver_urls.map((url) => new Relay(url, bounty.fetch));
  return [...bounty.relays, ...more.filter(({ url }) => !urls.has(url))];
}

/**
 * The receiver's signature for the file, checked; undefined while there is none. All are asked at
 * once, for a short while: who is slow holds nothing back.
 * @param {Bounty} bounty @param {Signed} signed
 * @returns {Promise<string | undefined>}
 */
export async function acknowledged(bounty, signed) {
  const path = `bounties/${bounty.ref.bountyId}/acknowledgements/${signed.worker}`;
  const asked = helpers(bounty).map(async (helper) => {
    const { signature } = await helper.get(path);
    if (!isAcknowledgement(bounty, signed, signature)) throw new Refusal("it is no signature of the receiver");
    return signature;
  });
  return within(bounty.patience, Promise.any(asked), "a server").catch(() => undefined);
}

/** Whether the receiver of the terms signed for labels, so that it cannot deny them. */
export function isAcknowledgement(bounty, signed, signature) {
  const { worker, commitment } = signed;
  const values = { terms_hash: bounty.terms.hash, worker, commitment };
  let bytes;
  try {
    bytes = fromHex(signature, 65);
  } catch {
    return false;
  }
  const signer = signerOf(digest(typedData(bounty.ref, "Acknowledged", values)), bytes);
  return signer === bounty.terms.receiver && BigInt(signer) !== 0n;
}

/**
 * Leave commit and sealed file with watch nodes, which read nothing. Before the commit is final no
 * node of the bounty's own gets them (team mode excepted): with the requester it could read the
 * labels, post nothing, and nobody would be paid.
 * @param {Bounty} bounty @param {Signed} signed
 * @param {{url: string}[]} [nodes] Those that this page's server names, if not given.
 * @returns {Promise<{taken: string[], refused: {url: string, why: string}[]}>}
 */
export async function deposit(bounty, signed, nodes = bounty.host.watch) {
  const { document, terms, ref } = bounty;
  const own = new Set(
    [
      ...bounty.relays.map(({ url }) => url),
      ...document.relay_urls,
      ...document.receiver_urls,
      ...document.watch.map(({ url }) => url),
    ].map(placeOf),
  );
  const isOwn = ({ url }) => own.has(placeOf(url)) && !terms.isTeam;
  const isFinal = nodes.some(isOwn) && (await isOnChain(bounty, signed));
  const taken = [];
  const refused = [];
  for (const { url } of nodes) {
    if (isOwn({ url }) && !isFinal) {
      refused.push({ url, why: "it is the bounty's own, and gets nothing before the commit is on chain" });
      continue;
    }
    const { worker, seats, commitment, signature, file } = signed;
    const request = { seats, commitment, signature, file: toBase64(fromHex(file)), sealed_secret: null };
    try {
      const relay = new Relay(url, bounty.fetch);
      const state = await relay.send("PUT", `bounties/${ref.bountyId}/deposits/${worker}`, request);
      if (toHex(fromHex(state?.commitment, 32)) !== commitment) {
        throw new Refusal("it has other labels of yours");
      }
      taken.push(url);
    } catch (error) {
      if (!(error instanceof Unavailable || error instanceof Refusal)) throw error;
      refused.push({ url, why: error.message });
    }
  }
  return { taken, refused };
}

async function isOnChain(bounty, signed) {
  try {
    bounty.chain.requireSure();
    return ["final", "over"].includes((await commitState(bounty, signed)).state);
  } catch (error) {
    if (!(error instanceof Unavailable || error instanceof Refusal)) throw error;
    return false;
  }
}

function placeOf(url) {
  return new URL(url).origin;
}
