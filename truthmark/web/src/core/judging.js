// SPDX-License-Identifier: Apache-2.0
// What a score says of one labeler: each of their answers on gold, and what follows for their pay.

import { earnedBy, findLies } from "./lies.js";
import { isFine, isWorker, seatsOfGold } from "./score.js";
import { ABSENT, ONE, payOf, SKIP } from "./scoring.js";

/** @typedef {import("./lies.js").Record} Record */
/** @typedef {"right"|"wrong"|"skipped"|"absent"|"uncounted"|"excluded"} Outcome */

/**
 * @typedef {object} GoldLine One answer on gold.
 * @property {number} gold Its place among the gold. @property {number} item
 * @property {number} seat Of the run, from 0. @property {number} index In that seat.
 * @property {number} answer The class that gold says.
 * @property {?number} said What the score says was given; null where it says that no class was.
 * @property {?number} own The class that was really given; null for a skip.
 * @property {Outcome} outcome What it counts for.
 * @property {boolean} isDisputed Whether the score claims another answer than was given.
 */

/**
 * @typedef {object} Judgement
 * @property {number} line The score's of the worker, as posted.
 * @property {GoldLine[]} lines In the order in which they stood in the run.
 * @property {?number} posted Millionths of the full price; null where the score has a mark.
 * @property {?number} computed What follows from gold and answers as posted; null where nothing does.
 * @property {number} mark The mark, or 0.
 * @property {string} half Why half of the price is paid to all, or nothing.
 */

/**
 * @param {Record} record @param {import("./lies.js").Knowledge} known
 * @returns {Judgement}
 */
export function judgementOf(record, known) {
  const { score, terms } = record;
  const { worker, opened } = known;
  const line = score.lines[worker];
  const posted = isFine(line) ? line : null;
  const found = { line, lines: [], posted, computed: null, mark: posted === null ? line : 0, half: score.verdict.half };
  if (terms.isTeam) return { ...found, posted: null };
  const seats = seatsOfGold(record.seed, terms, record.roster, score.items);
  const lies = findLies(record, known);
  const disputed = new Set(lies.filter(({ kind }) => kind === "answer").map(({ gold, round }) => `${gold} ${round}`));
  const asClass = (code) => (code < terms.classes ? code : null);
  seats.forEach((row, g) =>
    row.forEach(({ holder, offset, index }, k) => {
      if (holder !== worker || offset >= opened.seats) return;
      const [entry, answer] = [score.entries[g][k], score.answers[g]];
      found.lines.push({
        ...{ gold: g, item: score.items[g], seat: offset, index, answer },
        said: asClass(entry),
        own: asClass(Number(opened.code(offset, index))),
        outcome: outcomeOf(score.verdict, g, entry, answer),
        isDisputed: disputed.has(`${g} ${k}`),
      });
    }),
  );
  found.lines.sort((one, other) => one.seat - other.seat || one.index - other.index);
  if (!score.isHalf && posted !== null) found.computed = earnedBy(record, seats)[worker];
  return found;
}

/** @returns {Outcome} */
function outcomeOf(verdict, g, entry, answer) {
  if (entry === ABSENT) return "absent";
  if (!verdict.half && !verdict.counted[g]) return "uncounted";
  if (!verdict.half && verdict.excluded[g]) return "excluded";
  if (entry === SKIP) return "skipped";
  return entry === answer ? "right" : "wrong";
}

/**
 * What a worker gets by an end of the bounty.
 * @param {{terms: Record<string, any>, rows: import("./roster.js").Row[]}} bounty
 * @param {{worker: number, seats: number}} commit
 * @param {"settled" | "half" | "flat" | "proven" | "refunded"} end
 * @param {number} [line] The score's of the worker, where it stands.
 * @returns {{price: bigint, bond: bigint, withheld: bigint}} withheld: of the full price.
 */
export function paymentOf({ terms, rows }, { worker, seats }, end, line = 0) {
  const labels = labelsIn(terms, rows[worker].start, seats);
  const full = terms.price * BigInt(labels);
  const price = payOf(terms.price, labels, millionthsBy(terms, end, line));
  let bond = 0n;
  if (end === "flat" || end === "proven") {
    const left = terms.bond - (end === "proven" ? terms.reward : 0n);
    const taken = rows.filter(isWorker).reduce((all, row) => all + row.seats, 0);
    bond = (left / BigInt(Math.max(1, taken))) * BigInt(seats);
  }
  return { price, bond, withheld: full - price };
}

function millionthsBy({ isTeam }, end, line) {
  if (end === "refunded") return 0;
  if (end === "flat" || end === "proven") return ONE;
  if (!isFine(line)) return 0;
  if (isTeam) return ONE;
  return end === "half" ? ONE / 2 : Math.min(line, ONE);
}

/** How many items consecutive seats hold: the last of a round may be short. */
function labelsIn({ items, batch, perRound }, start, seats) {
  const place = (seat) => Math.min(items, seat * batch);
  const first = start % perRound;
  return place(first + seats) - place(first);
}
