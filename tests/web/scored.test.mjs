// SPDX-License-Identifier: Apache-2.0
// A score as a labeler's browser reads it, whoever lies about it; and what leaves the browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, fromHex, toHex, uint } from "../../truthmark/web/src/core/bytes.js";
import * as core from "../../truthmark/web/src/core/index.js";
import { labelerSecret } from "../../truthmark/web/src/core/labelfile.js";
import { placeOf, roundKey } from "../../truthmark/web/src/core/permutation.js";
import { MapStore } from "./store.mjs";
import { BASE, ID, OTHER, PAYEE, PROVER, RELAY, SEED, WATCH, World } from "./world.mjs";

const WISH = { payee: PAYEE, seats: 4 };
const ITEMS = Array.from({ length: 12 }, (_, i) => i);

/** A labeler of all of the first round, who has delivered; `bodies` is all that leaves the browser. */
async function delivered(options = {}) {
  const world = await World.make({ isTeam: false, more: { reward: 500 }, ...options });
  const bodies = [];
  const fetcher = (url, init = {}) => {
    bodies.push(`${url} ${init.body ?? ""}`);
    return world.fetch(url, init);
  };
  const device = core.newDevice();
  const bounty = await core.openBounty(BASE, ID, { fetch: fetcher });
  world.enroll(device);
  const run = await core.myRun(bounty, device, WISH);
  const store = new MapStore();
  await store.put("device", device);
  const answers = world.answers(run);
  const signed = await core.sealAnswers(bounty, device, run, answers, store);
  world.post(signed);
  bodies.length = 0;
  return { world, bounty, device, store, signed, answers, bodies, look: () => core.standingOf(bounty, device, store) };
}

/** A score of the first round alone, in which nothing counts, so that all get the half. */
function posted(answers, { lie = {}, line = 0 } = {}) {
  const rows = ITEMS.map((item) => [lie[item] ?? answers[item], 254, 254, 254]);
  const gold = ITEMS.map((item) => concat(uint(item, 3), uint(item % 2, 1)));
  return { gold: concat(...gold), entries: Uint8Array.from(rows.flat()), lines: uint(line, 3) };
}

const isRefusal = (kind, pattern) => (error) => error instanceof kind && pattern.test(error.message);

test("before the score it waits, and a true one is shown with each answer", async () => {
  const { world, look, answers } = await delivered();
  assert.equal((await look()).phase, "waiting");
  world.score(posted(answers), 5);
  const found = await look();
  assert.equal(found.phase, "challenge");
  assert.equal(found.end, "half");
  assert.deepEqual(found.lies, []);
  assert.equal(found.judgement.half, "nothing counts");
  assert.equal(found.judgement.lines.length, 12);
  assert.deepEqual(found.pay, { price: 600n, bond: 0n, withheld: 600n });
  const places = found.judgement.lines.map(({ item }) => placeOf(roundKey(fromHex(SEED), 0), 12, item));
  assert.deepEqual(places, ITEMS); // as they stood in the run
  for (const { item, own, said, answer } of found.judgement.lines) assert.deepEqual([own, said, answer], [item % 2, item % 2, item % 2]);
});

test("a lie is made ready, and nothing that opens other labels leaves the browser", async () => {
  const { world, bounty, look, answers, bodies, device, signed } = await delivered();
  world.score(posted(answers, { lie: { 7: 0 } }), 5);
  const { lies, score, judgement } = await look();
  assert.deepEqual(lies.map(({ kind, worker, gold, claimed, truth }) => [kind, worker, gold, claimed, truth]), [["answer", 0, 7, 0, 1]]);
  assert.deepEqual(judgement.lines.filter(({ isDisputed }) => isDisputed).map(({ item }) => item), [7]);
  const { to, data } = await core.proofOf(bounty, lies[0], score);
  assert.equal(to, PROVER);
  const file = JSON.parse(core.proofFile(bounty, { to, data }));
  assert.deepEqual([file.format, file.bounty, file.data], ["truthmark/proof/1", ID, data]);
  const secret = labelerSecret(fromHex(device.privateKey), bounty.ref, SEED, 0).toString(16);
  for (const word of [device.privateKey.slice(2), secret, signed.codes.slice(2), data.slice(-256)]) {
    assert.ok(!bodies.some((body) => body.includes(word)), word);
  }
});

