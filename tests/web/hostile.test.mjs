// SPDX-License-Identifier: Apache-2.0
// What a hostile relay, requester or source of the chain tries; each is refused in one line, and
// nothing that opens labels leaves the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../truthmark/web/src/core/bytes.js";
import { canonical } from "../../truthmark/web/src/core/document.js";
import { signTyped } from "../../truthmark/web/src/core/device.js";
import * as core from "../../truthmark/web/src/core/index.js";
import { MapStore } from "./store.mjs";
import { BASE, ID, OTHER, PAYEE, RELAY, WATCH, World } from "./world.mjs";

const WISH = { payee: PAYEE, seats: 4 };

/** Whether an error is one of ours, on one line, and says what it must. */
const says = (pattern, kind = core.Refusal) => (error) => {
  assert.ok(error instanceof kind, `${error.stack}`);
  assert.match(error.message, pattern);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

async function open(world, options = {}) {
  return core.openBounty(BASE, ID, { fetch: world.fetch, ...options });
}

/** A bounty that is being labeled, and all that was signed in it. */
async function signed(options = {}) {
  const world = await World.make(options);
  const device = core.newDevice();
  const bounty = await open(world);
  world.enroll(device);
  const run = await core.myRun(bounty, device, WISH);
  const store = new MapStore();
  const made = await core.sealAnswers(bounty, device, run, world.answers(run), store);
  return { world, device, bounty, run, store, made };
}

const files = (world) => world.sent.filter((line) => /files|deposits/.test(line));

test("an honest bounty opens, and its items", async () => {
  const world = await World.make();
  const bounty = await open(world);
  assert.equal((await bounty.practice[0].item()).text, "an example");
  const device = core.newDevice();
  world.enroll(device);
  const run = await core.myRun(bounty, device, WISH);
  assert.deepEqual(run.items.map(({ item }) => item), world.itemsOfRun());
  const keys = await core.itemKeys(bounty, device, run);
  assert.equal((await bounty.items.open(5, keys[5])).text, "text 5");
});

test("papers that are not those of the chain are refused", async () => {
  const other = (name, value) => (honest) => ({ ...honest, [name]: value });
  const document = (change) => (honest) => {
    const value = JSON.parse(new TextDecoder().decode(honest));
    return utf8(canonical({ ...value, ...change }));
  };
  const tries = [
    ["…/terms", other("price", "1"), /other terms/],
    ["…/terms", other("relay", "1"), /other terms/],
    ["…/terms", other("key_x", "1"), /other terms/],
    ["…/terms", other("price", "-1"), /price/],
    ["…/terms", () => [], /lack/],
    ["…/document", document({ title: "Dogs" }), /another document/],
    ["…/document", () => new Uint8Array(2 << 20), /more than was asked/],
  ];
  for (const [path, bend, pattern] of tries) {
    const world = await World.make();
    world.bent[path] = bend;
    await assert.rejects(open(world), says(pattern), path);
  }
});

test("what was opened once opens again, whatever a relay shows later", async () => {
  const world = await World.make();
  const kept = new Map();
  const papers = { get: async (name) => kept.get(name), put: async (name, bytes) => void kept.set(name, bytes) };
  const opened = async () => {
    const bounty = await open(world, { papers });
    return [bounty.termsHash, bounty.document.title, (await bounty.manifest()).length(0)];
  };
  world.bent["…/manifest"] = (manifest) => manifest.map((byte) => byte ^ 1);
  await assert.rejects(opened(), says(/./));
  assert.equal(kept.size, 2); // and nothing that was not held against its hash
  world.bent = {};
  const before = await opened();
  for (const bend of [() => undefined, () => utf8("other"), () => ({ price: "1" })]) {
    for (const path of ["…/terms", "…/document", "…/manifest"]) world.bent[path] = bend;
    assert.deepEqual(await opened(), before);
    await assert.rejects(open(world)); // who was never here
  }
  for (const name of kept.keys()) kept.set(name, utf8("what another program wrote there"));
  await assert.rejects(opened(), says(/./));
  world.bent = {};
  assert.deepEqual(await opened(), before);
});

test("terms and documents that fit their hashes but no bounty are refused", async () => {
  for (const more of [{ max_run: 64 }, { classes: 1 }, { key_y: 5 }, { batch: 0 }, { min_seats: 9 }]) {
    const world = await World.make({ more });
    await assert.rejects(open(world), says(/not sound|too large|lack/), JSON.stringify(more));
  }
  const crowd = await World.make({ isTeam: false });
  await open(crowd);
  for (const more of [{ bond: 1 }, { reward: 10_001 }, { full: 1 }, { gold_count: 13 }, { min_seats: 3 }]) {
    const world = await World.make({ isTeam: false, more });
    await assert.rejects(open(world), says(/not sound/), JSON.stringify(more));
  }
  const classes = await World.make({ more: { classes: 3 } });
  await assert.rejects(open(classes), says(/differ in items or classes/));
});

test("items that are others, or open with no key, are refused", async () => {
  const world = await World.make();
  const bounty = await open(world);
  world.bent["…/items/3"] = () => world.items[4].slice(0, world.items[3].length);
  await assert.rejects(bounty.items.stored(3), says(/not what the list says/));
  world.bent["…/items/3"] = () => new Uint8Array(1 << 16);
  await assert.rejects(bounty.items.stored(3), says(/more than was asked/));
  await assert.rejects(bounty.items.openStored(5, world.items[4], null), says(/not what the list says/));
  await assert.rejects(bounty.items.open(5, `0x${"11".repeat(32)}`), says(/does not open item 5/));
  await assert.rejects(bounty.items.open(99, null), says(/no item 99/));
  const lying = await World.make();
  lying.bent["…/manifest"] = (honest) => honest.with(60, honest[60] ^ 1);
  await assert.rejects((await open(lying)).manifest(), says(/another list of items/));
});

test("a relay that the terms do not name gets nothing", async () => {
  const world = await World.make();
  world.bent["/v1/relay"] = (honest) => ({ ...honest, account: PAYEE });
  const bounty = await open(world);
  await assert.rejects(core.join(bounty, core.newDevice(), WISH), says(/not the relay that the terms name/));
  world.bent["/v1/relay"] = () => ({});
  await assert.rejects(core.join(bounty, core.newDevice(), WISH), says(/not the relay/));
  assert.deepEqual(world.sent, []);
  world.bent["/v1/relay"] = () => null;
  await assert.rejects(core.join(bounty, core.newDevice(), WISH), says(/as it should/, core.Unavailable));
});

test("a relay that would pay somebody else, or takes nobody in, is left", async () => {
  const world = await World.make();
  const bounty = await open(world);
  const device = core.newDevice();
  world.bent["…/joins"] = (honest) => ({ ...honest, payee: `0x${"cd".repeat(20)}` });
  await assert.rejects(core.join(bounty, device, WISH), says(/somebody else paid/));
  world.bent["…/joins"] = () => ({ state: "removed", reason: "no\u0007\n place\u202e" });
  await assert.rejects(core.join(bounty, device, WISH), says(/did not take you in: no place/));
  for (const wish of [{ ...WISH, seats: 5 }, { ...WISH, seats: 0 }, { ...WISH, code: "short" }]) {
    await assert.rejects(core.join(bounty, device, wish), says(/batches|code/));
  }
  const typo = "0xAb5801a7D398351b8bE11C439e05C5B3259aeC9C"; // one capital is wrong
  await assert.rejects(core.join(bounty, device, { ...WISH, payee: typo }), says(/capitals/));
});

test("a roster that is not the board's, or not sound, stops everything", async () => {
  const device = core.newDevice();
  const world = await World.make();
  const bounty = await open(world);
  world.enroll(device);
  world.bent["…/roster"] = (honest) => {
    const [[chunk]] = honest.calls;
    return { calls: [[chunk.replace(PAYEE.slice(2), "cd".repeat(20))]] };
  };
  await assert.rejects(core.myRun(bounty, device, WISH), says(/another roster/));
  world.bent["…/roster"] = () => ({ calls: [["0x00"]] });
  await assert.rejects(core.myRun(bounty, device, WISH), says(/cut off/));
  world.bent["…/roster"] = () => ({ calls: [] });
  await assert.rejects(core.myRun(bounty, device, WISH), says(/whole roster/, core.Unavailable));
  const onChain = [
    [{ payee: `0x${"cd".repeat(20)}` }, /would pay 0xcdcd/],
    [{ rows: [{ seats: 2 }, { seats: 2 }] }, /more than once/],
    [{ rows: [{ signer: PAYEE }] }, /not on the roster/],
    [{ rows: [{ seats: 5 }] }, /crosses a round|more seats/],
    [{ rows: [{ to: `0x${"00".repeat(20)}` }] }, /would pay nobody/],
  ];
  for (const [options, pattern] of onChain) {
    const lying = await World.make();
    const other = await open(lying);
    lying.enroll(device, options);
    await assert.rejects(core.myRun(other, device, WISH), says(pattern));
    assert.deepEqual(lying.sent, []);
  }
});

test("a source of the chain that lies about anything is found out by the other", async () => {
  const lies = [
    // another seed, so other items
    (asked, honest) => (honest.length === 2 + 64 * 9 ? honest.replaceAll("33", "44") : honest),
    // another status
    (asked, honest) => (honest.length === 2 + 64 * 13 ? honest.replace(/^(0x0{63})3/, "$14") : honest),
    // another block
    (asked, honest) => (honest?.hash ? { ...honest, hash: `0x${"99".repeat(32)}` } : honest),
    // other terms
    (asked, honest, world) => (honest === world.terms.hash ? `0x${"99".repeat(32)}` : honest),
    // none of it
    () => "0x",
    () => null,
    () => ({}),
  ];
  for (const place of [BASE, OTHER]) {
    for (const lie of lies) {
      const world = await World.make();
      const device = core.newDevice();
      const bounty = await open(world);
      world.enroll(device);
      world.bent[`${place} chain`] = lie;
      // A third source may answer in the place of the one that cannot.
      delete bounty.chain.known;
      bounty.chain.known = new Set(bounty.chain.sources);
      bounty.chain.sources = bounty.chain.sources.slice(0, 2);
      await assert.rejects(core.myRun(bounty, device, WISH), says(/./, core.Unavailable), String(lie));
    }
  }
});

test("a source of another chain is not asked", async () => {
  const world = await World.make();
  world.bent[`${OTHER} chain`] = ({ method, params }, honest) =>
    method === "eth_getBlockByNumber" && params[0] === "0x0" ? { ...honest, hash: `0x${"99".repeat(32)}` } : honest;
  world.host.watch = [];
  world.host.relays = [`${BASE}/`];
  await assert.rejects(open(world), says(/source of another chain/, core.Unavailable));
});

test("keys that are withheld stop the labeler before they label", async () => {
  const world = await World.make();
  const device = core.newDevice();
  const bounty = await open(world);
  world.enroll(device);
  const run = await core.myRun(bounty, device, WISH);
  world.bent["…/keys"] = ({ keys }) => ({ keys: { ...keys, 3: undefined } });
  await assert.rejects(core.itemKeys(bounty, device, run), says(/withholds keys/));
  world.bent["…/keys"] = ({ keys }) => ({ keys: { ...keys, 3: "0x12" } });
  await assert.rejects(core.itemKeys(bounty, device, run), says(/32 bytes/));
});

test("labels leave only once exactly their commit is on chain", async () => {
  const { world, bounty, made } = await signed();
  await assert.rejects(core.release(bounty, made), says(/not on the chain/));
  // The relay shows it, the board does not hold it.
  world.bent["…/commits"] = () => ({ calls: [[`0x000004${made.commitment.slice(2)}`]] });
  await assert.rejects(core.release(bounty, made), says(/not on the chain/));
  delete world.bent["…/commits"];
  world.post({ ...made, commitment: `0x${"66".repeat(32)}` });
  assert.equal((await core.commitState(bounty, made)).state, "differs");
  await assert.rejects(core.release(bounty, made), says(/not on the chain/));
  world.commits = [];
  world.post({ ...made, seats: 3 });
  assert.equal((await core.commitState(bounty, made)).state, "differs");
  await assert.rejects(core.release(bounty, made), says(/not on the chain/));
  assert.deepEqual(files(world), []);
  world.commits = [];
  world.post(made);
  assert.equal((await core.commitState(bounty, made)).state, "final");
  assert.deepEqual(await core.release(bounty, made), [RELAY]);
});

test("a relay that lies about the chain, too, gets no labels", async () => {
  const { world, bounty, made } = await signed();
  const shown = await World.make();
  Object.assign(shown, { roster: world.roster, status: 3, commits: [] });
  shown.post(made);
  // The server of the page is the relay's: it forwards to a chain of its own making.
  world.bent[`${BASE} chain`] = ({ method, params }) => shown.chain(method, params);
  world.bent["…/commits"] = () => ({ calls: shown.commits });
  await assert.rejects(core.release(bounty, made), says(/different things/, core.Unavailable));
  assert.deepEqual(files(world), []);
});

test("one source of a real chain is not enough to hand out labels; of a local one it is", async () => {
  for (const isLocal of [false, true]) {
    const { world, bounty, made } = await signed({ isLocal });
    world.post(made);
    bounty.chain.sources = bounty.chain.sources.slice(0, 1);
    if (isLocal) {
      assert.deepEqual(await core.release(bounty, made), [RELAY]);
      assert.ok(bounty.chain.oneSource);
    } else {
      await assert.rejects(core.release(bounty, made), says(/only one source/, core.Unavailable));
      assert.deepEqual(files(world), []);
    }
  }
});

test("an override of one's own counts, another's does not", async () => {
  const { world, bounty, made } = await signed();
  world.post({ ...made, commitment: `0x${"66".repeat(32)}` });
  world.overrides[made.worker] = made;
  assert.equal((await core.commitState(bounty, made)).state, "final");
  world.overrides[made.worker] = { ...made, commitment: `0x${"67".repeat(32)}` };
  assert.equal((await core.commitState(bounty, made)).state, "lost");
});

test("late, the relay's silence must be overridden, and later it is too late", async () => {
  const { world, bounty, made } = await signed();
  assert.equal((await core.commitState(bounty, made)).state, "missing");
  world.now = 1_000 + 3_601;
  assert.equal((await core.commitState(bounty, made)).state, "differs");
  world.now = 1_000 + 3_600 + 601;
  assert.equal((await core.commitState(bounty, made)).state, "lost");
});

test("the bounty's own nodes get no deposit before the commit is on chain; others do", async () => {
  const { world, bounty, made } = await signed({ isTeam: false });
  const own = [{ url: RELAY }, { url: `${RELAY}/` }, { url: WATCH }];
  const { taken, refused } = await core.deposit(bounty, made, own);
  assert.deepEqual(taken, [WATCH]);
  assert.deepEqual(refused.map(({ url }) => url), [RELAY, `${RELAY}/`]);
  assert.deepEqual(files(world).map((line) => line.includes(WATCH)), [true]);
  world.post(made);
  assert.deepEqual((await core.deposit(bounty, made, own.slice(0, 1))).taken, [RELAY]);
  const team = await signed();
  assert.deepEqual((await core.deposit(team.bounty, team.made, own.slice(0, 1))).taken, [RELAY]);
});

test("a forged acknowledgement is none", async () => {
  const { world, bounty, made } = await signed();
  world.acknowledge({ ...made, commitment: `0x${"66".repeat(32)}` });
  assert.equal(await core.acknowledged(bounty, made), undefined);
  for (const signature of ["0x", `0x${"11".repeat(65)}`, 7, null, made.signature]) {
    world.acknowledgement = signature;
    assert.equal(await core.acknowledged(bounty, made), undefined);
  }
  world.acknowledge(made);
  assert.equal(await core.acknowledged(bounty, made), world.acknowledgement);
});

test("what was signed is final, in whatever window", async () => {
  const { world, device, bounty, run, store, made } = await signed();
  const answers = world.answers(run);
  assert.deepEqual(await core.sealAnswers(bounty, device, run, answers, store), made);
  const others = { ...answers, [run.items[0].item]: 2 };
  await assert.rejects(core.sealAnswers(bounty, device, run, others, store), says(/other labels/));
  // Two windows at once: both find nothing, and one is first.
  const fresh = new MapStore();
  const racing = [answers, others].map((each) => core.sealAnswers(bounty, device, run, each, fresh));
  const done = await Promise.allSettled(racing);
  assert.deepEqual(done.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const { item } = run.items[4];
  const partly = Object.fromEntries(Object.entries(answers).filter(([key]) => Number(key) !== item));
  const short = await core.sealAnswers(bounty, device, run, partly, new MapStore());
  assert.equal(short.seats, 1);
  await assert.rejects(core.sealAnswers(bounty, device, run, {}, new MapStore()), says(/no batch is complete/));
  const wrong = { ...answers, [run.items[0].item]: 3 };
  await assert.rejects(core.sealAnswers(bounty, device, run, wrong, new MapStore()), says(/no class/));
});

/** Run a flow, changing the world at its steps; returns the steps. */
async function follow(world, store, device, { at = {}, wish = WISH, label, askWallet } = {}) {
  const bounty = await open(world);
  const steps = [];
  const options = { wish, askWallet, wait: async () => {}, label: label ?? (async (run) => ({ answers: world.answers(run) })) };
  for await (const step of core.labelingSteps(bounty, device, store, options)) {
    steps.push(step);
    assert.ok(steps.length < 40, JSON.stringify(steps.slice(-3)));
    const found = at[step.step];
    if (found) await found(step, steps);
  }
  return steps;
}

const namesOf = (steps) => steps.map(({ step }) => step).filter((name, i, all) => name !== all[i - 1]);
const signedIn = async (store) => (await store.entries("signed/")).map(([, value]) => value);

test("a sitting goes from joining to done, and says so", async () => {
  const world = await World.make();
  const device = core.newDevice();
  const store = new MapStore();
  const steps = await follow(world, store, device, {
    at: {
      joined: () => world.enroll(device),
      committed: async () => world.post((await signedIn(store))[0]),
      released: async () => world.acknowledge((await signedIn(store))[0]),
    },
  });
  const all = ["joined", "started", "labeled", "committed", "confirmed", "released", "done"];
  assert.deepEqual(namesOf(steps), all);
  assert.deepEqual(steps.find(({ step }) => step === "committed").leftWith, [WATCH]);
  // Opened once more it has nothing left to do, and asks nobody to label again.
  const again = await follow(world, store, device, { label: () => assert.fail("asked again") });
  assert.equal(again.at(-1).step, "done");
});

test("a reorganisation that draws another seed asks for its items, under another secret", async () => {
  const world = await World.make();
  const device = core.newDevice();
  const store = new MapStore();
  const seeds = [];
  await follow(world, store, device, {
    label: async (run) => {
      seeds.push(run.seed);
      return { answers: world.answers(run) };
    },
    at: {
      joined: () => world.enroll(device),
      committed: async () => {
        if (seeds.length === 1) world.seed = `0x${"44".repeat(32)}`;
        else world.post((await signedIn(store)).find(({ seed }) => seed === world.seed));
      },
      released: async () => world.acknowledge((await signedIn(store)).find(({ seed }) => seed === world.seed)),
    },
  });
  assert.equal(seeds.length, 2);
  const [one, other] = await signedIn(store);
  assert.notEqual(one.file.slice(0, 200), other.file.slice(0, 200));
});

test("a run that was begun goes on without a network, but not when its time is over", async () => {
  const world = await World.make();
  const device = core.newDevice();
  const store = new MapStore();
  const bounty = await open(world);
  world.enroll(device);
  await store.put("wish", WISH);
  const run = await core.myRun(bounty, device, WISH);
  await store.put("run", { run, keys: await core.itemKeys(bounty, device, run) });
  const first = async () => {
    const steps = core.labelingSteps(bounty, device, store, { label: () => assert.fail("too early") });
    return (await steps.next()).value;
  };
  assert.deepEqual((await first()).run, run);
  const answer = world.fetch;
  bounty.chain.fetch = bounty.fetch = async () => {
    throw new TypeError("no network");
  };
  assert.equal((await first()).step, "started");
  bounty.chain.fetch = bounty.fetch = answer;
  world.now = run.lastCall + 1;
  assert.match((await first()).says, /no time left/);
  world.status = 7;
  assert.match((await first()).says, /over/);
});

test("where a wallet's account labels, it is asked twice, and nothing else counts", async () => {
  const world = await World.make();
  const key = `0x${"77".repeat(32)}`;
  const owner = core.deviceOf(key);
  const device = { ...core.newDevice(), signer: owner.address };
  const store = new MapStore();
  const asked = [];
  const seen = {};
  world.bent["…/joins"] = (honest, { body }) => {
    seen.join = JSON.parse(body);
    return honest;
  };
  const askWallet = async (data, account, trouble) => {
    asked.push([data.primaryType, trouble !== ""]);
    assert.equal(account, owner.address);
    // At first by another account, then by the right one whose wallet counts from 0.
    const by = trouble ? key : `0x${"78".repeat(32)}`;
    const signature = signTyped(core.deviceOf(by), data);
    return trouble ? signature.replace(/1b$/, "00").replace(/1c$/, "01") : signature;
  };
  const steps = await follow(world, store, device, {
    askWallet,
    at: {
      joined: () => world.enroll(owner),
      committed: async () => world.post((await signedIn(store))[0]),
      released: async () => world.acknowledge((await signedIn(store))[0]),
    },
  });
  assert.equal(steps.at(-1).step, "done");
  assert.deepEqual(asked, [["Join", false], ["Join", true], ["Commit", false], ["Commit", true]]);
  assert.deepEqual([seen.join.signer, seen.join.reader], [owner.address, device.address]);
  // Another device goes on from the file with the same secret, and is asked for nothing more.
  const bounty = await open(world);
  const elsewhere = new MapStore();
  const moved = await core.readRecoveryFile(await core.recoveryFile(bounty.ref, store), bounty.ref, elsewhere);
  assert.deepEqual(moved, device);
  const again = await follow(world, elsewhere, moved, { askWallet: () => assert.fail("asked again") });
  assert.equal(again.at(-1).step, "done");
  // Without the wallet nothing is signed.
  const alone = new MapStore();
  await assert.rejects(follow(await World.make(), alone, device), says(/browser that has it/));
  assert.equal(await alone.get("wish"), null);
});

test("a relay that posts something else leads to watch nodes, never to handing out", async () => {
  const world = await World.make();
  const device = core.newDevice();
  const store = new MapStore();
  const steps = await follow(world, store, device, {
    at: {
      joined: () => world.enroll(device),
      committed: async ({ trouble }) => {
        const [made] = await signedIn(store);
        if (!world.commits.length) world.post({ ...made, commitment: `0x${"66".repeat(32)}` });
        else if (trouble) world.now = 1_000 + 3_600 + 601;
      },
    },
  });
  assert.match(steps.find(({ trouble }) => trouble).trouble, /watch node must replace it/);
  assert.equal(steps.at(-1).step, "missed");
  assert.ok(files(world).length && files(world).every((line) => line.includes(WATCH)));
});

test("a refused wish is forgotten; a dead relay loses nothing", async () => {
  const world = await World.make();
  const device = core.newDevice();
  const store = new MapStore();
  world.bent["…/joins"] = () => Response.json({ error: "all seats are taken" }, { status: 403 });
  await assert.rejects(follow(world, store, device), says(/all seats are taken/));
  assert.equal(await store.get("wish"), null);
  world.bent["…/joins"] = () => Response.json({ error: "in a moment" }, { status: 503 });
  const steps = await follow(world, store, device, {
    at: {
      joining: ({ trouble }) => {
        if (!trouble) return;
        delete world.bent["…/joins"];
        world.enroll(device);
      },
      committed: async () => world.post((await signedIn(store))[0]),
      released: async () => world.acknowledge((await signedIn(store))[0]),
    },
  });
  assert.match(steps.find(({ trouble }) => trouble).trouble, /in a moment/);
  assert.equal(steps.at(-1).step, "done");
});

test("a sitting goes on elsewhere by its recovery file, and only there where it belongs", async () => {
  const { bounty, device, store, made } = await signed();
  await store.add("device", device);
  const file = await core.recoveryFile(bounty.ref, store);
  const other = new MapStore();
  assert.equal((await core.readRecoveryFile(file, bounty.ref, other)).address, device.address);
  assert.deepEqual(await signedIn(other), [made]);
  for (const [text, pattern] of [
    ["{}", /no recovery file/],
    ["not json", /no recovery file/],
    [file.replace('"bountyId": 7', '"bountyId": 8'), /of bounty 8/],
  ]) {
    await assert.rejects(core.readRecoveryFile(text, bounty.ref, new MapStore()), says(pattern));
  }
  const taken = new MapStore();
  await taken.add("device", core.newDevice());
  await assert.rejects(core.readRecoveryFile(file, bounty.ref, taken), says(/another sitting/));
  const changed = JSON.parse(file);
  changed.entries[`signed/${made.seed}`].codes = "0x00";
  await core.readRecoveryFile(JSON.stringify(changed), bounty.ref, other);
  assert.deepEqual(await signedIn(other), [made]);
});
