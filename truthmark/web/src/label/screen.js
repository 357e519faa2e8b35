// SPDX-License-Identifier: Apache-2.0
/**
 * Items one after the other, an answer for each: one key or tap answers and shows the next.
 *
 * An answer is written while the next item is already on the page, and counts once it is on disk;
 * where that fails, the page goes back to the item and says so.
 */

import { AnswersPane } from "./answers_pane.js";
import { ask, askKeys, askNote } from "./dialogs.js";
import { fill, h, icon, set } from "./dom.js";
import { showItem } from "./item_view.js";
import { commandsOf, keysOf, meaningOf, nameOfKey } from "./keys.js";
import { drawMarkdown } from "./markdown.js";
import { passes, wordsOf } from "./problems.js";
import { Shelf } from "./shelf.js";
import { clean, plural } from "./text.js";
import { WritingPane } from "./writing_pane.js";

/** @typedef {import("./answers.js").AnswerLog} AnswerLog */
/** @typedef {import("../core/types.js").Item} Item */

/**
 * @typedef {object} Options
 * @property {number[]} items their numbers, in the order in which they are shown
 * @property {import("./keys.js").LabelClass[]} classes
 * @property {AnswerLog} log
 * @property {(text: string) => string} toText as it is committed to; throws what is wrong with it
 * @property {(item: number) => Promise<Item>} load
 * @property {string} guidelines Markdown
 * @property {string} noun what an item is called
 * @property {(item: number) => boolean} [isSwapped] of a pair
 * @property {boolean} [isJudged] whether answers are held against known ones
 * @property {(item: number, code: number) => {isRight: boolean, says: string, why: string}} [judge]
 *   in practice: what is said after an answer
 * @property {(seconds: number | undefined) => string} [status] given the usual time of an answer
 * @property {() => number} [complete] how many items could be sent now, if not all
 * @property {{get: (name: string) => any, set: (name: string, value: any) => void}} prefs
 * @property {() => Promise<void>} [wait] until what did not work may be tried again
 * @property {(error: unknown) => void} onProblem
 * @property {() => void} onGood nothing is wrong any more
 */

const NAMES = {
  undo: "undo", back: "the item before", forth: "the item after", skip: "skip",
  flag: "flag with a note", guidelines: "guidelines", find: "type to find", zoom: "zoom",
  keys: "change keys",
};
/** How far arrows move what is larger, in points. */
const PANS = {
  ArrowLeft: { left: -80 }, ArrowRight: { left: 80 }, ArrowUp: { top: -80 }, ArrowDown: { top: 80 },
};
const WIDE = "(min-width: 60rem)";
/** Quicker than anybody reads; a key that is held answers once. */
const USUAL = 10;

export class Screen {
  /** @param {Options} options */
  constructor(options) {
    /** @private */ this._o = options;
    /** @private */ this._at = -1;
    /** @private */ this._begun = 0;
    /** Answers on their way to the disk. @private @type {Set<number>} */
    this._writing = new Set();
    /** @private @type {Promise<void> | undefined} */ this._undoing = undefined;
    /** @private @type {"item" | "loading" | "verdict" | "confirm" | "over"} */
    this._state = "loading";
    /** @private @type {import("./item_view.js").Shown | null} */ this._shown = null;
    const { classes, items } = options;
    this._shelf = new Shelf(items.length, async (at) =>
      showItem(await options.load(items[at]), this._nameOf(at), this._isSwapped(items[at])));
    this._answers = classes.length
      ? new AnswersPane(classes, (code) => this.answer(code))
      : new WritingPane((text) => this.write(text), (text) => this._keepDraft(text));
    this._build();
    this._useKeys();
    /** @private @type {Promise<boolean>} */
    this._end = new Promise((resolve) => (this._resolve = resolve));
  }

  /**
   * Take answers until all items have one and that is confirmed, or the person leaves.
   * @returns {Promise<boolean>} whether all, or all that `batch` asks for, are answered
   */
  run() {
    this._go(this._nextOpen(0));
    return this._end;
  }