test("marks are disproved by what the labeler has", async () => {
  for (const [mark, kind] of [[2 ** 22, "delivered"], [2 ** 23, "readable"]]) {
    const { world, look, answers, signed, store } = await delivered();
    const lie = Object.fromEntries(ITEMS.map((item) => [item, 254]));
    world.score(posted(answers, { lie, line: mark }), 5);
    world.acknowledge(signed);
    if (kind === "delivered") {
      assert.deepEqual((await look()).lies, []); // not without the signature, nor with another one
      await store.put(`acknowledged/${signed.commitment}`, `0x${"11".repeat(65)}`);
      assert.deepEqual((await look()).lies, []);
      await store.put(`acknowledged/${signed.commitment}`, world.acknowledgement);
    }
    const { lies, pay, judgement } = await look();
    assert.deepEqual(lies.map((each) => each.kind), [kind]);
    assert.deepEqual([pay.price, judgement.mark, judgement.posted], [0n, mark, null]);
  }
});

test("another score than the board's is taken from nobody", async () => {
  const { world, bounty, look, answers, store } = await delivered();
  world.score(posted(answers), 5);
  const forged = Object.assign(await World.make({ isTeam: false }), { terms: world.terms });
  forged.score(posted(answers, { lie: { 3: 0 } }), 5);
  const lying = ({ method }, honest) => (method === "eth_getLogs" ? forged.logs : honest);
  for (const place of [BASE, OTHER, WATCH, RELAY]) world.bent[`${place} chain`] = lying;
  await assert.rejects(look(), isRefusal(core.Unavailable, /no source/));
  world.bent[`${OTHER} chain`] = undefined;
  assert.equal((await look()).lies.length, 0);
  // Kept, it is held against the board again.
  const [[name, kept]] = await store.entries("score/");
  await store.put(name, { ...kept, entries: kept.entries.replace("0x00", "0x01") });
  bounty.judged = undefined; // as after a reload
  assert.equal((await look()).lies.length, 0);
});

test("what the relay withholds or forges after the score is read from the chain", async () => {
  const { world, bounty, look, answers } = await delivered();
  world.score(posted(answers, { lie: { 7: 0 } }), 5);
  world.bent["…/commits"] = ({ calls, block }) => ({ calls: [[toHex(new Uint8Array(35))], ...calls].slice(0, 1), block });
  world.bent["…/roster"] = () => new Response(null, { status: 503 });
  bounty.roster = undefined;
  const forged = ({ method }, honest) =>
    method === "eth_getTransactionByHash" ? { ...honest, input: honest.input.replace(PAYEE.slice(2), "00".repeat(20)) } : honest;
  world.bent[`${BASE} chain`] = forged; // and one source lies with it
  assert.equal((await look()).lies.length, 1);
  for (const place of [OTHER, WATCH, RELAY]) world.bent[`${place} chain`] = forged;
  bounty.roster = undefined;
  await assert.rejects(look(), isRefusal(core.Refusal, /another roster/));
});

test("what this browser kept is held against the chain", async () => {
  const { world, look, answers, store, signed } = await delivered();
  world.score(posted(answers), 5);
  await store.put(`signed/${SEED}`, { ...signed, codes: signed.codes.replace("01", "00") });
  await assert.rejects(look(), isRefusal(core.Refusal, /recovery file/));
  await store.put(`signed/${SEED}`, { ...signed, commitment: `0x${"22".repeat(32)}` });
  assert.equal(await look(), null);
});

test("nothing is sent for a score that is gone, too old, or known to one source", async () => {
  const { world, bounty, look, answers } = await delivered();
  world.score(posted(answers, { lie: { 7: 0 } }), 5);
  const { lies, score } = await look();
  world.status = 10;
  await assert.rejects(core.proofOf(bounty, lies[0], score), isRefusal(core.Refusal, /does not stand any more/));
  assert.deepEqual([(await look()).phase, (await look()).lies.length], ["ended", 0]);
  assert.deepEqual((await look()).pay, { price: 1_200n, bond: 9_500n, withheld: 0n });
  world.status = 5;
  world.now += 4_000;
  await assert.rejects(core.proofOf(bounty, lies[0], score), isRefusal(core.Refusal, /time .* is over/));
  assert.equal((await look()).phase, "over");
  world.now -= 4_000;
  bounty.chain.sources = bounty.chain.sources.slice(0, 1);
  await assert.rejects(core.proofOf(bounty, lies[0], score), isRefusal(core.Unavailable, /only one source/));
});
