// SPDX-License-Identifier: Apache-2.0
/** The answers to choose from: buttons with their keys, or a list to type in where they are many. */

import { fill, h, icon } from "./dom.js";
import { matching } from "./keys.js";
import { clean } from "./text.js";

/** @typedef {import("./keys.js").LabelClass} LabelClass */

const MOST_BUTTONS = 18;
/** Letters. */
const BRIEF = 4;
let panes = 0;

export class AnswersPane {
  /**
   * @param {LabelClass[]} classes
   * @param {(code: number) => void} choose
   */
  constructor(classes, choose) {
    /** @private */ this._classes = classes;
    /** @private */ this._choose = choose;
    /** @private @type {Map<number, string>} */ this._keys = new Map();
    /** @private @type {number | undefined} */ this._marked = undefined;
    /** @private */ this._list = h("div.tm-answers", { role: "group", "aria-label": "Answers" });
    /** @private @type {Finder | null} */ this._finder = null;
    // Names so short leave more of a narrow screen to the item.
    this._list.classList.toggle("tm-brief", classes.every(({ name }) => [...name].length <= BRIEF));
    this.element = h("div.tm-answer-pane", {}, this._list);
  }

  /** @param {Map<string, number>} keys class numbers by key */
  setKeys(keys) {
    this._keys = new Map([...keys].map(([key, number]) => [number, key]));
    const isShort = this._classes.length <= MOST_BUTTONS &&
      this._classes.every((_, number) => this._keys.has(number));
    this._finder = isShort ? null : new Finder(this._classes, this._keys, this._choose);
    fill(this._list, ...(isShort ? this._classes.map((_, number) => this._button(number)) : []));
    this.element.replaceChildren(this._finder?.element ?? this._list);
    this.mark(this._marked);
  }

  /** Show which answer was given before. @param {number | undefined} code */
  mark(code) {
    this._marked = code;
    for (const button of this._list.children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.code) === code));
    }
    this._finder?.reset(code);
  }

  /** @param {boolean} isOff */
  disable(isOff) {
    for (const button of this._list.children) button.disabled = isOff;
    this._finder?.disable(isOff);
  }

  /** Whether there is something to type into. */
  get canFind() {
    return this._finder !== null;
  }

  find() {
    this._finder?.focus();
  }

  /** @private @param {number} number */
  _button(number) {
    const key = this._keys.get(number);
    const name = clean(this._classes[number].name, 100);
    return h(
      "button.tm-answer",
      { type: "button", "data-code": number, "aria-keyshortcuts": key, "aria-pressed": "false",
        onclick: () => this._choose(number) },
      key && h("kbd", { "aria-hidden": "true" }, key),
      h("span", { dir: "auto" }, name),
      icon("check"),
    );
  }
}

/** A box to type the beginning of a name into, and what fits below it. */
class Finder {
  /**
   * @param {LabelClass[]} classes
   * @param {Map<number, string>} keys by class
   * @param {(code: number) => void} choose
   */
  constructor(classes, keys, choose) {
    this._classes = classes;
    this._choose = choose;
    this._best = 0;
    /** @type {number[]} */ this._found = [];
    this._isOff = false;
    /** @type {number | undefined} */ this._marked = undefined;
    const id = `tm-found-${++panes}`;
    this._id = id;
    this._keys = keys;
    this._input = h("input", {
      type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": id,
      "aria-autocomplete": "list", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      "aria-label": `Find one of ${classes.length} answers by its name`,
      placeholder: `Type to find one of ${classes.length} answers`,
      oninput: () => this._draw(), onkeydown: (/** @type {KeyboardEvent} */ e) => this._key(e),
    });
    this._list = h("ul.tm-found", { role: "listbox", id, "aria-label": "Answers that fit" });
    this.element = h("div.tm-finder", {},
      h("div.tm-find-box", {}, icon("search"), this._input, h("kbd", { "aria-hidden": "true" }, "/")),
      this._list);
    this._draw();
  }

  focus() {
    this._input.focus();
  }

  /** @param {number | undefined} code given before */
  reset(code) {
    this._marked = code;
    this._input.value = "";
    this._draw();
  }

  /** @param {boolean} isOff */
  disable(isOff) {
    this._input.disabled = isOff;
    this._isOff = isOff;
  }

  /** @private @param {KeyboardEvent} event */
  _key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this._found.length) {
      this._best = (this._best + step + this._found.length) % this._found.length;
      this._mark();
    } else if (event.key === "Enter" && this._input.value.trim() && this._found.length) {
      this._choose(this._found[this._best]);
    } else return;
    event.preventDefault();
  }

  /** @private */
  _draw() {
    this._found = matching(this._classes, this._input.value);
    this._best = 0;
    fill(this._list, ...this._found.map((number, at) =>
      h("li", {
        role: "option", id: `${this._id}-${at}`, dir: "auto",
        class: number === this._marked ? "tm-given" : "",
        onclick: () => this._isOff || this._choose(number),
      }, this._keys.has(number) && h("kbd", { "aria-hidden": "true" }, this._keys.get(number)),
        number === this._marked && icon("check"), clean(this._classes[number].name, 100))));
    if (!this._found.length) {
      this._list.append(h("li.tm-none", { role: "option", "aria-disabled": "true" },
        "no answer has such a name"));
    }
    this._mark();
  }

  /** @private */
  _mark() {
    const isTyped = this._input.value.trim() !== "";
    [...this._list.children].forEach((option, at) => {
      const isBest = isTyped && at === this._best && this._found.length > 0;
      option.setAttribute("aria-selected", String(isBest));
      if (isBest) option.scrollIntoView({ block: "nearest" });
    });
    if (isTyped && this._found.length) {
      this._input.setAttribute("aria-activedescendant", `${this._id}-${this._best}`);
    } else this._input.removeAttribute("aria-activedescendant");
  }
}
