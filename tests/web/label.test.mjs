// SPDX-License-Identifier: Apache-2.0
// The label page's own arithmetic and records, without a browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { completeItems } from "../../truthmark/web/src/label/app.js";
import { AnswerLog } from "../../truthmark/web/src/label/answers.js";
import { rowsOf } from "../../truthmark/web/src/label/item_view.js";
import { choose, commandsOf, keysOf, matching, meaningOf, whyNoKey } from "../../truthmark/web/src/label/keys.js";
import { paceWords } from "../../truthmark/web/src/pace/main.js";
import { outlook, payRule } from "../../truthmark/web/src/label/outlook.js";
import { ItemCache, Shelf } from "../../truthmark/web/src/label/shelf.js";
import { closing } from "../../truthmark/web/src/label/steps.js";
import { clean, cleanLines, formatAmount, formatDuration, sentence } from "../../truthmark/web/src/label/text.js";
import { MapStore } from "./store.mjs";

const cases = JSON.parse(readFileSync(process.env.TRUTHMARK_CASES));
const classesOf = (...names) => names.map((name) => ({ name, key: "" }));

test("keys of classes are those of the terminal", () => {
  for (const { classes, keys } of cases.keys) {
    assert.deepEqual(Object.fromEntries(keysOf(classes)), keys);
  }
});

test("what one may expect is what the library draws", () => {
  for (const { terms, skill, mean, low, high } of cases.outlooks) {
    const found = outlook(terms, skill);
    assert.ok(Math.abs(found.mean - mean) < 0.03, `${found.mean} and not ${mean} at ${skill}`);
    assert.ok(Math.abs(found.low - low) < 0.08, `${found.low} and not ${low} at ${skill}`);
    assert.ok(Math.abs(found.high - high) < 0.08, `${found.high} and not ${high} at ${skill}`);
  }
});

test("the rule of pay is said as the library says it", () => {
  for (const { terms, rule } of cases.rules) assert.equal(payRule(terms), rule);
});

test("others' text is made harmless as the library does it", () => {
  for (const { text, shown } of cases.texts) assert.equal(clean(text, 40), shown);
  assert.equal(cleanLines("a\r\nb\tc\u202egnp\u0000"), "a\nb\tc\ufffdgnp\ufffd");
  assert.equal(cleanLines("\u0646\u200c\u0645"), "\u0646\u200c\u0645");
});

test("durations and amounts are those of the library", () => {
  for (const { seconds, shown } of cases.durations) assert.equal(formatDuration(seconds), shown);
  const token = { symbol: "USDC", decimals: 6 };
  assert.equal(formatAmount(20_000n, token), "0.02 USDC");
  assert.equal(formatAmount(1_500_000n, token, 2), "1.50 USDC");
  assert.equal(formatAmount(12_345_678n, token, 2), "12.34 USDC");
  assert.equal(formatAmount(1_234n, token, 2), "0.0012 USDC");
  assert.equal(formatAmount(0n, token, 2), "0 USDC");
  assert.equal(formatAmount(7n, { symbol: "<b>", decimals: 0 }), "7 <b>");
  assert.equal(sentence("the relay is away; trying again"), "The relay is away; trying again.");
});

test("a key answers, in capitals, on another keyboard, and as the labeler chose", () => {
  const keys = keysOf(classesOf("cat", "dog", "s"), { 0: "d" });
  assert.deepEqual(Object.fromEntries(keys), { d: 0, s: 2, 1: 1 });
  const commands = commandsOf(keys);
  const means = (key, code) => meaningOf({ key, code }, keys, commands);
  assert.equal(means("D"), 0);
  assert.equal(means("&", "Digit1"), 1);
  assert.equal(means("1", "Numpad1"), 1);
  assert.equal(means("\u044b", "KeyS"), 2);
  assert.equal(means("x"), "skip"); // as s is a class
  assert.equal(means("Backspace"), "undo");
  assert.equal(means("F5"), undefined);
  assert.equal(means("Shift", "ShiftLeft"), undefined);
  assert.equal(whyNoKey("d"), "");
  assert.notEqual(whyNoKey("F5"), "");
  assert.notEqual(whyNoKey(" "), "");
});

test("a key for nobody's class does no harm", () => {
  const keys = keysOf(classesOf("cat", "dog"), { 9: "x", 0: "2", 1: "2" });
  assert.deepEqual(Object.fromEntries(keys), { 2: 0, 1: 1 });
});