  /** End without having answered all. */
  leave() {
    this._finish(false);
  }

  close() {
    this._state = "over";
    this._shelf.close();
  }

  /** Draw again what changes with time. */
  refresh() {
    this._drawProgress();
  }

  // ------------------------------------------------------------------------- doing

  /** @param {number} code a class, or their number for a skip */
  answer(code) {
    const { classes, items, log } = this._o;
    if (this._state !== "item") return;
    const item = items[this._at];
    const isSkip = code >= classes.length;
    const stored = !isSkip && this._isSwapped(item) && code < 2 ? 1 - code : code;
    this._tell(isSkip ? "Skipped." : `${clean(classes[code].name, 60)}.`);
    const written = log.answer(item, stored, this._took());
    if (this._o.judge) this._judge(item, stored);
    this._record(item, written);
  }

  /** @param {string} text @returns {string} why it is no answer, or nothing */
  write(text) {
    const { items, log, toText } = this._o;
    if (this._state !== "item") return "";
    const item = items[this._at];
    let found;
    try {
      found = toText(text);
    } catch (error) {
      return `${clean(/** @type {any} */ (error)?.message ?? error, 200)}.`;
    }
    this._tell("Written.");
    this._record(item, log.write(item, found, this._took()));
    return "";
  }

  /** @private @returns {number} seconds since the item is on the page */
  _took() {
    return (performance.now() - this._begun) / 1000;
  }

  /** @private @param {string} text */
  _keepDraft(text) {
    this._o.prefs.set("draft", { item: this._o.items[this._at], text });
  }

  /** Go on while an answer is written. @private @param {number} item @param {Promise<void>} writing */
  _record(item, writing) {
    this._writing.add(item);
    const written = writing.then(
      () => this._settle(item),
      (error) => this._unsettle(item, error),
    );
    if (this._o.judge) return;
    const next = this._nextOpen(this._at);
    if (next >= 0) this._go(next);
    else written.then(() => this._go(this._nextOpen(0)));
  }

  /** @private @param {number} item */
  _settle(item) {
    this._writing.delete(item);
    this._o.onGood();
    this._drawProgress();
  }

  /** @private @param {number} item @param {unknown} error */
  _unsettle(item, error) {
    this._writing.delete(item);
    this._o.onProblem(error);
    this._go(this._o.items.indexOf(item));
  }

  /** @private Take the newest answer back; what is pressed meanwhile waits for it. */
  _undo() {
    this._undoing ??= this._takeBack().finally(() => {
      this._undoing = undefined;
    });
  }

  /** @private */
  async _takeBack() {
    const { items, log } = this._o;
    try {
      const item = await log.undo();
      if (item === undefined) {
        this._tell("There is nothing to take back.");
        return;
      }
      this._o.onGood();
      this._tell("Taken back.");
      this._go(items.indexOf(item));
    } catch (error) {
      this._o.onProblem(error);
    }
  }

  /** @private */
  async _flag() {
    const { items, log } = this._o;
    const item = items[this._at];
    const note = await askNote(this.element, log.notes.get(item) ?? "");
    if (note === undefined || note === (log.notes.get(item) ?? "")) return;
    try {
      await log.flag(item, note);
      this._tell(note ? "Flagged; now answer or skip it." : "The flag is removed.");
      this._drawProgress();
      this._drawMarks();
    } catch (error) {
      this._o.onProblem(error);
    }
  }

  /** @private */
  async _changeKeys() {
    const { classes, prefs } = this._o;
    const names = Object.fromEntries(Object.entries(NAMES).filter(([name]) =>
      name !== "find" || this._answers.canFind));
    const chosen = { keys: prefs.get("keys") ?? {}, commands: prefs.get("commands") ?? {} };
    const changed = await askKeys(this.element, classes, chosen, names);
    if (!changed) return;
    prefs.set("keys", changed.keys);
    prefs.set("commands", changed.commands);
    this._useKeys();
  }

