// SPDX-License-Identifier: Apache-2.0
// A relay, asked over HTTP; nothing of what it says is believed where it can be checked.

import { ofStranger, Unavailable } from "./errors.js";
import { request, requestJson } from "./http.js";

/** For which a relay that gave no answer is asked after all others. */
const TIRED_MS = 300_000;

export class Relay {
  /** @param {string} url Such as https://relay.example. @param {typeof fetch} fetcher */
  constructor(url, fetcher) {
    this.url = url.replace(/\/+$/, "");
    this.fetch = fetcher;
    this.failedAt = -TIRED_MS;
  }

  /** Whether it gave no answer a short while ago. */
  get isTired() {
    return performance.now() < this.failedAt + TIRED_MS;
  }

  path(path) {
    return `${this.url}/v1/${path}`;
  }

  /** @param {string} path @param {number} limit @returns {Promise<Uint8Array>} */
  bytes(path, limit) {
    return request(this.fetch, this.path(path), { limit, who: "the relay" });
  }

  get(path) {
    return requestJson(this.fetch, this.path(path), { who: "the relay" });
  }

  send(method, path, json) {
    return requestJson(this.fetch, this.path(path), { method, json, who: "the relay" });
  }

  put(path, bytes) {
    return request(this.fetch, this.path(path), { method: "PUT", bytes, who: "the relay" });
  }
}

/**
 * Ask several relays, until one answers; those that failed a short while ago come last.
 * @template T
 * @param {Relay[]} relays @param {(relay: Relay) => Promise<T>} question
 * @returns {Promise<T>}
 */
export async function firstOf(relays, question) {
  let problem = new Unavailable("no relay of this bounty is known; open the link that its requester gave");
  const awake = [...relays].sort((one, other) => Number(one.isTired) - Number(other.isTired));
  for (const relay of awake) {
    try {
      return await question(relay);
    } catch (error) {
      problem = ofStranger(error, "the relay");
      if (problem instanceof Unavailable && !problem.status) relay.failedAt = performance.now();
    }
  }
  throw problem;
}