test("a command's key can be changed, and no answer or command is left without one", () => {
  const classes = classesOf("cat", "dog");
  const none = { keys: {}, commands: {} };
  const shown = ({ keys, commands }) => {
    const answers = keysOf(classes, keys);
    const others = [...commandsOf(answers, commands)].map(([key, name]) => [name, key]);
    return { ...Object.fromEntries(answers), ...Object.fromEntries(others) };
  };
  const skip = choose(classes, none, "skip", "q");
  assert.equal(shown(skip).skip, "q");
  const swapped = choose(classes, skip, "flag", "q");
  assert.deepEqual([shown(swapped).flag, shown(swapped).skip], ["q", "f"]);
  const taken = choose(classes, swapped, 0, "q"); // an answer takes a command's key
  assert.equal(shown(taken).q, 0);
  assert.equal(shown(taken).flag, "1");
  const back = choose(classes, taken, "undo", "2"); // a command takes an answer's
  assert.match(back.why, /an answer has that key/);
  const given = choose(classes, taken, "skip", "2");
  assert.deepEqual([shown(given).skip, shown(given).f], ["2", 1]);
  assert.equal(shown(choose(classes, none, "undo", "Delete")).undo, "Delete");
  for (const key of ["F5", " ", "Dead"]) assert.notEqual(choose(classes, none, "skip", key).why ?? "", "");
  assert.notEqual(choose(classes, none, 1, "Delete").why ?? "", "");
  // What is kept of another bounty, or damaged, costs no command its key.
  const odd = { keys: { 0: "s" }, commands: { skip: "s", undo: "s", nothing: "u" } };
  assert.deepEqual([shown(odd).skip, shown(odd).undo], ["x", "Backspace"]);
});

test("typing finds equal names first, then beginnings, then the rest", () => {
  const classes = classesOf("red oak", "oak", "oakum", "elm");
  assert.deepEqual(matching(classes, "OAK"), [1, 2, 0]);
  assert.deepEqual(matching(classes, ""), [0, 1, 2, 3]);
  assert.deepEqual(matching(classes, "("), []);
});

test("answers outlive the page, with undo, flags and times", async () => {
  const store = new MapStore();
  const log = await AnswerLog.open(store, "answers/");
  await Promise.all([log.answer(5, 1, 2.44), log.answer(3, 0, 9_999), log.answer(8, 2)]);
  await log.flag(3, "x".repeat(600));
  await log.answer(5, 0, 1); // changed, and so the newest
  for (const each of [log, await AnswerLog.open(store, "answers/")]) {
    assert.deepEqual([...each.codes], [[3, 0], [8, 2], [5, 0]]);
    assert.deepEqual(each.toNotes(), { seconds: { 3: 3600, 5: 1 }, flags: { 3: "x".repeat(500) } });
    assert.equal(each.newest, 5);
  }
  const again = await AnswerLog.open(store, "answers/");
  assert.equal(await again.undo(), 5);
  await again.flag(3, "");
  const last = await AnswerLog.open(store, "answers/");
  assert.deepEqual([...last.codes.keys()], [3, 8]);
  assert.deepEqual(last.toNotes(), { seconds: { 3: 3600 } });
  assert.equal(await (await AnswerLog.open(new MapStore(), "")).undo(), undefined);
});

test("texts are kept with the answers, and a skip has none", async () => {
  const store = new MapStore();
  const log = await AnswerLog.open(store, "a/");
  await log.write(4, "a text", 1);
  await log.write(7, "another", 2);
  await log.answer(4, 0, 1); // skipped after all
  const again = await AnswerLog.open(store, "a/");
  assert.deepEqual([[...again.codes], [...again.texts]], [[[7, -1], [4, 0]], [[7, "another"]]]);
  assert.deepEqual(again.toNotes(), { seconds: { 4: 1, 7: 2 }, texts: { 7: "another" } });
  await again.undo();
  assert.equal(await again.undo(), 7);
  assert.equal(again.texts.size, 0);
});

test("what was not written is not counted, and the next answer is", async () => {
  const store = new MapStore();
  const log = await AnswerLog.open(store, "a/");
  const { put } = store;
  store.put = async () => {
    throw new Error("full");
  };
  await assert.rejects(log.answer(1, 0), /full/);
  assert.equal(log.codes.size, 0);
  store.put = put;
  await log.answer(2, 1);
  assert.deepEqual([...(await AnswerLog.open(store, "a/")).codes], [[2, 1]]);
});

