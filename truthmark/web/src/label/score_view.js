// SPDX-License-Identifier: Apache-2.0
/** The labeler's part after the score: each answer that was checked, the pay, and what is wrong. */

import { h, icon } from "./dom.js";
import { provingView, rewardView } from "./proving_view.js";
import { headOf, OUTCOMES, placeOf, remarksOf, saysOf, shareOf } from "./score_words.js";
import { clean, formatAmount, plural } from "./text.js";

/** @typedef {import("../core/scored.js").Standing} Standing */

const MOST_LINES = 400;
const HEADS = ["Where", "Right answer", "You said", "You said, by the score", "Counts as"];

/**
 * @param {object} options
 * @param {typeof import("../core/index.js")} options.core
 * @param {import("../core/bounty.js").Bounty} options.bounty
 * @param {import("./pay_words.js").Pay} options.pay
 * @param {Standing} options.standing
 * @param {string} options.proven of a proof that was sent from here
 * @param {(says: string) => void} options.told once one was
 * @param {(name: string, text: string) => void} options.save as a file
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function scoreView(options) {
  const { bounty, standing, proven } = options;
  const isWrong = standing.lies.length > 0;
  const proving = isWrong && standing.phase === "challenge" ? provingView(options) : null;
  const reward = standing.reward ? rewardView(options) : null;
  const says = h("p", { role: isWrong ? "alert" : "status" }, saysOf(standing, bounty.terms));
  const element = h(`section.tm-card.tm-score${isWrong ? ".tm-false" : ""}`, {},
    h("span.tm-big", {}, icon(isWrong ? "warning" : "check")),
    h("h2", { tabindex: -1 }, headOf(standing)),
    proven && h("p.tm-close", { role: "status" }, icon("check"), proven),
    says,
    reward?.element,
    facts(options),
    remarksOf(standing).map(([isGood, text]) =>
      h(`p.tm-remark.${isGood ? "tm-good" : "tm-bad"}`, {}, icon(isGood ? "check" : "warning"), text)),
    proving?.element,
    table(standing, bounty.document.classes.map(({ name }) => clean(name, 60))),
    known(standing, bounty));
  const close = () => {
    proving?.close();
    reward?.close();
  };
  return { element, close };
}

/** @param {any} options */
function facts({ standing, pay, bounty }) {
  const { judgement, phase, seats, end } = standing;
  const { price, bond, withheld } = standing.pay ?? { price: 0n, bond: 0n, withheld: 0n };
  const money = (/** @type {bigint} */ units) => formatAmount(units, pay.token);
  const share = shareOf(standing);
  const counts = countsOf(judgement?.lines ?? []);
  const rows = [
    [phase === "challenge" ? "You get, if it stands" : "You get", money(price + bond)],
    share && ["Of the full price", share],
    bond && ["Of that, your part of the bond", money(bond)],
    withheld && ["Not paid to you, nor to anyone", money(withheld)],
    ["Your batches", String(seats)],
    counts && ["Your answers that were checked", counts],
    phase !== "challenge" && end !== "refunded" &&
      ["Paid by", `anyone who sends: truthmark bounty payout ${bounty.ref.bountyId}`],
  ];
  return h("dl.tm-facts", {}, rows.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** @param {import("../core/judging.js").GoldLine[]} lines @returns {string} */
function countsOf(lines) {
  const kinds = { right: 0, wrong: 0, skipped: 0, "not counted": 0 };
  for (const { outcome } of lines) kinds[/** @type {"right"} */ (outcome in kinds ? outcome : "not counted")] += 1;
  return Object.entries(kinds).filter(([, count]) => count).map(([name, count]) => `${count} ${name}`).join(" · ");
}

/** @param {Standing} standing @param {string[]} names of classes */
function table({ judgement }, names) {
  const lines = judgement?.lines ?? [];
  if (!lines.length) return null;
  const name = (/** @type {?number} */ code, /** @type {string} */ none) => (code === null ? none : names[code]);
  const rows = lines.slice(0, MOST_LINES).map((line) => {
    const isRight = line.outcome === "right" && !line.isDisputed;
    const sign = line.isDisputed ? "warning" : isRight ? "check" : "cross";
    const cells = [
      names[line.answer],
      name(line.own, "skip"),
      h("span", {}, name(line.said, line.outcome === "absent" ? "nothing" : "skip"),
        line.isDisputed && h("strong", {}, " – not so")),
      OUTCOMES[line.outcome],
    ];
    // Roles, as a phone draws rows as blocks, which are no table to some browsers.
    return h("tr", { role: "row", class: line.isDisputed && "tm-bad" },
      h("th", { role: "rowheader", scope: "row" }, icon(sign), placeOf(line)),
      cells.map((cell, i) => h("td", { role: "cell", "data-head": HEADS[i + 1] }, cell)));
  });
  return h("div.tm-lines", { tabindex: 0, role: "region", "aria-label": "Your answers that were checked" },
    h("table", { role: "table" },
      h("caption", {}, "Your answers that were checked: the requester knew the right one before anyone labeled."),
      h("thead", { role: "rowgroup" },
        h("tr", { role: "row" }, HEADS.map((head) => h("th", { role: "columnheader", scope: "col" }, head)))),
      h("tbody", { role: "rowgroup" }, rows)),
    lines.length > MOST_LINES && h("p", {}, `and ${plural(lines.length - MOST_LINES, "more answer")}`));
}

/** @param {Standing} standing @param {import("../core/bounty.js").Bounty} bounty */
function known({ judgement, score, oneSource }, { terms }) {
  if (!judgement) return null;
  const parts = (/** @type {?number} */ number) => (number === null ? "none" : `${number.toLocaleString("en")} millionths`);
  const { isTeam } = terms;
  const rows = [
    ["Hash of the score, on chain", score],
    !isTeam && ["Commitment to the gold, in the terms", terms.gold_commitment],
    !isTeam && !judgement.half && ["Your share, as posted", parts(judgement.posted)],
    !isTeam && !judgement.half && ["Your share, computed here", parts(judgement.computed)],
  ].filter(Boolean);
  return h("details.tm-about", {}, h("summary", {}, "How is this known?"),
    !isTeam && h("p", {}, h("strong", {}, "The right answers"), " were fixed before anyone labeled: their hash is in the terms,",
      " and the contract took no others."),
    h("p", {}, h("strong", {}, "Your answers"), " were opened in this browser: they make the commitment that stands on",
      " the chain, and no others do.",
      !isTeam && " Which of your items are checked nobody could choose: a draw decided who labels what."),
    h("p", {}, h("strong", {}, "The pay"),
      isTeam ? " is the full price, but for labels that the score says did not arrive or cannot be opened."
        : " follows from both by one rule.", " This browser computed it again from what is on",
      ` the chain${oneSource ? ", by one source, as on a test network" : ", on the word of two sources"}.`,
      " No server was told an answer of yours."),
    h("dl.tm-facts", {}, rows.map(([name, value]) => [h("dt", {}, name), h("dd.tm-mono", {}, value)])));
}
