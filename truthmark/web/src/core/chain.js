// SPDX-License-Identifier: Apache-2.0
// What the chain says, on the word of two sources in different places that say the same.
// On a development chain one is believed, and the page says so.

import { fromHex } from "./bytes.js";
import { ofStranger, Refusal, Unavailable } from "./errors.js";
import { requestJson } from "./http.js";

const BATCH = 20;

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
    const places = new Map();
    for (const url of [host.rpc, ...host.endpoints, ...watch, ...more]) {
      const place = new URL(url).origin;
      if (!places.has(place)) places.set(place, url);
    }
    /** One source a place. */
    this.sources = [...places.values()];
    this.known = new Set();
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

  /**
   * Ask sources in two places the same, or the only one there is.
   * @param {[string, unknown[]][]} requests Methods with parameters.
   * @param {(replies: any[]) => unknown} [key] What of the replies must be alike.
   * @returns {Promise<any[]>}
   * @throws {Unavailable} They say different things, or too few answer.
   */
  async agreed(requests, key = (replies) => replies) {
    const needed = this.oneSource ? 1 : 2;
    const found = [];
    let problem = new Unavailable("no source of the chain answers; trying again");
    for (const url of this.sources) {
      try {
        found.push(await this.ask(url, requests));
      } catch (error) {
        problem = ofStranger(error, "a source of the chain");
        continue;
      }
      if (found.length === needed) break;
    }
    if (found.length < needed) throw problem;
    if (found.some((other) => JSON.stringify(key(other)) !== JSON.stringify(key(found[0])))) {
      throw new Unavailable("two sources of the chain say different things; waiting");
    }
    return found[0];
  }

  /**
   * Ask one source after the other for what proves itself by a hash, or is only shown; one will do.
   * @template T
   * @param {(ask: (requests: [string, unknown[]][]) => Promise<any[]>) => Promise<T | undefined>} question
   *   Undefined where a source does not have it.
   * @returns {Promise<T>}
   * @throws {Unavailable} None has it.
   */
  async anyone(question) {
    let problem = new Unavailable("no source of the chain shows what is asked for; trying again");
    for (const url of this.sources) {
      try {
        const found = await question((requests) => this.ask(url, requests));
        if (found !== undefined) return found;
      } catch (error) {
        problem = ofStranger(error, "a source of the chain");
      }
    }
    throw problem;
  }

  /** @param {string} url @param {[string, unknown[]][]} requests @returns {Promise<any[]>} */
  async ask(url, requests) {
    if (!this.known.has(url)) {
      await this.requireRightChain(url);
      this.known.add(url);
    }
    const replies = [];
    for (let at = 0; at < requests.length; at += BATCH) {
      replies.push(...(await this.send(url, requests.slice(at, at + BATCH))));
    }
    return replies;
  }

  async requireRightChain(url) {
    const [id, first] = await this.send(url, [
      ["eth_chainId", []],
      ["eth_getBlockByNumber", ["0x0", false]],
    ]);
    const { chain_id, genesis } = this.host;
    if (toCount(id) !== chain_id || (genesis && first?.hash !== genesis)) {
      throw new Unavailable(`${new URL(url).host} is a source of another chain`);
    }
  }

  async send(url, requests) {
    const json = requests.map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params }));
    const found = await requestJson(this.fetch, url, { method: "POST", json });
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
    const heights = [];
    let problem = new Unavailable("no source of the chain answers; trying again");
    const needed = this.oneSource ? 1 : 2;
    for (const url of this.sources) {
      try {
        const [block] = await this.ask(url, [["eth_getBlockByNumber", ["latest", false]]]);
        heights.push({ number: toCount(block?.number), time: toCount(block?.timestamp) });
      } catch (error) {
        problem = ofStranger(error, "a source of the chain");
        continue;
      }
      if (heights.length === needed) break;
    }
    if (heights.length < needed) throw problem;
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