test("only whole batches from the first on count as complete", () => {
  // A place that holds no item is left out, as of a last batch that is short.
  const items = [0, 1, 2, 3, 4, 6, 7].map((order) => ({ item: 10 + order, order }));
  const run = { items, batch: 2 };
  const after = (...answered) => completeItems(run, { codes: new Map(answered.map((i) => [i, 0])) });
  assert.equal(after(), 0);
  assert.equal(after(10), 0);
  assert.equal(after(10, 11, 12), 2);
  assert.equal(after(12, 13), 0);
  assert.equal(after(10, 11, 12, 13, 14), 5); // the third batch is whole with one item
  assert.equal(after(...items.map(({ item }) => item)), 7);
});

test("the next items are made ahead, and those far away let go", async () => {
  const [made, released] = [[], []];
  const shelf = new Shelf(40, async (at) => {
    made.push(at);
    return { ready: Promise.resolve(), release: () => released.push(at) };
  });
  await shelf.get(0);
  shelf.moveTo(0);
  await Promise.all([1, 2, 3].map((at) => shelf.get(at)));
  assert.ok(shelf.now(1) && shelf.now(3));
  const before = made.length;
  await shelf.get(1);
  assert.equal(made.length, before); // not twice
  await shelf.get(20);
  shelf.moveTo(20);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(released.includes(0) && released.includes(1) && !shelf.now(1));
});

test("an item that could not be fetched is asked for again", async () => {
  let tries = 0;
  const shelf = new Shelf(2, async () => {
    if (!tries++) throw new Error("the relay does not answer");
    return { ready: Promise.resolve(), release: () => {} };
  });
  await assert.rejects(shelf.get(0), /does not answer/);
  assert.ok(await shelf.get(0));
});

test("a browser without room still labels from the relay", async () => {
  globalThis.location ??= new URL("http://127.0.0.1/label/1");
  const full = { match: async () => undefined, put: async () => Promise.reject(new Error("quota")) };
  const cache = new ItemCache(full, async (item) => new Uint8Array([item]));
  assert.deepEqual([...(await cache.stored(7))], [7]);
  assert.ok(cache.isFull);
  assert.deepEqual([...(await cache.stored(8))], [8]);
});

test("what is said of closing the page is true at each step", () => {
  const times = { now: 1_000, joinUntil: 1_900, labelSeconds: 7_200, lastCall: 5_000, commit: 6_000,
    post: 7_000 };
  const say = (step, more = {}) => closing({ step, ...more }, times);
  assert.ok(say("joined").mayClose && say("joined").says.includes("lasts 2 h"));
  assert.ok(say("started").mayClose);
  for (const step of ["joining", "labeled", "committed", "confirmed", "released"]) {
    assert.equal(say(step).mayClose, false, step);
  }
  const left = say("committed", { leftWith: ["https://watch.example/x", "https://other.example"] });
  assert.ok(left.mayClose && left.says.includes("watch.example and other.example"));
  assert.ok(say("done").mayClose);
});

test("a row of numbers is a table, and what is none stays text", () => {
  assert.deepEqual(rowsOf('{"a":1.5,"b":"x"}'), [["a", "1.5"], ["b", "x"]]);
  // Never another number than what was written.
  const large = rowsOf('{"a":12345678901234567890}');
  assert.ok(large === null || large[0][1] === "12345678901234567890");
  assert.deepEqual(rowsOf("[3,4]"), [["1", "3"], ["2", "4"]]);
  for (const text of ["", "7", "null", "[]", "{}", "<b>"]) assert.equal(rowsOf(text), null);
});

test("own pace is told after ten items of practice, by the browser alone", () => {
  const tokens = [{ symbol: "USDC", address: `0x${"AB".repeat(20)}`, decimals: 6 }];
  const terms = { ...cases.outlooks[0].terms, price: "20000", token: `0x${"ab".repeat(20)}` };
  const words = (practiced, more = {}) => paceWords({ terms: { ...terms, ...more }, tokens }, practiced);
  assert.equal(words(undefined), "");
  assert.equal(words({ right: 4, of: 5 }), ""); // fewer than ten have no usual time
  assert.match(words({ right: 27, of: 30, seconds: 2.4 }), /^about [0-9.]+ USDC an hour at your pace: 90 % right and 2.4 s an answer/);
  assert.equal(words({ right: 1, of: 30, seconds: 2 }, { gold_count: 0 }),
    "about 36 USDC an hour at your pace: 2.0 s an answer in your practice");
});
