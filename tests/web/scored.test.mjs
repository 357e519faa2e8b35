// SPDX-License-Identifier: Apache-2.0
// A score as a labeler's browser reads it, whoever lies about it; and what leaves the browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readBytesList } from "../../truthmark/web/src/core/abi.js";
import { look, lookAtWorkers } from "../../truthmark/web/src/core/board.js";
import { concat, fromHex, toHex, uint, word } from "../../truthmark/web/src/core/bytes.js";
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
  assert.equal(lies[0].opens, "answer");
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
    const { world, bounty, look, answers, signed, store } = await delivered();
    const lie = Object.fromEntries(ITEMS.map((item) => [item, 254]));
    world.score(posted(answers, { lie, line: mark }), 5);
    if (kind === "delivered") {
      assert.deepEqual((await look()).lies, []); // not without the signature, nor with another one
      await store.put(`acknowledged/${signed.commitment}`, `0x${"11".repeat(65)}`);
      assert.deepEqual((await look()).lies, []);
      world.acknowledge(signed);
      await bounty.collecting;
      bounty.judged = undefined;
      assert.deepEqual((await look()).lies, []); // it is asked for beside, and nothing waits for it
      await bounty.collecting;
    }
    const { lies, pay, judgement } = await look();
    assert.deepEqual(lies.map((each) => [each.kind, each.opens]), [[kind, kind === "readable" ? "all" : "nothing"]]);
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
  const { world, bounty, look, answers, store } = await delivered();
  world.score(posted(answers, { lie: { 7: 0 } }), 5);
  world.bent["…/commits"] = ({ calls, block }) => ({ calls: [[toHex(new Uint8Array(35))], ...calls].slice(0, 1), block });
  world.bent["…/roster"] = () => new Response(null, { status: 503 });
  bounty.roster = undefined;
  const forged = ({ method }, honest) =>
    method === "eth_getTransactionByHash" ? { ...honest, input: honest.input.replace(PAYEE.slice(2), "00".repeat(20)) } : honest;
  world.bent[`${BASE} chain`] = forged; // and one source lies with it
  assert.equal((await look()).lies.length, 1);
  for (const place of [OTHER, WATCH, RELAY]) world.bent[`${place} chain`] = forged;
  const anew = () => Object.assign(bounty, { roster: undefined, commits: undefined });
  anew();
  assert.equal((await look()).lies.length, 1); // what was held against the board once was kept
  await store.put("calls/roster", [["0x00"], 5]);
  anew();
  await assert.rejects(look(), isRefusal(core.Refusal, /another roster|cut off/));
});

test("one source's clock neither ends a challenge nor pays anyone in words", async () => {
  const { world, bounty, look, answers } = await delivered();
  const late = ({ method, params }, honest) =>
    method === "eth_getBlockByNumber" && params[0] === "latest" ? { ...honest, timestamp: "0xffffffff" } : honest;
  world.bent[`${OTHER} chain`] = late;
  await assert.rejects(look(), isRefusal(core.Unavailable, /is behind/)); // and not: no score came
  world.score(posted(answers, { lie: { 7: 0 } }), 5);
  const { phase, lies, score } = await look();
  assert.deepEqual([phase, lies.length], ["challenge", 1]);
  await core.proofOf(bounty, lies[0], score);
  // Nor does one that lies about the time of the block itself.
  world.bent[`${OTHER} chain`] = ({ method }, honest) =>
    method === "eth_getBlockByNumber" && Number(honest.number) ? { ...honest, timestamp: "0xffffffff" } : honest;
  await assert.rejects(look(), isRefusal(core.Unavailable, /different things/));
});

test("a source that stands still is said to be behind", async () => {
  const { world, look } = await delivered();
  world.now += 2_000;
  const still = ({ method, params }, honest, { now }) => {
    if (method !== "eth_getBlockByNumber" || params[0] === "latest") return honest;
    return { ...honest, timestamp: `0x${(now - 1_500).toString(16)}` };
  };
  for (const place of [BASE, OTHER]) world.bent[`${place} chain`] = still;
  await assert.rejects(look(), isRefusal(core.Unavailable, /is behind/));
});

