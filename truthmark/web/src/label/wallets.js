// SPDX-License-Identifier: Apache-2.0
/** Wallets of this browser, asked for an address alone: they sign nothing here. */

import { findProviders } from "../wallet/discovery.js";
import { connect } from "../wallet/sending.js";

/** @typedef {{name: string, address: () => Promise<string>}} Wallet */

/**
 * @param {(wallet: Wallet) => void} found called once for each that announces itself
 */
export function findWallets(found) {
  findProviders(({ name, provider }) => found({ name, address: () => connect(provider) }));
}
