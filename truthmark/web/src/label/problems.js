// SPDX-License-Identifier: Apache-2.0
/** What went wrong, in one line with what to do, and a button where one helps. */

import { fill, h, icon } from "./dom.js";
import { StoreError } from "./store.js";
import { clean, sentence } from "./text.js";

const LONGEST = 400;

/** @param {any} error @returns {string} */
export function wordsOf(error) {
  if (error instanceof StoreError) return error.message;
  // Those of the core say what to do; anything else is a fault of the page.
  if (error?.name === "Refusal" || error?.name === "Unavailable") {
    return sentence(clean(error.message, LONGEST));
  }
  return `The page has a fault: ${clean(error?.message ?? error, 200)}. Reload it; answers are kept.`;
}

/** Whether something may work when it is tried again. @param {any} error */
export function passes(error) {
  return error?.name === "Unavailable";
}

/** A line above the work that comes and goes. */
export class ProblemBar {
  constructor() {
    this.element = h("div.tm-problem", { role: "alert", hidden: true });
  }

  /** @param {unknown} error @param {(() => void)} [again] */
  show(error, again) {
    this.say(wordsOf(error), again);
  }

  /** @param {string} text @param {(() => void)} [again] */
  say(text, again) {
    fill(this.element, icon("warning"), h("p", {}, text),
      again && h("button", { type: "button", onclick: again }, "Try again"));
    this.element.hidden = false;
  }

  clear() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }
}

/**
 * A page of its own, where nothing else can be shown.
 * @param {string} title
 * @param {string} text
 * @param {...any} more
 */
export function dead(title, text, ...more) {
  return h("section.tm-card.tm-dead", { role: "alert" }, h("span.tm-big", {}, icon("warning")),
    h("h2", {}, title), h("p", {}, text), ...more);
}
