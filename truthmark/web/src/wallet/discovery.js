// SPDX-License-Identifier: Apache-2.0
/** Wallets of this browser that announce themselves (EIP-6963). */

/** @typedef {{request: (asked: {method: string, params?: any}) => Promise<any>, on?: Function, removeListener?: Function}} Provider */
/** @typedef {{id: string, name: string, icon: string, provider: Provider}} Found */

const NAME = 60;

/**
 * @param {(found: Found) => void} told called once for each
 * @returns {() => void} ends it
 */
export function findProviders(told) {
  const seen = new Set();
  const listen = (/** @type {any} */ event) => {
    const { info, provider } = event.detail ?? {};
    if (typeof provider?.request !== "function" || seen.has(info?.uuid)) return;
    seen.add(info?.uuid);
    const name = String(info?.name ?? "").replace(/[\p{C}\p{Z}]+/gu, " ").trim();
    // A picture of the wallet's own: never one that is fetched from elsewhere.
    const icon = /^data:image\/(png|svg\+xml|webp|jpeg);/.test(info?.icon ?? "") ? info.icon : "";
    told({ id: String(info?.uuid), name: name.slice(0, NAME) || "your wallet", icon, provider });
  };
  window.addEventListener("eip6963:announceProvider", listen);
  window.dispatchEvent(new Event("eip6963:requestProvider"));
  return () => window.removeEventListener("eip6963:announceProvider", listen);
}
