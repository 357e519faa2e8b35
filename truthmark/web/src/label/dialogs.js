// SPDX-License-Identifier: Apache-2.0
/** What asks in front of the page: a note to an item, and which key stands for which answer. */

import { fill, h, icon } from "./dom.js";
import { choose, commandsOf, keysOf, nameOfKey } from "./keys.js";
import { MAX_NOTE } from "./answers.js";
import { clean } from "./text.js";

/** @typedef {import("./keys.js").LabelClass} LabelClass */

/**
 * @param {HTMLElement} parent
 * @param {string} title
 * @param {(close: (value?: any) => void) => any[]} body
 * @returns {Promise<any>} what it was closed with; undefined where it was left
 */
export function ask(parent, title, body) {
  return new Promise((resolve) => {
    const dialog = h("dialog.tm-dialog", { "aria-label": title });
    const before = /** @type {any} */ (parent.getRootNode()).activeElement;
    let isOpen = true;
    // Once, and at once: the event comes later, when the next key may have moved the focus.
    const leave = (/** @type {any} */ given) => {
      if (!isOpen) return;
      isOpen = false;
      dialog.remove();
      before?.focus?.();
      resolve(given);
    };
    const close = (/** @type {any} */ given) => {
      dialog.close();
      leave(given);
    };
    dialog.onclose = () => leave(undefined);
    fill(dialog, h("header", {}, h("h2", {}, title),
      h("button.tm-quiet", { type: "button", "aria-label": "Close", onclick: () => close() },
        icon("cross"))), ...body(close));
    parent.append(dialog);
    dialog.showModal();
  });
}

/**
 * Ask what is wrong with an item.
 * @param {HTMLElement} parent
 * @param {string} note said before
 * @returns {Promise<string | undefined>} empty to take a flag back; undefined to change nothing
 */
export function askNote(parent, note) {
  return ask(parent, "What is wrong with this item?", (close) => {
    const field = h("textarea", { rows: 4, maxlength: MAX_NOTE, "aria-label": "Your note",
      placeholder: "Two answers fit; the picture is cut off; …" });
    field.value = note;
    const save = () => close(field.value.trim());
    field.onkeydown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    };
    queueMicrotask(() => field.focus());
    return [
      h("p", {}, "Only the requester reads this. The item still wants an answer."),
      field,
      h("footer", {},
        note && h("button", { type: "button", onclick: () => close("") }, "Remove the flag"),
        h("button.tm-primary", { type: "button", onclick: save }, "Save the note")),
    ];
  });
}

/**
 * Let the labeler choose keys.
 * @param {HTMLElement} parent
 * @param {LabelClass[]} classes
 * @param {Chosen} before chosen before
 * @param {Record<string, string>} names of commands, in words
 * @returns {Promise<Chosen | undefined>} undefined to change nothing
 *
 * @typedef {{keys: Record<string, string>, commands: Record<string, string>}} Chosen answers by
 *   number, commands by name
 */
export function askKeys(parent, classes, before, names) {
  return ask(parent, "Keys", (close) => {
    let chosen = before;
    const said = h("p.tm-said", { role: "status" }, "Choose one, then press its new key.");
    const answers = h("ul.tm-key-list", {});
    const commands = h("ul.tm-key-list", {});
    const row = (/** @type {number | string} */ wanted, /** @type {string} */ name, /** @type {string | undefined} */ key) =>
      h("li", {}, h("button", { type: "button", "data-code": wanted,
        onclick: () => fill(said, `Press the new key for ${name}.`),
        onkeydown: (/** @type {KeyboardEvent} */ event) => take(event, wanted, name) },
      h("kbd", {}, key ? nameOfKey(key) : "—"), h("span", { dir: "auto" }, name)));
    const draw = () => {
      const keys = keysOf(classes, chosen.keys);
      const keyOf = (/** @type {Map<string, any>} */ map, /** @type {any} */ wanted) =>
        [...map].find(([, each]) => each === wanted)?.[0];
      const others = commandsOf(keys, chosen.commands);
      fill(answers, ...classes.map(({ name }, number) => row(number, clean(name, 60), keyOf(keys, number))));
      fill(commands, ...Object.entries(names).map(([name, words]) => row(name, words, keyOf(others, name))));
    };
    const take = (/** @type {KeyboardEvent} */ event, /** @type {number | string} */ wanted, /** @type {string} */ name) => {
      const { key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (["Tab", "Shift", "Enter", " ", "Escape"].includes(key)) return;
      event.preventDefault();
      const made = choose(classes, chosen, wanted, key);
      if (made.why) {
        fill(said, `That cannot be its key: ${made.why}.`);
        return;
      }
      chosen = made;
      fill(said, `${nameOfKey(key)} now stands for ${name}.`);
      draw();
      const again = [...answers.querySelectorAll("button"), ...commands.querySelectorAll("button")];
      again.find((each) => each.dataset.code === String(wanted))?.focus();
    };
    draw();
    return [
      said,
      answers,
      h("details", { open: !classes.length }, h("summary", {}, "The other keys"), commands),
      h("footer", {},
        h("button", { type: "button", onclick: () => { chosen = { keys: {}, commands: {} }; draw(); } }, "As they were"),
        h("button.tm-primary", { type: "button", onclick: () => close(chosen) }, "Use these keys")),
    ];
  });
}
