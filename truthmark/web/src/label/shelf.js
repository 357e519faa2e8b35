// SPDX-License-Identifier: Apache-2.0
/** Items before they are needed: the next ones decoded, and all of a run kept for work offline. */

/** @typedef {import("../core/types.js").Item} Item */
/** @typedef {import("./item_view.js").Shown} Shown */

const AHEAD = 6;
const BEHIND = 2;
const AT_ONCE = 4;

/** Shown items by place, made a few ahead of where the labeler is. */
export class Shelf {
  /**
   * @param {number} count places
   * @param {(at: number) => Promise<Shown>} make
   */
  constructor(count, make) {
    /** @private */ this._count = count;
    /** @private */ this._make = make;
    /** @private @type {Map<number, Promise<Shown>>} */ this._made = new Map();
    /** Those that can be painted now. @private @type {Map<number, Shown>} */
    this._ready = new Map();
  }

  /** @param {number} at @returns {Shown | undefined} what can be painted now */
  now(at) {
    return this._ready.get(at);
  }

  /** @param {number} at @returns {Promise<Shown>} */
  get(at) {
    const kept = this._made.get(at);
    if (kept) return kept;
    const made = this._make(at).then(async (shown) => {
      await shown.ready;
      if (this._made.get(at) === made) this._ready.set(at, shown);
      return shown;
    });
    made.catch(() => this._made.delete(at)); // the next wish tries again
    this._made.set(at, made);
    return made;
  }

  /** Make what comes next, and let go of what is far. @param {number} at */
  moveTo(at) {
    const near = new Set();
    for (let step = -BEHIND; step <= AHEAD; step++) {
      near.add((((at + step) % this._count) + this._count) % this._count);
    }
    for (const [place, made] of this._made) {
      if (near.has(place)) continue;
      this._made.delete(place);
      this._ready.delete(place);
      made.then((shown) => shown.release(), () => {});
    }
    for (let step = 1; step <= AHEAD; step++) this.get((at + step) % this._count).catch(() => {});
  }

  close() {
    for (const made of this._made.values()) made.then((shown) => shown.release(), () => {});
    this._made.clear();
    this._ready.clear();
  }
}

/** Stored bytes of a run's items, kept by the browser until the labels are handed out. */
export class ItemCache {
  /** @param {Cache | null} cache @param {(item: number) => Promise<Uint8Array>} fetchStored */
  constructor(cache, fetchStored) {
    /** @private */ this._cache = cache;
    /** @private */ this._fetchStored = fetchStored;
    /** Whether the browser takes no more; items still come from the relay. */
    this.isFull = cache === null;
  }

  /**
   * @param {string} name
   * @param {(item: number) => Promise<Uint8Array>} fetchStored from a relay, checked
   */
  static async open(name, fetchStored) {
    const cache = await globalThis.caches?.open(name).catch(() => null);
    return new ItemCache(cache ?? null, fetchStored);
  }

  /** @param {string} name @returns {Promise<unknown>} */
  static async drop(name) {
    return globalThis.caches?.delete(name).catch(() => false);
  }

  /** @param {number} item @returns {Promise<Uint8Array>} */
  async stored(item) {
    const kept = await this._cache?.match(urlOf(item)).catch(() => undefined);
    if (kept) return new Uint8Array(await kept.arrayBuffer());
    const bytes = await this._fetchStored(item);
    await this._keep(item, bytes);
    return bytes;
  }

  /**
   * Bring all items to this device.
   * @param {number[]} items in the order in which they are wanted
   * @param {() => void} told once for each that is here
   * @param {() => boolean} isOver
   * @throws {Error} one cannot be fetched now
   */
  async fetchAll(items, told, isOver) {
    if (!this._cache) return;
    const todo = [...items];
    const work = async () => {
      while (todo.length && !isOver() && !this.isFull) {
        const item = /** @type {number} */ (todo.shift());
        if (!(await this._cache?.match(urlOf(item)))) await this.stored(item);
        if (!this.isFull) told();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  /** @private @param {number} item @param {Uint8Array} bytes */
  async _keep(item, bytes) {
    if (this.isFull) return;
    try {
      await this._cache?.put(urlOf(item), new Response(/** @type {any} */ (bytes)));
    } catch {
      this.isFull = true; // space goes to answers first; what comes from the relay still works
    }
  }
}

/** @param {number} item @returns {string} under which the browser keeps it; nobody serves that */
function urlOf(item) {
  return new URL(`kept-items/${item}`, location.href.split(/[?#]/)[0]).href;
}
