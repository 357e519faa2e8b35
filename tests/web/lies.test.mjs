// SPDX-License-Identifier: Apache-2.0
// Scores, what is wrong in them, and the calls that prove it: as the library has them, to the byte.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { concat, fromHex, toBigInt, toHex } from "../../truthmark/web/src/core/bytes.js";
import { judgementOf, paymentOf } from "../../truthmark/web/src/core/judging.js";
import { findLies } from "../../truthmark/web/src/core/lies.js";
import { readCommits, readRoster } from "../../truthmark/web/src/core/roster.js";
import { readScore } from "../../truthmark/web/src/core/score.js";
import { judge, lineOf } from "../../truthmark/web/src/core/scoring.js";
import { commitmentOf, openRun } from "../../truthmark/web/src/core/sealing.js";
import { readTerms } from "../../truthmark/web/src/core/terms.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/bounties.json", import.meta.url)));
const cases = JSON.parse(readFileSync(process.env.TRUTHMARK_CASES));
const numbers = (object) => new Map(Object.entries(object).map(([key, value]) => [Number(key), value]));

test("published verdicts and pays agree", () => {
  for (const { entries, answers, classes, verdict } of vectors.verdicts) {
    assert.deepEqual(judge(entries, answers, classes), verdict);
  }
  for (const { classes, full, answers, weights, held, given, millionths } of vectors.pays) {
    const own = { held: 0, right: 0, answered: 0 };
    held.forEach((g, i) => {
      const weight = weights[answers[g]];
      if (!weight) return;
      own.held += 1;
      if (given[i] === 254) return;
      own.answered += weight;
      if (given[i] === answers[g]) own.right += weight;
    });
    assert.equal(lineOf(own, weights.filter(Boolean).length || classes, full), millionths);
  }
});

test("published scores agree", () => {
  for (const { gold, entries, lines, classes, rounds, hashes, verdict } of vectors.bounties) {
    const terms = { gold_count: gold.length, rounds, classes };
    const packed = (list, bytes) => fromHex(`0x${list.map((n) => n.toString(16).padStart(2 * bytes, "0")).join("")}`);
    const score = readScore(terms, {
      gold: packed(gold.map(([item, answer]) => item * 256 + answer), 4),
      entries: concat(...entries.map((row) => Uint8Array.from(row))),
      lines: packed(lines, 3),
    });
    assert.deepEqual(score.verdict, { ...score.verdict, ...verdict });
    assert.deepEqual(score.heads.map(toHex), hashes.heads);
    assert.equal(toHex(score.verdictHash), hashes.verdict_hash);
    assert.equal(toHex(score.judged), hashes.judged);
    assert.equal(score.hash, hashes.score);
  }
});

const recordOf = (bounty, posted) => {
  const terms = readTerms(bounty.terms);
  return {
    ...{ ref: bounty.ref, terms, seed: bounty.seed },
    roster: readRoster(bounty.roster),
    commits: readCommits(bounty.commits),
    overrides: numbers(bounty.overrides),
    posted: new Set(posted.posted),
    score: readScore(terms, {
      gold: fromHex(posted.gold),
      entries: fromHex(posted.entries),
      lines: fromHex(posted.lines),
    }),
  };
};

const knowledgeOf = ({ ref, terms }, known) => {
  if (!known) return undefined;
  const { batch, classes, key_x: x, key_y: y } = terms;
  const { worker, secret, codes, acknowledgement } = known;
  const size = classes ? 1 : 32;
  const bytes = fromHex(codes);
  const list = Array.from({ length: bytes.length / size }, (_, i) =>
    classes ? bytes[i] : bytes.subarray(size * i, size * i + size));
  const opened = openRun({ ref, worker, batch, classes }, BigInt(secret), { x, y }, list);
  assert.equal(toHex(commitmentOf(opened.run)), known.commitment);
  return { worker, opened, acknowledgement: acknowledgement ?? undefined };
};

test("every lie is found by whom it concerns, and proven by the same bytes", () => {
  const seen = {};
  for (const { bounty, scores } of cases) {
    for (const posted of scores) {
      const record = recordOf(bounty, posted);
      assert.equal(record.score.hash, posted.hash, posted.name);
      const known = knowledgeOf(record, posted.known);
      const found = findLies(record, known);
      const shown = found.map((lie) => ({ kind: lie.kind, worker: lie.worker, call: toHex(lie.call()) }));
      assert.deepEqual(shown, posted.lies, posted.name);
      for (const { kind } of found) seen[kind] = (seen[kind] ?? 0) + 1;
      if (!found.length) seen.honest = (seen.honest ?? 0) + 1;
      if (!known) continue;
      const judged = judgementOf(record, known);
      const { lines, posted: line, computed } = judged;
      assert.deepEqual(
        { posted: line, computed, lines: lines.map(({ isDisputed, ...more }) => more) },
        posted.judgement,
        posted.name,
      );
      for (const [end, wanted] of Object.entries(posted.pays)) {
        const commit = { worker: known.worker, seats: known.opened.seats };
        const pay = paymentOf({ terms: record.terms, rows: record.roster.rows }, commit, end,
          record.score.lines[known.worker]);
        assert.deepEqual(Object.values(pay).map(String), wanted, `${posted.name} ${end}`);
      }
    }
  }
  for (const kind of ["answer", "line", "delivered", "readable", "honest"]) assert.ok(seen[kind] > 3, kind);
});
