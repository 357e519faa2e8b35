// SPDX-License-Identifier: Apache-2.0
/** The network as the core uses it: what opened the page once opens it again without a network. */

/** For which a network is waited where there is something kept. */
const PATIENCE_MS = 3_000;

/**
 * A fetch that keeps what it got until `seal` is called, and gives that where there is no network.
 *
 * Only what a bounty is opened by comes from there: where it is, and the hash of its terms. Terms,
 * document and list of items are kept elsewhere, once each has its hash, for what comes from here
 * nobody has checked. How the bounty stands is always asked anew.
 * @param {string} name of the cache
 * @returns {{fetch: typeof fetch, seal: () => void}}
 */
export function openingFetch(name) {
  let isOpening = true;
  const cached = globalThis.caches?.open(name).catch(() => null) ?? Promise.resolve(null);
  /** @param {any} input @param {RequestInit} [init] */
  const through = async (input, init) => {
    if (!isOpening) return fetch(input, init);
    const cache = await cached;
    const key = await keyOf(input, init);
    const kept = await cache?.match(key).catch(() => undefined);
    const signals = [init?.signal, kept && AbortSignal.timeout(PATIENCE_MS)].filter(Boolean);
    try {
      const reply = await fetch(input, { ...init, signal: AbortSignal.any(signals) });
      if (!reply.ok && kept) return kept;
      // Kept before it is given, for who asked breaks off what is still under way then.
      if (reply.ok) await cache?.put(key, reply.clone()).catch(() => {});
      return reply;
    } catch (error) {
      if (!kept) throw error;
      return kept;
    }
  };
  return { fetch: through, seal: () => void (isOpening = false) };
}

/** A question by POST is kept under the hash of what was asked. */
async function keyOf(/** @type {any} */ input, /** @type {RequestInit | undefined} */ init) {
  const url = new URL(typeof input === "string" ? input : (input.url ?? input), location.href);
  if (init?.body) {
    // Not the number that a question carries, which differs each time.
    const asked = String(init.body).replace(/"id":\s*\d+/g, '"id":0');
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(asked));
    url.searchParams.set("asked", [...new Uint8Array(bytes)].map((b) => b.toString(16)).join("-"));
  }
  return url.href;
}
