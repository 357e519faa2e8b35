// SPDX-License-Identifier: Apache-2.0
/**
 * What somebody answered so far: a log that only grows, on disk before an answer counts.
 *
 * An entry is {item, code, seconds}, a code of null where an answer was taken back,
 * {item, text, seconds} where texts are asked for, or {item, note} for a flag; the last word on an
 * item counts (as truthmark/bounty/answer_log.py).
 */

/** @typedef {import("./store.js").Store} Store */

export const MAX_NOTE = 500;
/** Stands for a text where others have a class. */
export const WRITTEN = -1;
/** What an answer took counts as no longer: somebody went away meanwhile. */
export const MAX_SECONDS = 3_600;
const DIGITS = 8;

export class AnswerLog {
  /** @param {Store} store @param {string} prefix of its keys */
  constructor(store, prefix) {
    /** @private */ this._store = store;
    /** @private */ this._prefix = prefix;
    /** @private */ this._next = 0;
    /** @private @type {Promise<void>} */ this._last = Promise.resolve();
    /** By item, a class or the code of a skip. @type {Map<number, number>} */
    this.codes = new Map();
    /** @type {Map<number, string>} */ this.texts = new Map();
    /** @type {Map<number, number>} */ this.seconds = new Map();
    /** @type {Map<number, string>} */ this.notes = new Map();
  }

  /** @param {Store} store @param {string} prefix @returns {Promise<AnswerLog>} with what is there */
  static async open(store, prefix) {
    const log = new AnswerLog(store, prefix);
    for (const [key, entry] of await store.entries(prefix)) {
      log._take(entry);
      log._next = Number(key.slice(prefix.length)) + 1;
    }
    return log;
  }

  /** The item answered last, which `undo` would take back; undefined where there is none. */
  get newest() {
    return [...this.codes.keys()].at(-1);
  }

  /** @param {number} item @param {number} code @param {number} [seconds] that it took */
  answer(item, code, seconds = 0) {
    return this._add({ item, code, seconds: rounded(seconds) });
  }

  /** @param {number} item @param {string} text @param {number} [seconds] that it took */
  write(item, text, seconds = 0) {
    return this._add({ item, text, seconds: rounded(seconds) });
  }

  /**
   * Take the newest answer back, also one that is just being written.
   * @returns {Promise<number | undefined>} its item
   */
  async undo() {
    await this._last;
    const item = this.newest;
    if (item !== undefined) await this._add({ item, code: null });
    return item;
  }

  /** Say that something is wrong with an item. @param {number} item @param {string} note */
  flag(item, note) {
    return this._add({ item, note: [...note].slice(0, MAX_NOTE).join("") });
  }

  /** @returns {object} what travels to the requester beside the labels */
  toNotes() {
    const seconds = Object.fromEntries([...this.seconds].filter(([, took]) => took));
    const flags = Object.fromEntries([...this.notes].filter(([, note]) => note));
    const texts = Object.fromEntries(this.texts);
    return {
      seconds,
      ...(Object.keys(flags).length && { flags }),
      ...(this.texts.size && { texts }),
    };
  }

  /**
   * Write an entry behind those before; what is in memory is what is on disk.
   * @private @param {any} entry
   */
  async _add(entry) {
    const before = this._last.catch(() => {});
    this._last = before.then(async () => {
      const key = this._prefix + String(this._next).padStart(DIGITS, "0");
      await this._store.put(key, entry);
      this._next += 1;
      this._take(entry);
    });
    await this._last;
  }

  /** @private @param {any} entry */
  _take({ item, code, text, seconds, note }) {
    if (note !== undefined) {
      this.notes.set(item, note);
      return;
    }
    for (const values of [this.codes, this.seconds, this.texts]) values.delete(item);
    if (code === null) return;
    if (text !== undefined) this.texts.set(item, text);
    this.codes.set(item, text === undefined ? code : WRITTEN); // behind all others: a Map keeps the order
    this.seconds.set(item, Number.isFinite(seconds) ? seconds : 0);
  }
}

/** @param {number} seconds */
function rounded(seconds) {
  return Math.round(10 * Math.min(seconds, MAX_SECONDS)) / 10;
}
