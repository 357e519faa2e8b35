// SPDX-License-Identifier: Apache-2.0
// The published vectors of docs/bounties.md, met by the pages' core.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toBigInt, toHex, uint } from "../../truthmark/web/src/core/bytes.js";
import { cidOf } from "../../truthmark/web/src/core/cid.js";
import { liftX, multiply } from "../../truthmark/web/src/core/curve.js";
import { readDocument } from "../../truthmark/web/src/core/document.js";
import { hashWords, sha256 } from "../../truthmark/web/src/core/hash.js";
import { checkStored, openStored, readManifest } from "../../truthmark/web/src/core/items.js";
import { labelerSecret, labelFile } from "../../truthmark/web/src/core/labelfile.js";
import { itemAt, placeOf, roundKey } from "../../truthmark/web/src/core/permutation.js";
import { hashOfHeads, readCommits, readRoster } from "../../truthmark/web/src/core/roster.js";
import * as sealing from "../../truthmark/web/src/core/sealing.js";
import { digestHex, typedData } from "../../truthmark/web/src/core/typed.js";

const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url)));
const vectors = read("../vectors/bounties.json");
const number = (value) => BigInt(value);
const point = ([x, y]) => ({ x: number(x), y: number(y) });
const refOf = (entry) => ({ chainId: vectors.chain_id, board: vectors.board, bountyId: entry.bounty });

test("permutations agree, forth and back", () => {
  const seed = fromHex(vectors.seed);
  for (const { round, key, count, items, places } of vectors.permutations) {
    assert.equal(roundKey(seed, round), number(key));
    (items ?? places.map((_, i) => i)).forEach((item, i) => {
      assert.equal(placeOf(number(key), count, item), places[i]);
      assert.equal(itemAt(number(key), count, places[i]), item);
    });
  }
});

test("seals agree", () => {
  assert.ok(vectors.seals.some(({ classes }) => classes === 0));
  for (const entry of vectors.seals) {
    const { batch, classes, worker, seats } = entry;
    const scheme = { ref: refOf(entry), worker, batch, classes };
    const codes = entry.codes.map((code) => (classes ? code : fromHex(code)));
    const run = sealing.seal(scheme, number(entry.e), point(entry.key), codes);
    const shared = multiply(number(entry.e), point(entry.key));
    assert.deepEqual(shared, point(entry.S));
    const secrets = sealing.secretsOf(scheme, shared, seats);
    assert.deepEqual(secrets.map(toHex), entry.secrets);
    const salts = sealing.saltsOf(scheme, secrets).map(toHex);
    assert.equal(salts.length, seats * batch);
    assert.deepEqual(salts.slice(0, entry.salts.length), entry.salts); // the first ones are printed
    assert.deepEqual(run.point, point(entry.E));
    assert.equal(toHex(run.sealed), entry.sealed);
    assert.equal(toHex(run.root), entry.root);
    assert.equal(toHex(sealing.sealOf(run)), entry.seal);
    assert.equal(toHex(sealing.commitmentOf(run)), entry.commitment);
  }
});

test("files agree", () => {
  const { private_key, seed, e, seats, file } = vectors.files;
  const sealed = vectors.seals.find((entry) => entry.e === e) ?? { bounty: 7, worker: 300 };
  const ref = { chainId: vectors.chain_id, board: vectors.board, bountyId: 7 };
  assert.equal(labelerSecret(fromHex(private_key), ref, seed, sealed.worker), number(e));
  const bytes = fromHex(file);
  const body = bytes.subarray(44 + 32);
  const run = {
    root: bytes.subarray(44, 76),
    point: liftX(toBigInt(body.subarray(0, 32)), body[32]),
    sealed: body.subarray(37),
  };
  assert.equal(toHex(labelFile(ref, sealed.worker, seats, run)), file);
});

