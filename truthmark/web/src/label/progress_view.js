// SPDX-License-Identifier: Apache-2.0
/** What is seen while a labeler waits: for the start, for the chain, for the requester's word. */

import { fill, h, icon } from "./dom.js";
import { closing } from "./steps.js";
import { clean, formatClock, formatDuration, sentence } from "./text.js";

/** @typedef {import("./steps.js").Step} Step */
/** @typedef {import("./steps.js").Times} Times */

const HEADS = {
  joining: "Asking for a place",
  joined: "You have joined",
  started: "Your items are being fetched",
  labeled: "Sealing your answers",
  committed: "Waiting for the chain",
  confirmed: "Handing out your labels",
  released: "Handed out",
  done: "Done. Thank you!",
  missed: "This bounty went on without you",
};

export class ProgressView {
  /**
   * @param {object} options
   * @param {(() => void) | null} options.practice goes on practicing meanwhile
   * @param {((wanted: boolean) => Promise<boolean>) | null} options.notify asks to be told of the
   *   start; returns whether that will be
   * @param {() => void} options.save gives out the recovery file
   * @param {() => any[]} options.summary what was done and may come of it, once labels are signed
   */
  constructor(options) {
    /** @private */ this._o = options;
    /** @private */ this._step = "";
    /** @private */ this._head = h("h2", { tabindex: -1 });
    /** @private */ this._says = h("p", { role: "status" });
    /** @private */ this._close = h("p.tm-close", { role: "status" });
    /** @private */ this._trouble = h("p.tm-trouble", { role: "status", hidden: true });
    /** @private */ this._more = h("div.tm-more", {});
    /** @private */ this._mark = h("span.tm-big", {});
    this.element = h("section.tm-card.tm-waiting", {}, this._mark, this._head, this._says,
      this._close, this._trouble, this._more);
  }

  /** @param {Step} step @param {Times} times */
  show(step, times) {
    const isNew = step.step !== this._step;
    this._step = step.step;
    const words = closing(step, times);
    this._head.textContent = step.isElsewhere ? "Your labels are in another browser" : HEADS[step.step];
    this._says.textContent = this._words(step, times);
    fill(this._close, words.says && icon(words.mayClose ? "check" : "clock"), words.says);
    this._close.classList.toggle("tm-stay", !words.mayClose);
    this._trouble.hidden = !step.trouble;
    fill(this._trouble, step.trouble && `${clean(step.trouble, 300)} Going on by itself.`);
    if (!isNew) return;
    this.element.classList.toggle("tm-over", step.step === "done");
    const isOver = step.step === "done" || step.step === "missed";
    fill(this._mark, step.step === "done" ? icon("check") : isOver ? icon("warning") : h("i.tm-turn"));
    fill(this._more, ...this._extras(step));
  }

  focus() {
    this._head.focus({ preventScroll: true });
  }

  /** @private @param {Step} step @param {Times} times @returns {string} */
  _words(step, times) {
    const says = sentence(clean(step.says, 400));
    if (step.step === "joined") return `${says} ${this._clock(step, times)}`;
    if (step.step === "committed" && step.until) {
      return `${says} The relay brings it there by ${formatClock(step.until, times.now)}.`;
    }
    return step.oneSource ? `${says} One source of the chain is believed, as on a test network.` : says;
  }

  /** @private @param {Step} step @param {Times} times */
  _clock(step, times) {
    const until = times.joinUntil;
    if (!until) return "";
    const left = until - times.now;
    const away = left > 0 ? ` (in ${formatDuration(left)})` : "";
    const full = times.minSeats ? " or as soon as all places are taken" : "";
    return `Labeling starts by ${formatClock(until, times.now)}${away}${full}.`;
  }

  /** @private @param {Step} step */
  _extras(step) {
    const { practice, notify, save, summary } = this._o;
    if (step.step === "joined") {
      return [notify && notice(notify),
        h("p.tm-row", {},
          practice && h("button", { type: "button", onclick: practice }, "Practice meanwhile"),
          h("button", { type: "button", onclick: save }, icon("save"), "Save the recovery file again"))];
    }
    if (["joining", "started", "missed"].includes(step.step)) return [];
    if (step.step === "labeled") return summary();
    // Saved earlier, the file has no labels: with it nobody could disprove a score about them.
    return [...summary(), h("p.tm-field-hint", {}, "The score is held against your labels in this browser." +
      " To look from another one, too, save the recovery file again: now it has them."),
      h("p.tm-row", {}, h("button", { type: "button", onclick: save }, icon("save"), "Save the recovery file with your labels"))];
  }
}

/** @param {(wanted: boolean) => Promise<boolean>} notify */
function notice(notify) {
  const box = h("input", { type: "checkbox", id: "tm-notify" });
  const said = h("span.tm-field-hint", { role: "status" });
  box.onchange = async () => {
    const is = await notify(box.checked);
    if (box.checked && !is) said.textContent = "The browser shows no notices here; there will be a sound.";
    else said.textContent = "";
  };
  return h("p.tm-check", {}, box,
    h("label", { for: "tm-notify" }, "Tell me when it starts, with a sound (leave this page open)"), said);
}
