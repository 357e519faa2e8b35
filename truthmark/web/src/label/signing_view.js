// SPDX-License-Identifier: Apache-2.0
/** Asks for a wallet's signature: in words first, then by the wallet itself. */

import { fill, h } from "./dom.js";
import { clean, plural } from "./text.js";
import { findWallets } from "./wallets.js";

/** @typedef {import("./wallets.js").Wallet} Wallet */

/**
 * Draw what is to be signed, and take the signature. What the wallet declines, shows of another
 * account or asks on another network is said, and asked again.
 * @param {object} options
 * @param {import("../core/bounty.js").Bounty} options.bounty
 * @param {any} options.data typed
 * @param {string} options.account whose signature it has to be
 * @param {string} options.trouble of the signature before, or empty
 * @param {(signature: string) => void} options.signed
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function signingView({ bounty, data, account, trouble, signed }) {
  const said = h("p.tm-field-said", { role: "alert" }, trouble);
  const buttons = h("div.tm-wallets", {}, h("p.tm-field-hint", {}, "No wallet is found in this browser yet."));
  /** @type {Wallet[]} */
  const wallets = [];
  let isBusy = false;
  const attempt = async (/** @type {Wallet} */ wallet) => {
    if (isBusy) return;
    isBusy = true;
    fill(said, `Confirm in ${wallet.name}.`);
    try {
      if (!(await wallet.isOn(bounty.host))) await wallet.switchTo(bounty.host);
      signed(await wallet.sign(bounty.host, account, data));
    } catch (error) {
      fill(said, clean(/** @type {any} */ (error)?.message ?? error, 300));
    }
    isBusy = false;
  };
  const close = findWallets((wallet) => {
    wallets.push(wallet);
    fill(buttons, ...wallets.map((each) =>
      h("button.tm-primary", { type: "button", onclick: () => void attempt(each) }, `Sign with ${each.name}`)));
  });
  const rows = wordsOf(data, bounty).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
  return { element: h("div.tm-signing", {}, h("dl.tm-facts", {}, rows), buttons, said), close };
}

/** @param {any} data @param {import("../core/bounty.js").Bounty} bounty @returns {[string, string][]} */
function wordsOf({ primaryType, message }, { document, terms, ref, host }) {
  const seats = plural(message.seats, "batch").replace(/batchs$/, "batches");
  const about = primaryType === "Join"
    ? [["You ask for", `${seats} of ${plural(terms.batch, "item")}`], ["Paid to", message.payee]]
    : [["You commit to", `the labels of ${seats}, sealed`], ["After that", "they cannot be changed any more"]];
  return [
    ["Bounty", `${ref.bountyId}: ${clean(document.title, 100)}`],
    .../** @type {[string, string][]} */ (about),
    ["On network", `${clean(host.name, 40)} (chain ${host.chain_id})`],
    ["Costs you", "nothing: it is a signature, and no transaction"],
  ];
}
