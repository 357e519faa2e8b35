// SPDX-License-Identifier: Apache-2.0
// What the chain says, on the word of two sources in different places that say the same.
// On a development chain one is believed, and the page says so.

import { fromHex } from "./bytes.js";
import { ofStranger, Refusal, Unavailable } from "./errors.js";
import { requestJson } from "./http.js";

const BATCH = 20;
/** Seconds for which a source is waited for alone; then the next is asked beside it. */
const PATIENCE = 2;
const LOCAL_PATIENCE = 60;
/** Seconds after which a slow source is let answer to its end once, so that it can be quick again. */
const TRIAL = 60;

/**
 * @typedef {object} Moment The newest block that counts as final.
 * @property {number} number @property {string} hash
 * @property {number} time Its own, on which the sources agree: what is over by it is over.
 * @property {number} now Chain time, the later of the sources' clocks: nothing is begun after it.
 * @property {number} early The earlier one: by it, nobody loses what they can still do.
 */

export class Chain {
  /**
   * @param {import("./types.js").Host} host @param {typeof fetch} fetcher
   * @param {string[]} [more] Other addresses that forward questions, such as the relay's.
   */
  constructor(host, fetcher, more = []) {
    this.host = host;
    this.fetch = fetcher;
    const watch = host.watch.map(({ url }) => `${url.replace(/\/+$/, "")}/rpc`);
    const places = new Set();
    const isNew = (/** @type {string} */ url) => places.size < places.add(new URL(url).origin).size;
    const own = [host.rpc, ...host.endpoints, ...watch].filter(isNew);
    /** Those that only the bounty names: two of them may be one person's. */
    this.named = more.filter(isNew);
    /** One source a place. */
    this.sources = [...own, ...this.named];
    this.known = new Set();
    /** Those that nobody waits for alone, until they are quick again; and when that is tried next. */
    this.slow = new Map();
    // On a development chain all are this machine, and slow together.
    this.patience = host.is_local ? LOCAL_PATIENCE : PATIENCE;
  }

  /** Whether one source has to do. */
  get oneSource() {
    return this.sources.length < 2 || this.host.is_local;
  }

  /**
   * Whether what is asked may be relied on where money is at stake.
   * @throws {Unavailable}
   */
  requireSure() {
    if (this.sources.length < 2 && !this.host.is_local) {
      throw new Unavailable(
        "only one source of the chain is known here, which could lie; open the link of another server too",
      );
    }
  }

  /** How many sources must say the same. */
  get needed() {
    return this.oneSource ? 1 : 2;
  }

  /**
   * Ask sources in two places the same, or the only one there is. Of the two at most one is a source
   * that only the bounty names.
   * @param {[string, unknown[]][]} requests Methods with parameters.
   * @param {(replies: any[]) => unknown} [key] What of the replies must be alike.
   * @returns {Promise<any[]>}
   * @throws {Unavailable} They say different things, or too few answer.
   */
  async agreed(requests, key = (replies) => replies) {
    return this.alike((ask) => ask(requests), key);
  }

  /**
   * As `agreed`, for a question that takes several requests.
   * @template T
   * @param {(ask: (requests: [string, unknown[]][]) => Promise<any[]>) => Promise<T>} question
   * @param {(value: T) => unknown} [key] What of the answer must be alike.
   * @returns {Promise<T>}
   * @throws {Unavailable} They say different things, or too few answer.
   */
  async alike(question, key = (value) => value) {
    const different = () => new Unavailable("two sources of the chain say different things; waiting");
    const asked = async (ask) => {
      const value = await question(ask);
      return { value, text: JSON.stringify(key(value)) };
    };
    const enough = (heard) => {
      const [first, ...others] = heard.filter(({ isNamed }) => !isNamed || this.needed === 1);
      if (others.some(({ found }) => found.text !== first.found.text)) throw different();
      const same = heard.filter(({ found }) => found.text === first?.found.text);
      return same.length >= this.needed ? first.found.value : undefined;
    };
    return this.gather(asked, this.needed, enough, (heard) => (heard.length >= this.needed ? different() : undefined));
  }

  /**
   * Ask for what proves itself by a hash, or is only shown; one source will do.
   * @template T
   * @param {(ask: (requests: [string, unknown[]][]) => Promise<any[]>) => Promise<T | undefined>} question
   *   Undefined where a source does not have it.
   * @returns {Promise<T>}
   * @throws {Unavailable} None has it.
   */
  async anyone(question) {
    const asked = async (ask) => {
      const found = await question(ask);
      if (found !== undefined) return found;
      throw new Unavailable("no source of the chain shows what is asked for; trying again");
    };
    return this.gather(asked, 1, ([first]) => first?.found);
  }

