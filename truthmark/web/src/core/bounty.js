// SPDX-License-Identifier: Apache-2.0
// A bounty as its labeler sees it: terms, document and items, each held against its hash.

import { calldata, look } from "./board.js";
import { toHex, utf8 } from "./bytes.js";
import { Chain } from "./chain.js";
import { Refusal } from "./errors.js";
import { readDocument } from "./document.js";
import { requestJson, within } from "./http.js";
import { checkStored, manifestBytes, openStored, readManifest } from "./items.js";
import { firstOf, Relay } from "./relay.js";
import { deadlines, readTerms, requireSound } from "./terms.js";

const MAX_DOCUMENT = 1 << 20;

/** @typedef {import("./types.js").Item} Item */
/**
 * Keeps what proves itself, by a name that holds its hash; it is held against that at each reading.
 * @typedef {{get: (name: string) => Promise<Uint8Array | undefined>,
 *   put: (name: string, bytes: Uint8Array) => Promise<void>}} Papers
 */

/**
 * Open a bounty: its terms held against the board's hash, its document against the terms.
 * @param {string} base Where the page comes from, such as location.origin.
 * @param {number} id
 * @param {{fetch?: typeof fetch, relay?: string, papers?: Papers}} [options] relay: where a link
 *   names one; papers: what was opened once opens again, whatever a relay says later.
 * @returns {Promise<Bounty>}
 * @throws {Refusal} Something is not what its hash says: do not label.
 * @throws {Unavailable} Relay or chain do not answer.
 */
export async function openBounty(base, id, options = {}) {
  const fetcher = options.fetch ?? ((...args) => fetch(...args));
  const host = await requestJson(fetcher, new URL(`/label/host/${id}`, base).href);
  const place = (path) => new URL(path, base).href.replace(/\/+$/, "");
  host.rpc = place(host.rpc);
  const urls = new Set([...(options.relay ? [options.relay] : []), ...host.relays].map(place));
  const relays = [...urls].map((url) => new Relay(url, fetcher));
  const chain = new Chain(host, fetcher, [...urls].map((url) => `${url}/rpc`));
  const ref = { chainId: host.chain_id, board: host.board.toLowerCase(), bountyId: id };
  // Asked for at once, as each question takes a while; what is wrong is said where it is needed.
  const asked = chain.call(ref.board, [calldata("terms_hashes(uint256)", id)]);
  const paper = (relay) => relay.bytes(`bounties/${id}/document`, MAX_DOCUMENT);
  const early = relays.length ? paper(relays[0]) : undefined;
  for (const each of [asked, early]) each?.catch(() => {});
  const { papers } = options;
  const terms = await paperOf(papers, relays, {
    name: async () => `terms/${toHex((await asked)[0])}`,
    ask: async (relay) => utf8(JSON.stringify(await relay.get(`bounties/${id}/terms`))),
    read: async (bytes) => {
      const found = readTerms(JSON.parse(new TextDecoder().decode(bytes)));
      const [held] = await asked;
      if (found.hash !== toHex(held)) {
        throw new Refusal("the relay shows other terms than the board holds; do not label");
      }
      return found;
    },
  });
  requireSound(terms);
  const document = await paperOf(papers, relays, {
    name: async () => `document/${terms.document}`,
    ask: (relay) => (relay === relays[0] ? early : paper(relay)),
    read: (bytes) => readDocument(bytes, terms),
  });
  for (const url of document.relay_urls) {
    if (!urls.has(place(url))) relays.push(new Relay(url, fetcher));
  }
  return new Bounty({ host, chain, ref, terms, document, relays, fetcher, papers });
}

/**
 * What was kept, or else what the first relay gives that is right; that is kept.
 * @param {Papers | undefined} papers @param {Relay[]} relays
 * @param {{name: () => Promise<string>, ask: (relay: Relay) => Promise<Uint8Array>, read: (bytes: Uint8Array) => any}} paper
 */
async function paperOf(papers, relays, { name, ask, read }) {
  if (papers) {
    try {
      const kept = await papers.get(await name());
      if (kept) return await read(kept);
    } catch {
      // it is asked for again
    }
  }
  const { bytes, found } = await firstOf(relays, async (relay) => {
    const bytes = await ask(relay);
    return { bytes, found: await read(bytes) };
  });
  if (papers) await papers.put(await name(), bytes).catch(() => {}); // what cannot be kept is asked for again
  return found;
}

