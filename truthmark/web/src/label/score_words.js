// SPDX-License-Identifier: Apache-2.0
/** A score in words: what it says of the labeler, what is wrong in it, what proving that shows. */

import { clean, formatClock, formatShare, plural } from "./text.js";

/** @typedef {import("../core/scored.js").Standing} Standing */
/** @typedef {import("../core/lies.js").Lie} Lie */
/** @typedef {import("../core/judging.js").GoldLine} GoldLine */

const PARTS = 1_000_000;
const ABSENT = 254;
const NOT_DELIVERED = 2 ** 22;

/** Who is paid the half. */
const FINE = "all whose labels arrived and can be opened";
const WHY_HALF = {
  "nothing counts": "Too few answered the items whose answers the requester knew, and none of them counts",
  excluded: "Too many agreed against the requester's answers",
  classes: "Fewer than two classes have enough items that count to score by",
  other: "The answers on the items that the requester knew score nobody",
};
/** The least first. */
const SHOWN = {
  nothing: "nothing that is not on the chain already",
  answer: "your answer to this one item",
  all: "all your labels of this bounty, which anyone can read from then on",
};

export const OUTCOMES = {
  right: "right",
  wrong: "wrong",
  skipped: "skipped, counts as wrong",
  absent: "no answer, by the score",
  uncounted: "not counted: too few answered it",
  excluded: "not counted: most agree against the requester",
};

/** @param {Standing} standing @returns {string} */
export function headOf({ phase, end, lies }) {
  if (lies.length && phase === "over") return "This score was wrong, and stands";
  if (lies.length) return "This score is wrong";
  if (end === "proven") return "The score was disproved";
  if (end === "refunded") return "It did not take place";
  if (end === "flat") return "No score came in time";
  return phase === "challenge" ? "Your score" : "Your score stands";
}

/**
 * What goes on, in a sentence or two.
 * @param {Standing} standing @param {Record<string, any>} terms @returns {string}
 */
export function saysOf({ phase, end, until, now, lies, pay }, terms) {
  if (lies.length && phase === "over") {
    return "It could have been proven, but nobody did in time, and now nobody can. Anyone may have it paid out now.";
  }
  if (lies.length) {
    const bond = sharesBond(terms) ? ", and shares the requester's bond" : "";
    return "That can be proven, by anyone. After a proof everybody who labeled is paid in full, whatever" +
      ` the score said${bond}.`;
  }
  if (phase === "challenge") {
    return `Nothing in it can be proven wrong with what this browser knows. It stands after ` +
      `${formatClock(until ?? 0, now)}, if nobody else disproves it.`;
  }
  const full = `Everybody is paid in full${pay?.bond ? ", and shares the requester's bond" : ""}.`;
  const pays = {
    settled: "Everybody is paid by their score.",
    half: `Half of the price is paid to ${FINE}.`,
    flat: full,
    proven: full,
    refunded: "All money went back to the requester.",
  }[/** @type {"settled"} */ (end)];
  return phase === "ended" ? pays : `${pays} Anyone may have it paid out now.`;
}

/**
 * What the score says of the labeler, in lines with whether each is good.
 * @param {Standing} standing
 * @returns {[boolean, string][]}
 */
export function remarksOf({ judgement, end }) {
  if (!judgement || end === "proven") return [];
  const found = /** @type {[boolean, string][]} */ ([]);
  const { mark, half, posted, computed } = judgement;
  if (mark) {
    const what = mark === NOT_DELIVERED ? "did not arrive" : "cannot be opened";
    found.push([false, `The score says that your labels ${what}, so that it pays you nothing.`]);
  }
  if (half) found.push([false, `${WHY_HALF[/** @type {"classes"} */ (half)] ?? WHY_HALF.other}, so half of the price is paid to ${FINE}.`]);
  const disputed = judgement.lines.filter(({ isDisputed }) => isDisputed).length;
  if (computed !== null && computed === posted && !disputed) {
    found.push([true, "Your share was computed again in this browser: it is what the score says."]);
  }
  if (disputed) found.push([false, `${plural(disputed, "answer")} of yours stand${disputed === 1 ? "s" : ""} there as another.`]);
  else if (judgement.lines.length && !mark) {
    found.push([true, "Every answer that the score says you gave is the one that you gave."]);
  }
  return found;
}

/** @param {Standing} standing @returns {string} what is paid of the full price, such as "74 %", or nothing */
export function shareOf({ judgement, pay, end }) {
  const full = pay ? pay.price + pay.withheld : 0n;
  if (!judgement || !pay || !full || end === "proven" || end === "refunded") return "";
  return formatShare(Number((BigInt(PARTS) * pay.price) / full) / PARTS);
}

/** @param {Record<string, any>} terms @returns {boolean} whether a proof leaves labelers anything of the bond */
export function sharesBond({ bond, reward }) {
  return bond > reward;
}

/**
 * The proof that shows the world least of what only the labeler knows; of those alike, the cheapest.
 * @param {Lie[]} lies in order of cost
 */
export function leastOf(lies) {
  const rank = (/** @type {Lie} */ { opens }) => Object.keys(SHOWN).indexOf(opens);
  return lies.reduce((best, lie) => (rank(lie) < rank(best) ? lie : best));
}

/** @param {GoldLine} line @returns {string} */
export function placeOf({ seat, index }) {
  return `batch ${seat + 1}, no. ${index + 1}`;
}

/**
 * A lie in words.
 * @param {Lie} lie @param {number} own the labeler's row
 * @param {import("../core/judging.js").Judgement} judgement @param {string[]} names of classes
 * @returns {string}
 */
export function lieWords(lie, own, judgement, names) {
  const { kind, worker, gold, claimed, truth } = lie;
  const isOwn = worker === own;
  const whose = isOwn ? "your labels" : `the labels of labeler ${worker}`;
  if (kind === "delivered") return `It says that ${whose} did not arrive, but it is proven that they did.`;
  if (kind === "readable") return `It says that ${whose} cannot be opened, but they open to what was committed.`;
  if (kind === "line") {
    const who = isOwn ? "you" : `labeler ${worker}`;
    return `It gives ${who} ${percent(claimed)} of the full price; by its own answers it is ${percent(truth)}.`;
  }
  const name = (/** @type {number | undefined} */ code) =>
    code !== undefined && code < names.length ? `"${clean(names[code], 60)}"` : code === ABSENT ? "nothing" : "a skip";
  const line = isOwn && judgement.lines.find((each) => each.gold === gold);
  if (line && truth !== ABSENT) return `Your answer in ${placeOf(line)} was ${name(truth)}; it says ${name(claimed)}.`;
  const item = `Of the ${ordinal(gold ?? 0)} item whose answer the requester knew,`;
  if (truth === ABSENT) return `${item} it has an answer where nobody can have given one.`;
  return `${item} it says ${claimed === ABSENT ? "that nobody answered" : "what is no answer"}, but somebody did.`;
}

/** @param {Lie} lie @returns {string} what the world sees by a proof */
export function shownBy({ opens, kind }) {
  if (kind === "delivered") return "that the requester signed for your labels, and none of them";
  return SHOWN[opens];
}

/** @param {number | undefined} parts millionths */
function percent(parts) {
  return `${((parts ?? 0) / (PARTS / 100)).toFixed(2)} %`;
}

function ordinal(/** @type {number} */ place) {
  const n = place + 1;
  const tail = n % 100 > 10 && n % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${tail}`;
}