  /**
   * Ask as many sources as are needed, in their order; where one is slow or of no use, or what they
   * say is not enough, the next beside them. Whoever is slow is heard all the same, until it is
   * over: then what is still open ends, for browsers keep few connections to a place.
   * @template T, R
   * @param {(ask: (requests: [string, unknown[]][]) => Promise<any[]>) => Promise<T>} question
   * @param {number} needed
   * @param {(heard: {found: T, isNamed: boolean}[]) => R | undefined} enough Undefined: not yet.
   * @param {(heard: {found: T, isNamed: boolean}[]) => Error | undefined} [why] It never was.
   * @returns {Promise<R>}
   * @throws {Unavailable} Too few answer.
   */
  gather(question, needed, enough, why = () => undefined) {
    const heard = [];
    const waiting = [...this.sources];
    const timers = new Map();
    let problem = new Unavailable("no source of the chain answers; trying again");
    const over = new AbortController();
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        timers.forEach((timer) => clearTimeout(timer));
        over.abort();
        settle(value);
      };
      const step = () => {
        if (over.signal.aborted) return;
        let found;
        try {
          found = enough(heard);
        } catch (error) {
          return end(reject, error);
        }
        if (found !== undefined) return end(resolve, found);
        const prompt = () => [...timers.keys()].filter((url) => !this.slow.has(url)).length;
        while (waiting.length && prompt() < Math.max(1, needed - heard.length)) begin(waiting.shift());
        if (!timers.size) end(reject, why(heard) ?? problem);
      };
      const begin = (url) => {
        const begun = performance.now();
        const mark = () => this.slow.set(url, performance.now() + 1000 * TRIAL);
        const isTrial = begun > this.slow.get(url);
        if (isTrial) mark();
        const signal = isTrial ? undefined : over.signal;
        const late = () => {
          mark();
          step();
        };
        const listen = () => {
          clearTimeout(timers.get(url));
          if (!over.signal.aborted) timers.set(url, setTimeout(late, 1000 * this.patience));
        };
        const ask = async (requests) => {
          if (over.signal.aborted) throw problem; // others have answered meanwhile
          return this.ask(url, requests, signal).finally(listen);
        };
        listen();
        question(ask)
          .then((found) => {
            const isQuick = performance.now() - begun < 1000 * this.patience;
            if (isQuick && !signal?.aborted) this.slow.delete(url);
            heard.push({ found, isNamed: this.named.includes(url) });
          })
          .catch((error) => {
            problem = ofStranger(error, "a source of the chain");
          })
          .then(() => {
            clearTimeout(timers.get(url));
            timers.delete(url);
            step();
          });
      };
      step();
    });
  }

  /** @param {string} url @param {[string, unknown[]][]} requests @param {AbortSignal} [signal] @returns {Promise<any[]>} */
  async ask(url, requests, signal) {
    if (!this.known.has(url)) {
      await this.requireRightChain(url, signal);
      this.known.add(url);
    }
    const replies = [];
    for (let at = 0; at < requests.length; at += BATCH) {
      replies.push(...(await this.send(url, requests.slice(at, at + BATCH), signal)));
    }
    return replies;
  }

  async requireRightChain(url, signal) {
    const requests = [
      ["eth_chainId", []],
      ["eth_getBlockByNumber", ["0x0", false]],
    ];
    const [id, first] = await this.send(url, requests, signal);
    const { chain_id, genesis } = this.host;
    if (toCount(id) !== chain_id || (genesis && first?.hash !== genesis)) {
      throw new Unavailable(`${new URL(url).host} is a source of another chain`);
    }
  }

  async send(url, requests, signal) {
    const json = requests.map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params }));
    const found = await requestJson(this.fetch, url, { method: "POST", json, signal });
    const byId = new Map(Array.isArray(found) ? found.map((entry) => [entry?.id, entry]) : []);
    return requests.map((_, id) => {
      const entry = byId.get(id);
      if (!entry || entry.error || !("result" in entry)) {
        throw new Unavailable(`${new URL(url).host} cannot answer a question about the chain`);
      }
      return entry.result;
    });
  }

  /** @returns {Promise<Moment>} The newest block that counts as final, and chain time. */
  async finalBlock() {
    const asked = async (ask) => {
      const [block] = await ask([["eth_getBlockByNumber", ["latest", false]]]);
      return { number: toCount(block?.number), time: toCount(block?.timestamp) };
    };
    const heights = await this.gather(asked, this.needed, (heard) => {
      const isEnough = heard.length >= this.needed && heard.some(({ isNamed }) => !isNamed || this.needed === 1);
      return isEnough ? heard.map(({ found }) => found) : undefined;
    });
    // The slower one decides what both can know.
    const height = Math.min(...heights.map(({ number }) => number));
    const number = Math.max(0, height - Math.max(1, this.host.confirmations) + 1);
    const [block] = await this.agreed(
      [["eth_getBlockByNumber", [`0x${number.toString(16)}`, false]]],
      ([reply]) => [reply?.hash, reply?.timestamp],
    );
    fromHex(block?.hash, 32);
    if (toCount(block.number) !== number) throw new Unavailable("a source shows another block");
    const clocks = heights.map(({ time }) => time);
    const time = toCount(block.timestamp);
    return { number, hash: block.hash, time, now: Math.max(...clocks), early: Math.min(...clocks) };
  }

  /**
   * Call a view function at a block, or at the newest.
   * @param {string} to @param {Uint8Array[]} calls Calldata. @param {string} [hash] Of the block.
   * @returns {Promise<Uint8Array[]>}
   */
  async call(to, calls, hash) {
    const block = hash ? { blockHash: hash, requireCanonical: true } : "latest";
    const requests = calls.map((data) => ["eth_call", [{ to, data: hexOf(data) }, block]]);
    try {
      return (await this.agreed(requests)).map((reply) => fromHex(reply));
    } catch (error) {
      if (error instanceof Refusal) throw new Unavailable("a source of the chain answers with no bytes");
      throw error;
    }
  }
}

function hexOf(data) {
  return `0x${[...data].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** @param {unknown} value @returns {number} */
export function toCount(value) {
  if (typeof value !== "string" || !/^0x[0-9a-f]{1,13}$/i.test(value)) {
    throw new Unavailable("a source of the chain answers with no number");
  }
  return Number(value);
}
