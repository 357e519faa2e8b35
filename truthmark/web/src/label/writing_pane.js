// SPDX-License-Identifier: Apache-2.0
/** Where a text is asked for and no class: a box to write in, which keeps what is half written. */

import { h, icon } from "./dom.js";

/** What is written is kept after so much quiet, so that a reload costs no sentence. */
const QUIET_MS = 400;

export class WritingPane {
  /**
   * @param {(text: string) => string} write takes the text; returns why not, or nothing
   * @param {(text: string) => void} keep what is half written
   */
  constructor(write, keep) {
    /** @private */ this._keep = keep;
    /** @private */ this._said = h("p.tm-field-said", { role: "alert", id: "tm-text-said" });
    const done = () => {
      clearTimeout(this._waiting);
      this._said.textContent = write(this._box.value);
    };
    /** @private */
    this._box = h("textarea.tm-text-box", { rows: 3, "aria-label": "Your text", "aria-describedby": "tm-text-said",
      placeholder: "Write what is asked for", dir: "auto",
      oninput: () => {
        clearTimeout(this._waiting);
        this._waiting = setTimeout(() => this._keep(this._box.value), QUIET_MS);
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        if (!event.repeat) done();
      } });
    /** @private */
    this._button = h("button.tm-primary", { type: "button", onclick: done }, icon("check"), "Next",
      h("kbd", { "aria-hidden": "true" }, "Enter"));
    this.element = h("div.tm-answer-pane.tm-writing", {}, this._box, this._said,
      h("p.tm-row", {}, this._button,
        h("span.tm-field-hint", {}, "Shift and Enter begin a new line; Escape leaves the box, where other keys act.")));
  }

  setKeys() {}

  /** Show what was written before. @param {number | undefined} _code @param {string} text */
  mark(_code, text) {
    clearTimeout(this._waiting);
    this._box.value = text;
    this._said.textContent = "";
  }

  /** @param {boolean} isOff */
  disable(isOff) {
    this._box.disabled = isOff;
    this._button.disabled = isOff;
  }

  get canFind() {
    return true;
  }

  find() {
    this._box.focus();
  }
}
