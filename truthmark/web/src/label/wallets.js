// SPDX-License-Identifier: Apache-2.0
/** Wallets of this browser: asked for an address, for a signature where a gate wants it, for a proof. */

import { findProviders } from "../wallet/discovery.js";
import { chainOf, connect, progressWords, send, signTyped, switchTo } from "../wallet/sending.js";
import { clean } from "./text.js";

/** @typedef {import("../core/types.js").Host} Host */

/**
 * @typedef {object} Wallet
 * @property {string} name made harmless
 * @property {() => Promise<string>} address asks the person to show it
 * @property {(host: Host) => Promise<boolean>} isOn whether it is on a network
 * @property {(host: Host) => Promise<void>} switchTo
 * @property {(host: Host, account: string, data: any) => Promise<string>} sign
 * @property {(host: Host, calls: (account: string) => {to: string, data: string}[],
 *   told: (says: string) => void) => Promise<void>} send whatever account it shows confirms and pays;
 *   brought to the network first, resolved once all counts
 */

/**
 * @param {(wallet: Wallet) => void} found called once for each that announces itself
 * @returns {() => void} stops looking
 */
export function findWallets(found) {
  return findProviders(({ name, provider }) => found({
    name: clean(name, 40),
    address: () => connect(provider),
    isOn: async (host) => (await chainOf(provider)) === host.chain_id,
    switchTo: (host) => switchTo(provider, chainInfo(host)),
    sign: (host, account, data) => signTyped(provider, account, chainInfo(host), data),
    send: async (host, calls, told) => {
      const chain = chainInfo(host);
      const account = await connect(provider);
      if ((await chainOf(provider)) !== chain.id) await switchTo(provider, chain);
      const wait = (/** @type {number} */ ms) => new Promise((/** @type {any} */ done) => setTimeout(done, ms));
      const words = (/** @type {any} */ state) =>
        told(state.count === null ? `Confirm in ${clean(name, 40)}.` : progressWords(state, chain));
      await send(provider, account, chain, calls(account), { told: words, wait });
    },
  }));
}

/** @param {Host} host */
function chainInfo({ chain_id, name, native_symbol, confirmations, endpoints }) {
  return { id: chain_id, name: clean(name, 40), currency: clean(native_symbol, 12), confirmations, rpc: endpoints };
}