test("what could have been proven is told when it is too late", async () => {
  const { world, look, answers } = await delivered();
  world.score(posted(answers, { lie: { 7: 0 } }), 5);
  world.now += 4_000;
  const { phase, lies } = await look();
  assert.deepEqual([phase, lies.length], ["over", 1]);
});

test("the reward of a proof is found by what the chain has, until it is taken out", async () => {
  const { world, bounty, look, answers } = await delivered();
  world.score(posted(answers, { lie: { 7: 0 } }), 5);
  assert.equal((await look()).reward, null);
  world.prove(PAYEE, 500);
  assert.deepEqual((await look()).reward, { account: PAYEE, units: 500n });
  const honest = world.logs;
  for (const topics of [undefined, 5, [], [0, 0, 0, "0x12"], [0, 0, 0, toHex(new Uint8Array(32).fill(1))]]) {
    const odd = honest.map((log) => (log.transactionHash === toHex(word(6)) ? { ...log, topics } : log));
    const lying = ({ method }, logs) => (method === "eth_getLogs" ? odd : logs);
    world.bent = { [`${BASE} chain`]: lying };
    assert.equal((await look()).reward?.units, 500n);
    for (const place of [OTHER, WATCH, RELAY]) world.bent[`${place} chain`] = lying;
    const { reward, isPartial, pay, phase } = await look(); // it hides nothing of one's own
    assert.deepEqual([reward, isPartial, pay.price, phase], [null, true, 1_200n, "ended"]);
  }
  const other = honest.slice(-1).map((log) => ({ ...log, topics: [...log.topics.slice(0, 3), toHex(word(PROVER))] }));
  world.bent = { [`${BASE} chain`]: ({ method }, logs) => (method === "eth_getLogs" ? other : logs) };
  assert.deepEqual([(await look()).reward, (await look()).isPartial], [null, true]); // one's word is none
  world.bent = {};
  world.held = 0;
  assert.deepEqual([(await look()).reward, (await look()).isPartial], [null, false]);
  assert.equal(core.withdrawalOf(bounty, PAYEE).to, bounty.ref.board);
});

test("a source that is slow holds nothing up, and then is waited for no more", async () => {
  for (const slow of [BASE, OTHER]) {
    const { world, bounty, look, answers } = await delivered();
    world.score(posted(answers), 5);
    const { chain } = bounty;
    chain.patience = 0.02;
    const asked = [];
    const never = new Promise(() => {});
    chain.fetch = (url, init) => {
      asked.push(new URL(url).origin);
      return url.startsWith(slow) ? never : world.fetch(url, init);
    };
    assert.equal((await look()).phase, "challenge"); // the log of the score is asked of one, too
    assert.deepEqual([...chain.slow.keys()].map((url) => new URL(url).origin), [slow]);
    chain.patience = 1_000;
    asked.length = 0;
    await chain.finalBlock(); // would wait for long
    assert.ok(asked.includes(slow) && asked.includes(WATCH));
    chain.fetch = world.fetch;
    await chain.finalBlock();
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(chain.slow.size, 0);
  }
});

/** A chain of three sources; `hold` answers a request, or lets it hang until it is broken off. */
async function held(hold) {
  const { world, bounty } = await delivered();
  const { chain } = bounty;
  chain.sources = [`${BASE}/rpc`, OTHER, `${WATCH}/rpc`];
  chain.fetch = async (url, init) => {
    init.signal.throwIfAborted();
    return (await hold(url, init)) || world.fetch(url, init);
  };
  return { chain, world };
}

const aborted = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("a question that is over leaves nothing open, and its slow source stays slow", async () => {
  const open = new Set();
  const { chain, world } = await held((url, { signal }) => {
    if (!url.startsWith(BASE)) return undefined;
    open.add(signal);
    return aborted(signal).finally(() => open.delete(signal));
  });
  chain.patience = 0.02;
  await chain.finalBlock();
  chain.patience = 1_000; // each would wait for long
  for (let n = 0; n < 3; n++) {
    await chain.finalBlock();
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual([[...chain.slow.keys()], open.size], [[`${BASE}/rpc`], 0]);
  }
  // Where it is needed, it is heard.
  chain.fetch = (url, init) => (url.startsWith(WATCH) ? new Response(null, { status: 503 }) : world.fetch(url, init));
  await chain.finalBlock();
  assert.equal(chain.slow.size, 0);
});