  /** @private */
  _zoom() {
    if (!this._shown?.zoom) return;
    const is = this._stage.classList.toggle("tm-zoomed");
    this._buttons.zoom.setAttribute("aria-pressed", String(is));
    if (is) {
      this._stage.scrollLeft = (this._stage.scrollWidth - this._stage.clientWidth) / 2;
      this._stage.scrollTop = (this._stage.scrollHeight - this._stage.clientHeight) / 2;
    }
    this._tell(is ? "Larger; arrows move it." : "Whole again.");
  }

  /** @private @param {boolean} [isOpen] */
  _guide(isOpen = this._aside.hidden) {
    this._aside.hidden = !isOpen;
    this._buttons.guidelines.setAttribute("aria-expanded", String(isOpen));
    this._o.prefs.set("guidelines", isOpen);
    if (isOpen && !matchMedia(WIDE).matches) this._aside.querySelector("button")?.focus();
    else this.focus();
  }

  focus() {
    this._stage.focus({ preventScroll: true });
  }

  // ------------------------------------------------------------------------- keys

  /**
   * Take a key; the page's only listener calls this.
   * @param {KeyboardEvent} event
   * @param {EventTarget | undefined} target innermost
   */
  key(event, target) {
    const isTyping = target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (this.element.querySelector("dialog[open]")) return;
    if (isTyping) {
      if (event.key === "Escape") this.focus();
      return;
    }
    if (event.key === "Escape") {
      if (!this._aside.hidden && !matchMedia(WIDE).matches) this._guide(false);
      if (this._stage.classList.contains("tm-zoomed")) this._zoom();
      return;
    }
    const pressed = target instanceof HTMLElement && target.closest("button, a, summary, audio");
    if (event.key === " ") {
      if (!pressed && this._play()) event.preventDefault();
      return;
    }
    if (event.key in PANS && this._stage.classList.contains("tm-zoomed")) {
      event.preventDefault();
      this._stage.scrollBy(PANS[/** @type {keyof typeof PANS} */ (event.key)]);
      return;
    }
    const meaning = meaningOf(event, this._keys, this._commands);
    if (meaning === undefined || (meaning === "enter" && pressed)) return;
    event.preventDefault();
    if (event.repeat && !(meaning === "back" || meaning === "forth")) return;
    this._do(meaning);
  }

  /** @private @param {number | string} meaning */
  _do(meaning) {
    if (this._undoing) {
      void this._undoing.then(() => this._do(meaning));
      return;
    }
    if (typeof meaning === "number") return this.answer(meaning);
    const count = this._o.items.length;
    switch (meaning) {
      case "enter":
        if (this._state === "verdict") this._go(this._nextOpen(this._at));
        else if (this._state === "confirm") this._seal();
        else if (this._state === "item" && !this._writing.size) this._go(this._nextOpen((this._at + 1) % count));
        break;
      case "undo":
        this._undo();
        break;
      case "back":
      case "forth":
        if (this._state === "confirm") this._go(meaning === "back" ? count - 1 : 0);
        else this._go((this._at + (meaning === "forth" ? 1 : count - 1)) % count);
        break;
      case "skip":
        this.answer(this._o.classes.length);
        break;
      case "flag":
        if (this._state === "item") void this._flag();
        break;
      case "guidelines":
        this._guide();
        break;
      case "zoom":
        this._zoom();
        break;
      case "keys":
        void this._changeKeys();
        break;
      case "find":
        this._answers.find();
    }
  }

  /** @private @returns {boolean} whether there was something to play */
  _play() {
    const sound = this._shown?.sounds[0];
    if (!sound) return false;
    if (sound.paused) sound.play().catch(() => {});
    else sound.pause();
    return true;
  }