test("rosters and commits agree", () => {
  const { first_worker, first_seat, rows, ...wanted } = vectors.rosters;
  const hexOf = ({ signer, payee, seats }) => signer.slice(2) + payee.slice(2) + toHex([seats]).slice(2);
  const chunksOf = (list) =>
    Array.from({ length: Math.ceil(list.length / 32) }, (_, i) => `0x${list.slice(32 * i, 32 * i + 32).join("")}`);
  // Rows before, in a call of their own, so that these begin where the vectors do.
  const before = Array.from({ length: first_worker }, (_, i) => {
    const seats = i ? 0 : first_seat;
    return "11".repeat(20) + "22".repeat(20) + toHex(uint(seats, 1)).slice(2);
  });
  const roster = readRoster([chunksOf(before), chunksOf(rows.map(hexOf))]);
  assert.equal(roster.hashes[1], wanted.roster_hash);
  assert.equal(hashOfHeads(wanted.roster_heads.map((head) => fromHex(head))), wanted.roster_hash);
  const commitRow = (_, i) =>
    [uint(i, 2), uint(1 + (i % 9), 1), hashWords(i)].map((part) => toHex(part).slice(2)).join("");
  const commitRows = Array.from({ length: 70 }, commitRow);
  wanted.commit_rows.forEach((row, i) => assert.equal(`0x${commitRows[i]}`, row));
  const commits = readCommits([chunksOf(commitRows)]);
  assert.equal(commits.hashes[0], wanted.commit_hash);
});

test("messages agree", () => {
  const { messages } = vectors;
  const ref = refOf(messages);
  const values = { ...messages, seed: vectors.seed };
  for (const primary of ["Join", "Commit", "Acknowledged", "Serve", "ItemKeys"]) {
    assert.equal(digestHex(typedData(ref, primary, values)), messages[primary], primary);
  }
});

test("items agree, with and without keys", async () => {
  for (const entry of vectors.items) {
    const data = fromHex(entry.data);
    const info = {
      count: entry.labeled.length,
      shown: entry.shown.length,
      manifest: entry.manifest_cid,
      encrypted: entry.secret !== null,
    };
    assert.equal(cidOf(data), entry.data_cid);
    const manifest = readManifest(fromHex(entry.manifest), info);
    let at = 0;
    for (const [i, wanted] of [...entry.labeled, ...entry.shown].entries()) {
      const stored = data.subarray(at, at + manifest.length(i));
      at += manifest.length(i);
      await checkStored(manifest, i, stored);
      const item = await openStored(manifest, i, stored, entry.keys[i]);
      assert.equal(item.media, wanted.media);
      assert.equal(toHex(item.bytes), wanted.data);
    }
  }
});

test("documents agree", () => {
  const data = fromHex(vectors.documents.document);
  assert.equal(toHex(sha256(data)), vectors.documents.hash);
  const terms = { document: vectors.documents.hash, items: 2, classes: 2 };
  assert.equal(readDocument(data, terms).title, "Größe");
  assert.equal(cidOf(data), vectors.documents.cid);
});

const path = process.env.TRUTHMARK_CASES;

test("random cases of the library agree", { skip: !path }, async () => {
  const { readTerms } = await import("../../truthmark/web/src/core/terms.js");
  const { addressOf, checksummed, sign, signerOf } = await import("../../truthmark/web/src/core/curve.js");
  const { itemsOf } = await import("../../truthmark/web/src/core/permutation.js");
  const { isSwapped } = await import("../../truthmark/web/src/core/pairs.js");
  const cases = JSON.parse(readFileSync(path));
  for (const { texts, hash } of cases.terms) assert.equal(readTerms(texts).hash, hash);
  for (const { key, digest, signature, address } of cases.signatures) {
    assert.equal(toHex(sign(fromHex(digest), fromHex(key))), signature);
    assert.equal(addressOf(fromHex(key)), address.toLowerCase());
    assert.equal(checksummed(address.toLowerCase()), address);
    assert.equal(signerOf(fromHex(digest), fromHex(signature)), address.toLowerCase());
  }
  for (const { seed, terms, start, seats, items } of cases.runs) {
    assert.deepEqual(itemsOf(fromHex(seed), terms, start, seats), items);
  }
  for (const { size, cid } of cases.cids) {
    assert.equal(cidOf(Uint8Array.from({ length: size }, (_, i) => i % 251)), cid);
  }
  for (const { seed, worker, item, swapped } of cases.pairs) {
    assert.equal(isSwapped(seed, worker, item), swapped);
  }
});