test("a slow source is quick again only by an answer within patience", async () => {
  let answer;
  const { chain, world } = await held((url, { signal }) => {
    if (!url.startsWith(BASE)) return undefined;
    return Promise.race([aborted(signal), new Promise((resolve) => (answer = resolve))]);
  });
  const settled = () => new Promise((resolve) => setTimeout(resolve, 5));
  const url = `${BASE}/rpc`;
  const question = () => chain.agreed([["eth_chainId", []]]);
  const body = JSON.stringify([{ id: 0, method: "eth_chainId", params: [] }]);
  const reply = async () => answer(await world.fetch(url, { method: "POST", body }));
  chain.known.add(url);
  chain.patience = 0.02;
  await question();
  assert.ok(chain.slow.has(url));
  chain.slow.set(url, 0); // it is tried again: no end of the question breaks that off
  await question();
  assert.ok(chain.slow.get(url) > 0);
  await new Promise((resolve) => setTimeout(resolve, 30));
  await reply(); // too late
  await settled();
  assert.ok(chain.slow.has(url));
  chain.patience = 1_000;
  await question(); // not yet tried again
  await reply();
  await settled();
  assert.ok(chain.slow.has(url));
  chain.slow.set(url, 0);
  await question();
  await reply();
  await settled();
  assert.equal(chain.slow.size, 0);
});

test("on a development chain one slow source is waited for", async () => {
  const { chain } = await held((url) => url.startsWith(BASE) && new Promise((resolve) => setTimeout(resolve, 30, null)));
  const local = new chain.constructor({ ...chain.host, is_local: true }, chain.fetch);
  assert.equal(local.patience, 60);
  const asked = [];
  local.fetch = (url, init) => (asked.push(new URL(url).origin), chain.fetch(url, init));
  await local.agreed([["eth_chainId", []]]);
  assert.deepEqual([new Set(asked), local.slow.size], [new Set([BASE]), 0]);
});

test("two sources that only the bounty names are no two", async () => {
  const { world, bounty, look, answers } = await delivered();
  world.score(posted(answers), 5);
  const { chain } = bounty;
  const second = "https://second.example/rpc";
  chain.named.push(second);
  chain.sources.push(second);
  const away = new Set([OTHER, WATCH]);
  chain.fetch = (url, init) => (away.has(new URL(url).origin) ? new Response(null, { status: 503 }) : world.fetch(url, init));
  assert.equal((await look()).phase, "challenge"); // the page's own, and one of them
  away.add(BASE);
  await assert.rejects(look(), isRefusal(core.Unavailable, /HTTP status 503/));
  // Nor do they hold up what two others say alike.
  away.clear();
  away.add(OTHER);
  chain.named.push(`${WATCH}/rpc`);
  chain.sources = [`${BASE}/rpc`, OTHER, `${WATCH}/rpc`, `${RELAY}/rpc`, second];
  world.bent[`${WATCH} chain`] = ({ method }, honest) => (method === "eth_call" ? `${honest}00` : honest);
  assert.equal((await look()).phase, "challenge");
  world.bent[`${RELAY} chain`] = world.bent[`${new URL(second).origin} chain`] = world.bent[`${WATCH} chain`];
  await assert.rejects(look(), isRefusal(core.Unavailable, /different things/));
});

const ODD = [5, "x", null, true, [], [5], [[5]], [null], { toString: 0 }, { calls: [5] }, { calls: [[5]] },
  { calls: { length: 9 } }, { calls: [{ toString: 0 }, null] }, { account: { toString: 0 }, board: { toString: 0 } }];