  /** @private */
  _useKeys() {
    this._keys = keysOf(this._o.classes, this._o.prefs.get("keys") ?? {});
    this._answers.setKeys(this._keys);
    this._commands = commandsOf(this._keys, this._o.prefs.get("commands") ?? {});
    if (!this._answers.canFind) {
      this._commands = new Map([...this._commands].filter(([, name]) => name !== "find"));
    }
    const byName = new Map([...this._commands].map(([key, name]) => [name, key]));
    for (const [name, button] of Object.entries(this._buttons)) {
      const key = byName.get(name);
      const hint = button.querySelector("kbd");
      hint.textContent = key ? nameOfKey(key) : "";
      set(button, { "aria-keyshortcuts": key });
    }
    this._drawMarks();
  }

  // ------------------------------------------------------------------------- moving

  /** @private @param {number} start @returns {number} place of an item without an answer, or -1 */
  _nextOpen(start) {
    const { items, log } = this._o;
    for (let step = 0; step < items.length; step++) {
      const at = (start + step) % items.length;
      if (!log.codes.has(items[at]) && !this._writing.has(items[at])) return at;
    }
    return -1;
  }

  /** Show a place; -1 is behind the last. @private @param {number} at */
  _go(at) {
    if (this._state === "over") return;
    // What had the focus is going; it goes to the item, and not out of the page.
    const focused = this._root()?.activeElement;
    if (this._verdict.contains(focused) || this._confirming.contains(focused)) this.focus();
    this._verdict.hidden = true;
    this._bar.hidden = false;
    if (at < 0) {
      this._confirm();
      return;
    }
    this._at = at;
    this._confirming.hidden = true;
    this._answers.element.hidden = false;
    const ready = this._shelf.now(at);
    if (ready) this._paint(at, ready);
    else void this._load(at);
    this._shelf.moveTo(at);
    this._drawProgress();
  }

  /** @private @param {number} at */
  async _load(at) {
    this._state = "loading";
    this._shown = null;
    this._stage.setAttribute("aria-busy", "true");
    // What was written before there is an item would be gone once it is here.
    if (!this._o.classes.length) this._answers.disable(true);
    const spinner = setTimeout(() => {
      if (this._at === at && this._state === "loading") {
        fill(this._stage, h("p.tm-loading", {}, `Getting ${this._nameOf(at)} …`));
      }
    }, 150);
    try {
      const shown = await this._shelf.get(at);
      if (this._at === at && this._state === "loading") this._paint(at, shown);
    } catch (error) {
      if (this._at !== at || this._state !== "loading") return;
      const broken = h("div.tm-broken", { role: "alert" }, h("p", {}, wordsOf(error)),
        h("button", { type: "button", onclick: () => this._go(at) }, "Try again"));
      fill(this._stage, broken);
      if (passes(error)) void this._o.wait?.().then(() => broken.isConnected && this._go(at));
    } finally {
      clearTimeout(spinner);
    }
  }

  /** @private @param {number} at @param {import("./item_view.js").Shown} shown */
  _paint(at, shown) {
    this._state = "item";
    this._answers.disable(false);
    this._shown = shown;
    this._stage.classList.remove("tm-zoomed");
    this._buttons.zoom.setAttribute("aria-pressed", "false");
    this._stage.replaceChildren(shown.element);
    this._stage.setAttribute("aria-busy", "false");
    this._stage.setAttribute("aria-label", this._nameOf(at));
    this._stage.scrollTop = 0;
    this._begun = performance.now();
    this._drawMarks();
    if (!this._o.classes.length && matchMedia(WIDE).matches) this._answers.find();
    else if (this._root()?.activeElement === document.body) this.focus();
  }

  /** @private */
  _confirm() {
    const { items, log, judge } = this._o;
    if (judge) {
      this._finish();
      return;
    }
    this._state = "confirm";
    this._shown = null;
    const skipped = items.filter((item) => (log.codes.get(item) ?? 0) >= this._o.classes.length);
    fill(this._stage, h("div.tm-all", {},
      h("span.tm-big", {}, icon("check")),
      h("h2", {}, `All ${items.length} are answered`),
      skipped.length > 0 &&
        h("p", {}, `${plural(skipped.length, "item")} skipped: each counts as a wrong answer.`),
      h("p", {}, "Sealed, nobody but the requester can read your answers, and you cannot change",
        " them any more.")));
    this._stage.setAttribute("aria-label", "All are answered");
    this._answers.element.hidden = true;
    this._bar.hidden = true;
    this._confirming.hidden = false;
    this._confirming.querySelector(".tm-primary").focus({ preventScroll: true });
    this._drawProgress();
  }

