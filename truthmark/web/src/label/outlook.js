// SPDX-License-Identifier: Apache-2.0
/**
 * What a labeler may expect who is right so often: drawn by the pay rule, as
 * truthmark/bounty/outlook.py does it; gold is taken to be even by class and all of it to count.
 */

/** How often a careful labeler is right, where nothing better is known of them. */
export const USUAL_SKILL = 0.85;
/** With fewer gold items in the whole run, half is paid whatever was answered. */
const LEAST_HELD = 4;
const DRAWS = 400;
const QUARTERS = { 2: "half", 3: "three quarters" };

/** @typedef {{classes: number, items: number, batch: number, min_run: number, gold_count: number,
 *   full: number}} Terms numbers of the terms */

/**
 * Parts of the full price: on average, what one in ten gets less than, and more than.
 * @param {Terms} terms
 * @param {number} skill how often they are right
 * @param {number} [seats] of the run; the least if not given
 * @returns {{mean: number, low: number, high: number}}
 */
export function outlook(terms, skill, seats = terms.min_run) {
  if (!terms.gold_count) return { mean: 1, low: 1, high: 1 };
  const random = generator(1);
  const run = Math.min(terms.items, seats * terms.batch);
  const earned = [];
  for (let draw = 0; draw < DRAWS; draw++) earned.push(drawOne(terms, skill, run, random));
  earned.sort((a, b) => a - b);
  const mean = earned.reduce((sum, each) => sum + each, 0) / DRAWS;
  return { mean, low: earned[Math.floor(DRAWS / 10)], high: earned[Math.floor((9 * DRAWS) / 10)] };
}

/** @param {Terms} terms @returns {string} how one is paid, in a sentence */
export function payRule(terms) {
  if (!terms.gold_count) {
    return "Everybody whose labels arrive and open is paid the full price; nothing is judged.";
  }
  const full = QUARTERS[/** @type {2 | 3} */ (terms.full)];
  return (
    `Each of the ${terms.classes} answers is worth the same, a skip is a wrong answer, guessing` +
    ` pays nothing, ${full} of the way from guessing to perfect pays the full price, and between` +
    " them it is a straight line."
  );
}

/**
 * @param {Terms} terms
 * @param {number} skill
 * @param {number} run items of the run
 * @param {() => number} random
 */
function drawOne(terms, skill, run, random) {
  const { classes, gold_count: gold, full } = terms;
  const tally = (/** @type {number} */ of) => Math.floor((gold - 1 - of) / classes) + 1;
  const scoring = Math.min(classes, gold);
  let [needed, left, held, right, answered] = [run, terms.items, 0, 0, 0];
  for (let item = 0; item < gold; item++, left--) {
    if (random() * left >= needed) continue;
    needed--;
    held++;
    const weight = gold / (scoring * tally(item % classes));
    answered += weight;
    if (random() < skill) right += weight;
  }
  if (held < LEAST_HELD) return 0.5;
  const way = full * (scoring - 1) * (1 + answered);
  return Math.min(1, Math.max(0, (4 * (scoring * right - 1 - answered)) / way));
}

/** Chance that is the same each time (mulberry32). @param {number} seed */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
