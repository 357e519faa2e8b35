// SPDX-License-Identifier: Apache-2.0
// What the page says of a score is true for every end, and its proof shows least.

import assert from "node:assert/strict";
import { test } from "node:test";
import { follow } from "../../truthmark/web/src/label/afterwards.js";
import { openingFetch } from "../../truthmark/web/src/label/network.js";
import { headOf, leastOf, remarksOf, saysOf, shareOf, shownBy } from "../../truthmark/web/src/label/score_words.js";

const TERMS = { bond: 9_000n, reward: 500n };
const standing = (more = {}) => {
  const judgement = { mark: 0, half: "", posted: 0, computed: 0, lines: [], ...more.judgement };
  const rest = { phase: "challenge", end: "settled", until: 9, now: 1, lies: [], pay: { price: 3n, bond: 0n, withheld: 1n } };
  return { ...rest, ...more, judgement };
};
const lie = (opens, kind = "answer") => ({ opens, kind });

test("half is told as half, with its own cause", () => {
  const causes = new Set();
  for (const half of ["nothing counts", "excluded", "classes"]) {
    const pay = { price: 2n, bond: 0n, withheld: 2n };
    const found = standing({ end: "half", pay, judgement: { half, computed: null } });
    assert.equal(shareOf(found), "50 %");
    const [[isGood, text]] = remarksOf(found);
    assert.ok(!isGood && !text.includes("("));
    causes.add(text);
  }
  assert.equal(causes.size, 3);
});

test("a share is what is paid of the full price", () => {
  assert.equal(shareOf(standing()), "75 %");
  const marked = standing({ pay: { price: 0n, bond: 0n, withheld: 4n }, judgement: { mark: 2 ** 22, posted: null } });
  assert.equal(shareOf(marked), "0 %");
  assert.equal(shareOf(standing({ end: "proven" })), "");
  assert.equal(shareOf(standing({ end: "settled", pay: null })), "");
});

test("a bond is shared only where something of it is left", () => {
  const wrong = standing({ lies: [lie("answer")] });
  assert.match(saysOf(wrong, TERMS), /shares the requester's bond/);
  for (const terms of [{ bond: 0n, reward: 0n }, { bond: 500n, reward: 500n }]) {
    assert.doesNotMatch(saysOf(wrong, terms), /bond/);
  }
  for (const end of ["flat", "proven"]) {
    const ended = (bond) => saysOf(standing({ phase: "ended", end, pay: { price: 4n, bond, withheld: 0n } }), TERMS);
    assert.match(ended(5n), /bond/);
    assert.doesNotMatch(ended(0n), /bond/);
  }
});

test("a score that was wrong in vain says so, and asks for no proof", () => {
  const over = standing({ phase: "over", lies: [lie("answer")] });
  assert.match(headOf(over), /was wrong/);
  assert.match(saysOf(over, TERMS), /now nobody can/);
});

test("a share is no good news where an answer is disputed", () => {
  const good = standing({ judgement: { posted: 7, computed: 7, lines: [{ isDisputed: false }] } });
  assert.match(remarksOf(good)[0][1], /computed again/);
  const bad = standing({ judgement: { posted: 7, computed: 7, lines: [{ isDisputed: true }] } });
  assert.deepEqual(remarksOf(bad).map(([isGood]) => isGood), [false]);
});

test("of several proofs that one is taken which shows least", () => {
  const all = [lie("all", "readable"), lie("answer"), lie("nothing", "line"), lie("nothing", "delivered")];
  assert.equal(leastOf(all), all[2]);
  assert.equal(leastOf(all.slice(0, 2)), all[1]);
  assert.match(shownBy(all[2]), /^nothing/);
  assert.match(shownBy(all[1]), /one item/);
  assert.match(shownBy(all[0]), /all your labels/);
});

/** As much of a page as elements are made with. */
class FakeNode {
  append() {}
  replaceChildren() {}
  setAttribute() {}
  removeAttribute() {}
}

test("a score that comes while there is a screen is shown after it", async () => {
  const make = () => new FakeNode();
  Object.assign(globalThis, { Node: FakeNode, document: { createElement: make, createElementNS: make, createTextNode: make } });
  let [screens, shown, looks] = [2, 0, 0];
  const ended = standing({ phase: "ended", end: "refunded", seats: 1, judgement: null });
  await follow({
    core: { standingOf: async () => (looks++, { ...ended, judgement: null }) },
    bounty: { document: { classes: [] }, terms: TERMS, ref: { bountyId: 7 } },
    store: { get: async () => ({}) },
    pay: { token: { symbol: "T", decimals: 2 } },
    mount: () => (screens-- > 0 ? false : Boolean(++shown)),
    ...{ trouble: assert.fail, good: () => {}, wait: async () => {}, wake: () => {}, isClosed: () => looks > 9 },
  });
  assert.deepEqual([shown, looks], [1, 3]);
});

test("a server that refuses what it gave before opens the page by what was kept", async () => {
  const kept = new Map();
  const cache = { match: async (key) => kept.get(key)?.clone(), put: async (key, reply) => void kept.set(key, reply) };
  const real = globalThis.fetch;
  let status = 200;
  Object.assign(globalThis, {
    caches: { open: async () => cache }, location: { href: "https://page.example/label/7" },
    fetch: async () => new Response(status === 200 ? "good" : "no", { status }),
  });
  const ask = async () => (await openingFetch("name").fetch("https://page.example/label/host/7")).text();
  try {
    assert.equal(await ask(), "good");
    for (status of [404, 403, 500]) assert.equal(await ask(), "good");
  } finally {
    globalThis.fetch = real;
  }
});