  /** What is still on its way to the disk is part of it. @private */
  _seal() {
    if (!this._writing.size && this._nextOpen(0) < 0) this._finish();
  }

  /** @private */
  _finish(isDone = true) {
    this.close();
    this._resolve?.(isDone);
  }

  /** @private @param {number} item @param {number} stored */
  _judge(item, stored) {
    const said = /** @type {any} */ (this._o.judge)(item, stored);
    this._state = "verdict";
    this._answers.mark(stored);
    this._answers.disable(true);
    this._bar.hidden = true;
    this._verdict.className = `tm-verdict ${said.isRight ? "tm-right" : "tm-wrong"}`;
    fill(this._verdict,
      h("div", { role: "status" }, icon(said.isRight ? "check" : "cross"),
        h("div", {}, h("strong", {}, said.says), said.why && h("p", { dir: "auto" }, said.why))),
      h("button.tm-primary", { type: "button", onclick: () => this._go(this._nextOpen(this._at)) },
        "Next", h("kbd", { "aria-hidden": "true" }, "Enter")));
    this._verdict.hidden = false;
    this._verdict.querySelector("button")?.focus({ preventScroll: true });
    this._drawProgress();
  }

  // ------------------------------------------------------------------------- drawing

  /** @private */
  _build() {
    const tool = (/** @type {string} */ name, /** @type {any} */ picture, /** @type {string} */ text) =>
      h(`button.tm-tool.tm-tool-${name}`, { type: "button", onclick: () => this._do(name) },
        icon(picture), h("span", {}, text), h("kbd", { "aria-hidden": "true" }));
    this._buttons = {
      undo: tool("undo", "undo", "Undo"),
      back: tool("back", "left", "Before"),
      forth: tool("forth", "right", "After"),
      skip: tool("skip", "skip", `Skip${this._o.isJudged ? " (counts as wrong)" : ""}`),
      flag: tool("flag", "flag", "Flag"),
      zoom: tool("zoom", "zoom", "Zoom"),
      guidelines: tool("guidelines", "book", "Guidelines"),
      keys: tool("keys", "keys", "Keys"),
    };
    this._buttons.guidelines.setAttribute("aria-expanded", "false");
    this._stage = h("section.tm-stage", { tabindex: 0, role: "region", "aria-live": "polite",
      onclick: (/** @type {Event} */ event) => event.target instanceof HTMLImageElement && this._zoom() });
    this._progress = h("div.tm-progress", {});
    this._said = h("p.tm-unseen", { role: "status" });
    this._verdict = h("div.tm-verdict", { hidden: true });
    this._bar = h("div.tm-tools", { role: "toolbar", "aria-label": "Commands" },
      ...Object.values(this._buttons));
    this._confirming = h("div.tm-confirm", { hidden: true },
      h("button", { type: "button", onclick: () => this._undo() }, icon("undo"), "Take the last back"),
      h("button.tm-primary", { type: "button", onclick: () => this._seal() }, icon("lock"),
        "Seal and send", h("kbd", { "aria-hidden": "true" }, "Enter")));
    this._aside = this._buildGuidelines();
    this.element = h("div.tm-work", {},
      this._progress,
      h("div.tm-desk", {}, this._stage, this._aside),
      h("div.tm-hand", {}, this._verdict, this._confirming, this._answers.element, this._bar),
      this._said);
    const wantsGuide = this._o.prefs.get("guidelines") ?? true;
    if (this._o.guidelines.trim() && wantsGuide && matchMedia(WIDE).matches) {
      this._aside.hidden = false;
      this._buttons.guidelines.setAttribute("aria-expanded", "true");
    }
  }

