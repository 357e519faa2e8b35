// SPDX-License-Identifier: Apache-2.0
/** The chain of steps of one sitting, and what is true of closing the page at each. */

import { fill, h, icon } from "./dom.js";
import { clean, formatClock, formatDuration } from "./text.js";

/** In order; `at` of a core step is the first that is not done. */
const NAMES = ["Joined", "Starts", "Label", "Sealed", "On chain", "Handed out", "Done"];
const AT = {
  joining: 0,
  joined: 1,
  started: 2,
  labeled: 3,
  committed: 4,
  confirmed: 5,
  released: 6,
  done: 7,
};

/** @typedef {import("../core/types.js").Step & {trouble?: string}} Step */

/**
 * What there is to say of a step.
 * @typedef {object} Times
 * @property {number} now chain time
 * @property {number} [joinUntil]
 * @property {number} [labelSeconds]
 * @property {number} [lastCall] until when all must be answered
 * @property {number} [minSeats] with which labeling can begin
 * @property {number} [commit] until when a commit can be set right
 * @property {number} [post] until when labels can be handed out
 * @property {number} [score] until when the requester can score
 * @property {number} [challengeSeconds] how long a score can be disproved
 */

/**
 * Whether the page may be closed, said truthfully.
 * @param {Step} step
 * @param {Times} times
 * @returns {{mayClose: boolean, says: string}}
 */
export function closing({ step, until, leftWith }, times) {
  const clock = (/** @type {number | undefined} */ unix) =>
    unix === undefined ? "the bounty goes on" : formatClock(unix, times.now);
  switch (step) {
    case "joining":
      return { mayClose: false, says: "Keep this page open for a moment." };
    case "joined": {
      const lasts = times.labelSeconds ? formatDuration(times.labelSeconds) : "a while";
      return {
        mayClose: true,
        says:
          `You may close this page. Labeling begins by ${clock(times.joinUntil ?? until)}, or as` +
          ` soon as enough have joined, and lasts ${lasts}: look in again within that time.`,
      };
    }
    case "started":
      return {
        mayClose: true,
        says:
          "You may close this page: answers stay in this browser. Finish before" +
          ` ${clock(times.lastCall ?? until)}.`,
      };
    case "labeled":
    case "committed":
    case "confirmed":
      if (leftWith?.length) {
        const nodes = leftWith.map((url) => clean(hostOf(url), 60)).join(" and ");
        return {
          mayClose: true,
          says: `You may close this page: ${nodes} will finish for you, and cannot read your labels.`,
        };
      }
      return {
        mayClose: false,
        says:
          `Keep this page open, or come back before ${clock(times.commit ?? times.lastCall)}: your` +
          " labels are not handed out yet.",
      };
    case "released":
      return {
        mayClose: false,
        says:
          "Your labels are handed out. Keep this page open until the requester has signed for" +
          ` them, or come back before ${clock(times.post)}.`,
      };
    case "done":
      return { mayClose: true, says: `You may close this page. ${ofScore(times, clock)}` };
    default:
      return { mayClose: true, says: "" };
  }
}

/** What is told of the score that is to come. @param {Times} times @param {(unix: number) => string} clock */
function ofScore({ score, challengeSeconds }, clock) {
  if (!score || !challengeSeconds) return "Open it again to see your score.";
  return (
    `The requester scores by ${clock(score)}. Open it again within ${formatDuration(challengeSeconds)} of that:` +
    " this browser alone can see whether the score tells the truth about your answers."
  );
}

/** Draws the chain of steps into an element that it owns. */
export class Steps {
  constructor() {
    /** @private */ this._list = h("ol.tm-steps", { "aria-label": "Steps" });
    /** @private */ this._brief = h("p.tm-steps-brief", {});
    this.element = h("nav.tm-chain", { "aria-label": "Your way through this bounty" },
      this._brief, this._list);
  }

  /**
   * @param {Step["step"]} step
   * @param {Times} times
   */
  show(step, times) {
    const at = AT[/** @type {keyof typeof AT} */ (step)] ?? -1;
    fill(this._brief, h("strong", {}, `Step ${Math.min(at + 1, NAMES.length)} of ${NAMES.length}`),
      ` ${nameOf(Math.min(at, NAMES.length - 1), at, times)}`);
    fill(this._list, ...NAMES.map((_, place) => {
      const state = place < at ? "done" : place === at ? "now" : "next";
      const said = { done: "done: ", now: "now: ", next: "later: " }[state];
      return h("li", { class: `tm-step tm-${state}`, "aria-current": place === at && "step" },
        h("span.tm-mark", {}, state === "done" ? icon("check") : h("i", {}, place + 1)),
        h("span.tm-step-name", {}, h("span.tm-unseen", {}, said), nameOf(place, at, times)));
    }));
  }
}

/** @param {number} place @param {number} at @param {Times} times @returns {string} */
function nameOf(place, at, times) {
  if (place === 1) {
    if (at > 1) return "Started";
    if (times.joinUntil) return `Starts by ${formatClock(times.joinUntil, times.now)}`;
  }
  if (place === 2 && at <= 2 && times.lastCall) {
    return `Label until ${formatClock(times.lastCall, times.now)}`;
  }
  if (place === 2 && at > 2) return "Labeled";
  return NAMES[place];
}

/** @param {string} url @returns {string} */
function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}