test("values of any other kind only mean that the next one is asked", async () => {
  const { world, bounty, answers, device, signed } = await delivered();
  world.score(posted(answers, { lie: { 7: 0 } }), 5);
  const logs = [...ODD, [{ transactionHash: { toString: 0 }, data: "0x00", topics: { toString: 0 } }],
    [{ ...world.logs[0], logIndex: { toString: 0, valueOf: 0 } }], Array(300_000).fill(0)];
  const paths = ["/v1/relay", "…/roster", "…/commits"];
  for (const [n, odd] of logs.entries()) {
    for (const path of [paths[n % 3], paths[(n + 1) % 3]]) {
      Object.assign(bounty, { roster: undefined, commits: undefined, judged: undefined, found: undefined });
      const store = new MapStore();
      await store.put(`signed/${SEED}`, signed);
      world.bent = { [path]: () => odd };
      world.bent[`${BASE} chain`] = ({ method }, honest) =>
        method === "eth_getLogs" || method === "eth_getTransactionByHash" ? odd : honest;
      const { lies } = await core.standingOf(bounty, device, store);
      assert.equal(lies.length, 1, `${path} ${JSON.stringify(odd).slice(0, 80)}`);
    }
  }
});

test("terms and papers of any other kind only mean that the next relay is asked", async () => {
  const second = "https://second.example";
  const world = await World.make({ isTeam: false });
  world.host.relays.push(second);
  for (const odd of ODD) {
    for (const path of ["…/terms", "…/document", "…/manifest", "/v1/relay"]) {
      world.bent = {};
      world.bent[`${RELAY} ${path}`] = () => odd;
      const bounty = await core.openBounty(BASE, ID, { fetch: world.fetch });
      await bounty.manifest();
      assert.ok(await bounty.relay());
    }
  }
});

test("an answer that names thousands of long rows is not unpacked", () => {
  const pointers = Array.from({ length: 4_000 }, () => word(32 * 4_000));
  const list = concat(word(4_000), ...pointers, word(1_000_000), new Uint8Array(1_000_000));
  assert.equal(readBytesList(concat(word(32), list), 0, 32), undefined);
});

test("before the score no other worker is asked about", async () => {
  const { bounty, signed } = await delivered();
  const seen = await look(bounty, { wantsCommits: true });
  let asked = 0;
  const chain = { call: (to, calls, hash) => ((asked += calls.length), bounty.chain.call(to, calls, hash)) };
  const many = { ...seen, rows: Array(2_048).fill(seen.rows[0]), counts: { overrides: 1, posted: 1 } };
  await lookAtWorkers({ ...bounty, chain }, many, signed.worker);
  assert.equal(asked, 1);
});

test("servers that hang hold nothing back", async () => {
  const { world, bounty, signed, look, answers } = await delivered();
  bounty.patience = 0.05;
  const hang = new Promise(() => {});
  const honest = bounty.relays[0].fetch;
  for (const relay of bounty.relays) {
    relay.fetch = (url, init) => (/acknowledgements|commits|roster|bounties.\d+$/.test(url) ? hang : honest(url, init));
  }
  assert.equal(await core.acknowledged(bounty, signed), undefined);
  world.score(posted(answers), 5);
  bounty.commits = undefined;
  assert.equal((await look()).phase, "challenge");
  const { status, relay } = await bounty.status();
  assert.deepEqual([status, relay], [5, null]);
});

test("labels that another browser sent are said to be there", async () => {
  const { world, bounty, device, answers } = await delivered();
  world.score(posted(answers), 5);
  const steps = async (of) => {
    const store = new MapStore();
    for (const [key, value] of [["device", of], ["wish", WISH]]) await store.put(key, value);
    const found = [];
    for await (const step of core.labelingSteps(bounty, of, store, { label: assert.fail })) found.push(step);
    return found;
  };
  const [here] = await steps(device);
  assert.deepEqual([here.step, here.isElsewhere], ["missed", true]);
  assert.match(here.says, /another browser|the browser from which/);
  const [other] = await steps(core.newDevice());
  assert.deepEqual(other, { step: "missed", says: "labeling is over" });
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