  /** @private */
  _buildGuidelines() {
    const text = this._o.guidelines.trim();
    return h("aside.tm-guide", { hidden: true, "aria-label": "Guidelines" },
      h("header", {}, h("h2", {}, "Guidelines"),
        h("button.tm-quiet", { type: "button", "aria-label": "Close the guidelines",
          onclick: () => this._guide(false) }, icon("cross"))),
      h("div.tm-scroll", { tabindex: 0, role: "region", "aria-label": "Text of the guidelines" },
        text ? drawMarkdown(text) : h("p", {}, "There are no guidelines.")));
  }

  /** @private */
  _drawMarks() {
    const { items, log, classes } = this._o;
    if (this._at < 0) return;
    const item = items[this._at];
    const kept = log.codes.get(item);
    const draft = this._o.prefs.get("draft");
    const written = log.texts.get(item) ?? "";
    const code = kept !== undefined && kept < 2 && this._isSwapped(item) ? 1 - kept : kept;
    this._answers.mark(code, draft?.item === item && !written ? String(draft.text) : written);
    this._buttons.skip.setAttribute("aria-pressed", String(code === classes.length));
    this._buttons.flag.setAttribute("aria-pressed", String(Boolean(log.notes.get(item))));
    const sight = this._shown?.zoom;
    this._buttons.zoom.hidden = !sight;
  }

  /** @private */
  _drawProgress() {
    const { items, log, classes, status } = this._o;
    const answered = items.filter((item) => log.codes.has(item));
    const skipped = answered.filter((item) => (log.codes.get(item) ?? 0) >= classes.length).length;
    const flagged = items.filter((item) => log.notes.get(item)).length;
    const parts = [
      `${answered.length} of ${items.length} answered`,
      skipped ? `${skipped} skipped` : "",
      flagged ? `${flagged} flagged` : "",
    ].filter(Boolean);
    this._buttons.undo.disabled = !answered.length;
    fill(this._progress,
      h("progress", { max: items.length, value: answered.length, "aria-label": "Answered" }),
      h("p", {}, h("span", {}, parts.join(" · "), this._early()),
        h("span", {}, status?.(this.usualSeconds()) ?? "")));
  }

  /** A way out for who will not get through all. @private */
  _early() {
    const enough = this._o.complete?.() ?? 0;
    if (!enough || enough === this._o.items.length) return null;
    return [" ", h("button.tm-link", { type: "button", onclick: () => this._finishEarly(enough) },
      "Finish early")];
  }

  /** @private @param {number} enough */
  async _finishEarly(enough) {
    const { items, noun } = this._o;
    const agreed = await ask(this.element, "Finish early?", (close) => [
      h("p", {}, `The first ${plural(enough, noun)} of ${items.length} are complete and can be sent`,
        " now, and are paid. The others are not sent, and nothing can be changed afterwards."),
      h("footer", {}, h("button", { type: "button", onclick: () => close(false) }, "Go on labeling"),
        h("button.tm-primary", { type: "button", onclick: () => close(true) }, icon("lock"),
          `Seal and send ${enough}`)),
    ]);
    if (agreed && !this._writing.size) this._finish();
  }

  /** @returns {number | undefined} the median time of an answer, once there are some */
  usualSeconds() {
    const { items, log } = this._o;
    const took = items.map((item) => log.seconds.get(item) ?? 0).filter((each) => each > 0);
    took.sort((a, b) => a - b);
    return took.length < USUAL ? undefined : took[took.length >> 1];
  }

  /** @private @param {string} text for a screen reader */
  _tell(text) {
    this._said.textContent = text;
  }

  /** @private @param {number} at */
  _nameOf(at) {
    return `${this._o.noun} ${at + 1} of ${this._o.items.length}`;
  }

  /** @private @param {number} item */
  _isSwapped(item) {
    return this._o.isSwapped?.(item) ?? false;
  }

  /** @private @returns {any} document or shadow root */
  _root() {
    return this.element.getRootNode();
  }
}
