// SPDX-License-Identifier: Apache-2.0
/** What asks in front of the page: a note to an item, and which key stands for which answer. */

import { fill, h, icon } from "./dom.js";
import { keysOf, whyNoKey } from "./keys.js";
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
    let value;
    const close = (/** @type {any} */ given) => {
      value = given;
      dialog.close();
    };
    dialog.onclose = () => {
      dialog.remove();
      before?.focus?.();
      resolve(value);
    };
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
 * @param {Record<string, string>} changed chosen before, by class
 * @param {[string, string][]} commands names and keys of commands, to be read
 * @returns {Promise<Record<string, string> | undefined>} undefined to change nothing
 */
export function askKeys(parent, classes, changed, commands) {
  return ask(parent, "Keys", (close) => {
    let chosen = { ...changed };
    const said = h("p.tm-said", { role: "status" }, "Choose an answer, then press its new key.");
    const list = h("ul.tm-key-list", {});
    const draw = () => {
      const keys = new Map([...keysOf(classes, chosen)].map(([key, number]) => [number, key]));
      fill(list, ...classes.map((entry, number) => {
        const button = h("button", { type: "button", "data-code": number },
          h("kbd", {}, keys.get(number) ?? "—"), h("span", { dir: "auto" }, clean(entry.name, 100)));
        button.onclick = () => fill(said, `Press the new key for ${clean(entry.name, 60)}.`);
        button.onkeydown = (/** @type {KeyboardEvent} */ event) => take(event, number);
        return h("li", {}, button);
      }));
    };
    const take = (/** @type {KeyboardEvent} */ event, /** @type {number} */ number) => {
      const { key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (["Tab", "Shift", "Enter", " ", "Escape"].includes(key)) return;
      event.preventDefault();
      const why = whyNoKey(key);
      if (why) return fill(said, `That is no key for an answer: ${why}.`);
      const old = keysOf(classes, chosen);
      const rival = old.get(key);
      const mine = [...old].find(([, each]) => each === number)?.[0];
      chosen = { ...chosen, [number]: key };
      // Two that change places, so that no answer is left without a key.
      if (rival !== undefined && rival !== number) {
        if (mine) chosen[rival] = mine;
        else delete chosen[rival];
      }
      fill(said, `${key} now stands for ${clean(classes[number].name, 60)}.`);
      draw();
      list.querySelector(`[data-code="${number}"]`)?.focus();
    };
    draw();
    return [
      said,
      list,
      h("details", {}, h("summary", {}, "The other keys"),
        h("ul.tm-key-list", {}, ...commands.map(([name, key]) =>
          h("li", {}, h("span.tm-fixed", {}, h("kbd", {}, key), name))))),
      h("footer", {},
        h("button", { type: "button", onclick: () => { chosen = {}; draw(); } }, "As they were"),
        h("button.tm-primary", { type: "button", onclick: () => close(chosen) }, "Use these keys")),
    ];
  });
}
