// SPDX-License-Identifier: Apache-2.0
/** The label page on a requester's own items, before anything is paid: nothing is kept or sent. */

import { annotation } from "../core/annotations.js";
import { readItem } from "../core/items.js";
import { AnswerLog } from "./answers.js";
import { fill, h } from "./dom.js";
import { Screen } from "./screen.js";
import { clean, plural } from "./text.js";

const NOUNS = { text: "text", image: "picture", audio: "sound", pair: "pair", number: "row" };
/** It is gone with the page. @type {any} */
const NOWHERE = { put: async () => {}, entries: async () => [] };

/**
 * @typedef {object} Previewed
 * @property {string} title
 * @property {string} guidelines
 * @property {import("./keys.js").LabelClass[]} classes
 * @property {string} kind of the items
 * @property {string[]} items as a relay would give them, in base64
 */

export class Preview {
  /** @param {HTMLElement} root @param {Previewed} shown */
  constructor(root, shown) {
    /** @private */ this._shown = shown;
    /** @private @type {Screen | null} */ this._screen = null;
    /** @private */ this._prefs = { guidelines: true };
    root.classList.add("tm-root");
    this._main = h("div.tm-main", {});
    root.replaceChildren(h("header.tm-head", {}, h("h1", { dir: "auto" }, clean(shown.title, 200) || "Without a title")), this._main);
    // A key is for the preview only where the focus is in it: the form around it has its own.
    const { signal } = (this._ending = new AbortController());
    for (const kind of ["keydown", "keypress", "keyup"]) {
      root.addEventListener(kind, (/** @type {any} */ event) => {
        event.stopPropagation();
        if (kind === "keydown") this._screen?.key(event, event.composedPath()[0]);
      }, { signal });
    }
    void this._run();
  }

  close() {
    this._ending.abort();
    this._screen?.close();
  }

  /** Begin again whenever all is answered. @private */
  async _run() {
    const { items, classes, guidelines, kind } = this._shown;
    for (let said = "Preview: nothing is kept or sent"; !this._ending.signal.aborted; ) {
      const log = new AnswerLog(NOWHERE, "");
      const prefs = /** @type {any} */ (this._prefs);
      this._screen = new Screen({
        items: items.map((_, at) => at),
        classes, log, guidelines,
        noun: NOUNS[/** @type {keyof typeof NOUNS} */ (kind)] ?? "item",
        load: async (/** @type {number} */ at) => readItem(Uint8Array.from(atob(items[at]), (c) => c.charCodeAt(0))),
        toText: annotation,
        status: () => said,
        prefs: {
          get: (/** @type {string} */ name) => prefs[name],
          set: (/** @type {string} */ name, /** @type {any} */ value) => void (prefs[name] = value),
        },
        onProblem: () => {},
        onGood: () => {},
      });
      fill(this._main, this._screen.element);
      await this._screen.run();
      said = `Preview: labelers would have sealed ${plural(items.length, "answer")} now; it begins again`;
    }
  }
}
