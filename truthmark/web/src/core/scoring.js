// SPDX-License-Identifier: Apache-2.0
// Which gold counts, what a class weighs, and what answers earn (docs/bounties.md, "Score").

/** The full price, in millionths. */
export const ONE = 1_000_000;
/** The entry of a seat that nobody answers for. */
export const ABSENT = 254;
/** The entry of an answer that is no class. */
export const SKIP = 255;
/** Stands for the holder of a seat that nobody holds. */
export const NOBODY = -1;
/** With fewer scoring gold items in the whole run, nobody could have scored a worker. */
const LEAST_HELD = 4;

/**
 * @typedef {object} Verdict What the answers on gold say of the gold.
 * @property {string} half Why the bounty ends HALF, or nothing.
 * @property {boolean[]} counted Whether each gold item has enough answers.
 * @property {boolean[]} excluded Whether so many agree against it that it is not used.
 * @property {boolean[]} kept
 * @property {number} classes How many classes score.
 * @property {number[]} weights Of a right answer in each class, in millionths; zeros in HALF.
 */

/**
 * Find which gold counts, which is excluded, and what each class weighs.
 * @param {(Uint8Array | number[])[]} entries A row a gold item, a byte a round.
 * @param {number[]} answers Gold's class of each item.
 * @param {number} classes
 * @returns {Verdict}
 */
export function judge(entries, answers, classes) {
  const counted = [];
  const excluded = [];
  const held = new Array(classes).fill(0);
  entries.forEach((row, g) => {
    const least = Math.min(3, row.length);
    const given = [...row].filter((entry) => entry !== ABSENT);
    const against = new Array(classes).fill(0);
    for (const entry of given) if (entry < classes && entry !== answers[g]) against[entry] += 1;
    const most = Math.max(...against);
    counted.push(given.length >= least);
    excluded.push(counted[g] && most >= least && 3 * most >= 2 * given.length);
    if (counted[g] && !excluded[g]) held[answers[g]] += 1;
  });
  const all = sum(held);
  const present = held.filter(Boolean).length;
  const scores = held.map((count) => count > 0 && 2 * present * count >= all);
  const scored = scores.filter(Boolean).length;
  const many = counted.filter(Boolean).length;
  let half = "";
  if (!many) half = "nothing counts";
  else if (10 * excluded.filter(Boolean).length > 3 * many) half = "excluded";
  else if (scored < 2) half = "classes";
  const used = sum(held.filter((_, c) => scores[c]));
  const weigh = (count) => Number((BigInt(ONE) * BigInt(used)) / BigInt(scored * count));
  const weights = held.map((count, c) => (!half && scores[c] ? weigh(count) : 0));
  const kept = counted.map((is, g) => is && !excluded[g]);
  return { half, counted, excluded, kept, classes: scored, weights };
}

/**
 * Return what each worker earns of the price, as if all were marked fine.
 * @param {Verdict} verdict @param {(Uint8Array | number[])[]} entries @param {number[]} answers
 * @param {number[][]} holders As entries: whose whole run holds the item, committed or not.
 * @param {number} workers @param {number} full
 * @returns {number[]} 0 to 10^6; zeros in HALF, where no line counts.
 */
export function millionths(verdict, entries, answers, holders, workers, full) {
  if (verdict.half) return new Array(workers).fill(0);
  const found = Array.from({ length: workers }, () => ({ held: 0, right: 0, answered: 0 }));
  entries.forEach((row, g) => {
    const weight = verdict.weights[answers[g]];
    if (!weight) return;
    holders[g].forEach((holder, k) => {
      const entry = row[k];
      // What was left unanswered is held, whether it counts or not.
      if (holder === NOBODY || !(verdict.kept[g] || entry === ABSENT)) return;
      const own = found[holder];
      own.held += 1;
      if (entry === ABSENT) return;
      own.answered += weight;
      if (entry === answers[g]) own.right += weight;
    });
  });
  return found.map((own) => lineOf(own, verdict.classes, full));
}

/** @param {{held: number, right: number, answered: number}} own @returns {number} */
export function lineOf({ held, right, answered }, classes, full) {
  if (held < LEAST_HELD) return ONE / 2;
  const q = BigInt(ONE + answered);
  const x = 4n * (BigInt(classes) * BigInt(right) - q);
  const way = BigInt(full) * BigInt(classes - 1) * q;
  if (x <= 0n) return 0;
  return x >= way ? ONE : Number((BigInt(ONE) * x) / way);
}

/** @param {bigint} price Of a label. @param {number} labels @param {number} earned Millionths. */
export function payOf(price, labels, earned) {
  return (price * BigInt(labels) * BigInt(earned)) / BigInt(ONE);
}

function sum(numbers) {
  return numbers.reduce((all, one) => all + one, 0);
}
