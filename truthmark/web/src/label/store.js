// SPDX-License-Identifier: Apache-2.0
/** What must outlive the page: values by name in IndexedDB, on disk before a write counts. */

const KIND = "values";

/** The browser keeps nothing, or no more. `reason` is "refused", "full" or "lost". */
export class StoreError extends Error {
  /** @param {"refused" | "full" | "lost"} reason @param {unknown} [cause] */
  constructor(reason, cause) {
    super(WORDS[reason], { cause });
    this.name = "StoreError";
    this.reason = reason;
  }
}

const WORDS = {
  refused:
    "This browser does not let the page keep anything, so answers could be lost. Open the link in" +
    " an ordinary window, and allow this site to store data.",
  full:
    "There is no space left on this device, and the last answer was not kept. Free some space," +
    " then answer again.",
  lost:
    "The browser has closed this page's storage, and the last answer was not kept. Reload the page" +
    " and go on; all earlier answers are there.",
};

/**
 * @typedef {object} Store
 * @property {(key: string) => Promise<any>} get undefined where there is none
 * @property {(key: string, value: any) => Promise<void>} put resolved only when on disk
 * @property {(key: string, value: any) => Promise<boolean>} add only where nothing is, in whatever
 *   window; false where something is
 * @property {(prefix: string) => Promise<[string, any][]>} entries by key, ascending
 */

/**
 * Open the browser's storage of this site.
 * @param {string} [name] of the database
 * @returns {Promise<Store>}
 * @throws {StoreError} the browser refuses
 */
export async function openStore(name = "truthmark-label") {
  const db = await open(name);
  /** @param {IDBTransactionMode} mode @param {(values: IDBObjectStore) => IDBRequest} work */
  const run = (mode, work) =>
    new Promise((resolve, reject) => {
      const failed = (/** @type {unknown} */ error) => reject(reasonOf(error));
      try {
        // Strict: complete means on disk, and not in a cache that a power cut empties.
        const tx = db.transaction(KIND, mode, { durability: "strict" });
        const request = work(tx.objectStore(KIND));
        tx.commit(); // without waiting to hear of the request, which is a turn of the page more
        tx.oncomplete = () => resolve(request.result);
        tx.onabort = () => failed(tx.error ?? request.error);
      } catch (error) {
        failed(error);
      }
    });
  const range = (/** @type {string} */ prefix) => IDBKeyRange.bound(prefix, prefix + "\uffff");
  return {
    get: (key) => run("readonly", (values) => values.get(key)),
    put: async (key, value) => void (await run("readwrite", (values) => values.put(value, key))),
    add: async (key, value) => {
      try {
        await run("readwrite", (values) => values.add(value, key));
        return true;
      } catch (error) {
        if (/** @type {any} */ (error)?.cause?.name === "ConstraintError") return false;
        throw error;
      }
    },
    entries: async (prefix) => {
      const keys = await run("readonly", (values) => values.getAllKeys(range(prefix)));
      const found = await run("readonly", (values) => values.getAll(range(prefix)));
      return keys.map((/** @type {string} */ key, /** @type {number} */ at) => [key, found[at]]);
    },
  };
}

/**
 * The part of a store whose keys begin alike.
 * @param {Store} store
 * @param {string} prefix
 * @returns {Store}
 */
export function scoped(store, prefix) {
  return {
    get: (key) => store.get(prefix + key),
    put: (key, value) => store.put(prefix + key, value),
    add: (key, value) => store.add(prefix + key, value),
    entries: async (inner) =>
      (await store.entries(prefix + inner)).map(([key, value]) => [
        key.slice(prefix.length),
        value,
      ]),
  };
}

/** Ask that the browser does not clear what is here when space runs out. @returns {Promise<boolean>} */
export async function keepForGood() {
  try {
    return (await navigator.storage?.persist?.()) ?? false;
  } catch {
    return false;
  }
}

/** @param {string} name @returns {Promise<IDBDatabase>} */
function open(name) {
  return new Promise((resolve, reject) => {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(KIND);
      request.onsuccess = () => {
        const db = request.result;
        db.onversionchange = () => db.close();
        resolve(db);
      };
      request.onerror = () => reject(new StoreError("refused", request.error));
      request.onblocked = () => reject(new StoreError("refused"));
    } catch (error) {
      reject(new StoreError("refused", error));
    }
  });
}

/** @param {any} error @returns {StoreError} */
function reasonOf(error) {
  if (error?.name === "QuotaExceededError") return new StoreError("full", error);
  return new StoreError("lost", error);
}
