// SPDX-License-Identifier: Apache-2.0
/** Wallets of this browser (EIP-6963), asked for an address alone: they sign nothing here. */

/** @typedef {{name: string, address: () => Promise<string>}} Wallet */

/**
 * @param {(wallet: Wallet) => void} found called once for each that announces itself
 */
export function findWallets(found) {
  const seen = new Set();
  window.addEventListener("eip6963:announceProvider", (/** @type {any} */ event) => {
    const { info, provider } = event.detail ?? {};
    if (!provider?.request || seen.has(info?.uuid)) return;
    seen.add(info?.uuid);
    found({
      name: String(info?.name ?? "your wallet"),
      address: async () => {
        const [address] = await provider.request({ method: "eth_requestAccounts" });
        if (!/^0x[0-9a-fA-F]{40}$/.test(address)) throw new Error("no address");
        return address;
      },
    });
  });
  window.dispatchEvent(new Event("eip6963:requestProvider"));
}
