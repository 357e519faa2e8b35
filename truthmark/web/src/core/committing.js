// SPDX-License-Identifier: Apache-2.0
// Answers sealed for the requester, committed to and signed, once and for good.

import { annotationCode } from "./annotations.js";
import { look, Status } from "./board.js";
import { concat, fromHex, toHex } from "./bytes.js";
import { multiply } from "./curve.js";
import { signing } from "./device.js";
import { Refusal } from "./errors.js";
import { labelerSecret, labelFile, sealNotes } from "./labelfile.js";
import { itemsOf, NO_ITEM } from "./permutation.js";
import { commitmentOf, seal } from "./sealing.js";
import { deadlines } from "./terms.js";
import { typedData } from "./typed.js";

/**
 * @typedef {object} Signed A labeler's only word for their labels.
 * @property {number} worker
 * @property {number} seats
 * @property {string} seed
 * @property {string} termsHash
 * @property {string} codes Hex, a byte a place; 32 where labels are texts.
 * @property {string} commitment
 * @property {string} signature
 * @property {string} file The label file as hex: handed out only once the commit is final.
 */

/**
 * Seal and sign; in the store before it is returned, and the same again ever after.
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device
 * @param {import("./types.js").Run} run As `myRun` gave it just now.
 * @param {Record<number, number | string>} answers By item: a class, or C for a skip; a text, or an
 *   empty one for a skip. Whole seats count.
 * @param {import("./types.js").Store} store
 * @param {object} [notes] For the requester alone: {seconds: {item: s}, flags: {item: text}}.
 * @param {(data: object) => Promise<string>} [sign] Of the labeler.
 * @returns {Promise<Signed>}
 * @throws {Refusal} No seat is complete, or other labels were signed before.
 */
export async function sealAnswers(bounty, device, run, answers, store, notes = {}, sign = signing(bounty, device)) {
  const { ref, terms } = bounty;
  const codes = codesOf(terms, run, answers);
  const kept = await findSigned(run, store);
  if (kept) {
    if (kept.codes !== codesHex(codes)) {
      throw new Refusal("you signed other labels for this bounty before, and those are final");
    }
    return kept;
  }
  const seats = codes.length / terms.batch;
  const secret = labelerSecret(fromHex(device.privateKey, 32), ref, run.seed, run.worker);
  const scheme = { ref, worker: run.worker, batch: terms.batch, classes: terms.classes };
  const key = { x: terms.key_x, y: terms.key_y };
  const sealed = seal(scheme, secret, key, codes);
  const shown = await sealNotes(multiply(secret, key), notes);
  const commitment = toHex(commitmentOf(sealed));
  const values = { terms_hash: terms.hash, seed: run.seed, worker: run.worker, seats, commitment };
  const signed = {
    worker: run.worker,
    seats,
    seed: run.seed,
    termsHash: terms.hash,
    codes: codesHex(codes),
    commitment,
    signature: await sign(typedData(ref, "Commit", values)),
    file: toHex(labelFile(ref, run.worker, seats, sealed, shown)),
  };
  // Of two windows that sign at once one is first, and the other is refused.
  if (await store.add(nameOf(run), signed)) return signed;
  return sealAnswers(bounty, device, run, answers, store, notes, sign);
}

/** @param {import("./sealing.js").Code[]} codes */
function codesHex(codes) {
  return toHex(concat(...codes.map((code) => (typeof code === "number" ? Uint8Array.of(code) : code))));
}

/**
 * @param {Record<string, any>} terms @param {import("./types.js").Run} run
 * @returns {import("./sealing.js").Code[]}
 */
function codesOf(terms, run, answers) {
  const { classes, batch } = terms;
  const codes = [];
  for (const item of itemsOf(fromHex(run.seed, 32), terms, run.start, run.seats)) {
    const code = item === NO_ITEM ? (classes || "") : answers[item];
    if (code === undefined || code === null) break;
    if (!classes) {
      codes.push(annotationCode(code));
      continue;
    }
    if (!Number.isInteger(code) || code < 0 || code > classes) {
      throw new Refusal(`an answer is no class: 0 to ${classes - 1}, or ${classes} for a skip`);
    }
    codes.push(code);
  }
  const whole = Math.floor(codes.length / batch) * batch;
  if (!whole) throw new Refusal(`no batch is complete; answer the first ${batch} items`);
  return codes.slice(0, whole);
}

/**
 * Return what was signed before under the seed of a run, or undefined.
 * @param {{seed: string}} run @param {import("./types.js").Store} store
 * @returns {Promise<Signed | undefined>}
 */
export async function findSigned(run, store) {
  return store.get(nameOf(run));
}

// By seed: after a reorganisation that draws another one the items are others, and so is e.
function nameOf(run) {
  return `signed/${run.seed}`;
}

/**
 * Give the signed commit to the relay, to be posted; what it does not post is overridden.
 * @param {import("./bounty.js").Bounty} bounty @param {Signed} signed
 * @returns {Promise<{state: string, posts_by: ?number}>}
 */
export async function sendCommit(bounty, signed) {
  const relay = await bounty.relay();
  const { worker, seats, commitment, signature } = signed;
  const request = { worker, seats, commitment, signature };
  return relay.send("POST", `bounties/${bounty.ref.bountyId}/commits`, request);
}

/**
 * How the commit stands on chain, confirmed, by two sources that agree (one on a devnet).
 * @param {import("./bounty.js").Bounty} bounty @param {Signed} signed
 * @returns {Promise<{state: "missing"|"final"|"differs"|"lost"|"over"|"reseeded", until: number,
 *   postUntil: number, isPosted: boolean, oneSource: boolean, now: number}>} missing: not on chain
 *   with all confirmations; final: exactly it is; differs: something else stands there, or the
 *   relay's time is over, and it must be overridden until `until`; lost: too late for that;
 *   over: the bounty was scored or has ended; reseeded: after a reorganisation other items are asked.
 */
export async function commitState(bounty, signed) {
  const seen = await look(bounty, { worker: signed.worker });
  const times = deadlines(bounty.terms, seen.mark);
  const { oneSource } = bounty.chain;
  const found = {
    until: times.commit,
    postUntil: times.post,
    isPosted: seen.isPosted(signed.worker),
    oneSource,
    now: seen.now,
  };
  const standing = seen.standing(signed.worker);
  const isOurs = standing?.commitment === signed.commitment && standing.seats === signed.seats;
  if (seen.status > Status.LABEL) return { ...found, state: isOurs ? "over" : "lost" };
  if (seen.status !== Status.LABEL || seen.seed !== signed.seed) {
    return { ...found, state: "reseeded" };
  }
  if (isOurs) return { ...found, state: "final" };
  if (seen.early > times.commit || standing?.isOverride) return { ...found, state: "lost" };
  return { ...found, state: !standing && seen.now <= times.label ? "missing" : "differs" };
}