export class Bounty {
  constructor({ host, chain, ref, terms, document, relays, fetcher, papers }) {
    /** @type {import("./types.js").Host} */
    this.host = host;
    /** @type {Chain} */
    this.chain = chain;
    /** @type {import("./types.js").BountyRef} */
    this.ref = ref;
    /** As docs/bounties.md has them: counts and seconds as numbers, money as bigint. */
    this.terms = terms;
    this.termsHash = terms.hash;
    this.document = document;
    /** Who may have its papers and items. */
    this.relays = relays;
    this.fetch = fetcher;
    this.papers = papers;
    /** Seconds for which servers are waited for where it goes without them, too. */
    this.patience = 10;
    this.found = undefined;
    this.list = undefined;
    this.items = {
      /** Bytes as the relay has them, held against their hash; for a cache. */
      stored: (i) => this.storedItem(i),
      /** Fetched and opened. @param {number} i @param {?string} [key] */
      open: async (i, key) => this.items.openStored(i, await this.storedItem(i), key),
      /** Of stored bytes, held against their hash again. */
      openStored: async (i, stored, key) => {
        const manifest = await this.manifest();
        return openStored(manifest, i, await checkStored(manifest, i, stored), key);
      },
    };
    const shown = (place) => () => this.items.open(document.items.count + place);
    /** @type {{answer: number, explanation: string, item: () => Promise<Item>}[]} */
    this.practice = document.practice.map(({ item, answer, explanation }) => ({
      answer,
      explanation,
      item: shown(item),
    }));
    /** @type {(() => Promise<Item>)[]} */
    this.examples = document.examples.map(shown);
  }

  /** @param {string} path @returns {Promise<any>} From the relay that the terms name. */
  async relayGet(path) {
    return (await this.relay()).get(`bounties/${this.ref.bountyId}${path && `/${path}`}`);
  }

  /**
   * The relay of the terms: the first that answers and says it is the one.
   * @returns {Promise<Relay>}
   */
  async relay() {
    this.found ??= await firstOf(this.relays, async (relay) => {
      const info = await relay.get("relay");
      const text = (value) => String(value).toLowerCase();
      const isIt =
        info.chain_id === this.ref.chainId &&
        text(info.board) === this.ref.board &&
        text(info.account) === this.terms.relay;
      if (!isIt) throw new Refusal(`${relay.url} is not the relay that the terms name`);
      return relay;
    });
    return this.found;
  }

  async manifest() {
    const { items } = this.document;
    const limit = manifestBytes(items.count + items.shown);
    this.list ??= await paperOf(this.papers, this.relays, {
      name: async () => `manifest/${items.manifest}`,
      ask: (relay) => relay.bytes(`bounties/${this.ref.bountyId}/manifest`, limit),
      read: (bytes) => readManifest(bytes, items),
    });
    return this.list;
  }

  async storedItem(i) {
    const manifest = await this.manifest();
    const length = manifest.length(i);
    return firstOf(this.relays, async (relay) =>
      checkStored(manifest, i, await relay.bytes(`bounties/${this.ref.bountyId}/items/${i}`, length)),
    );
  }

  /**
   * How the bounty stands: by the chain, and beside it the relay's figures, which are its word only.
   * @returns {Promise<{status: number, mark: number, now: number, joinUntil: ?number,
   *   times: ?{label: number, commit: number, post: number, score: number}, seed: string,
   *   enrolled: number, relay: ?Record<string, any>, oneSource: boolean}>}
   */
  async status() {
    // Its figures are shown where it says any; they hold nothing up.
    const said = within(this.patience, this.relayGet(""), "the relay").catch(() => null);
    const seen = await look(this);
    const isLabeling = seen.status === 3;
    return {
      status: seen.status,
      mark: seen.mark,
      now: seen.now,
      joinUntil: seen.status === 1 ? seen.mark + this.terms.join_seconds : null,
      times: isLabeling ? deadlines(this.terms, seen.mark) : null,
      seed: seen.seed,
      enrolled: seen.rows.length,
      relay: await said,
      oneSource: this.chain.oneSource,
    };
  }
}
