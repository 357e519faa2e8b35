// SPDX-License-Identifier: Apache-2.0
/** The app's wallet: an account of this browser, and transactions that it confirms. No key passes. */

import { findProviders } from "./discovery.js";
import { chainOf, connect, progressWords, send, switchTo, WalletError } from "./sending.js";

/** @typedef {import("./discovery.js").Found} Found */

/** @param {string} tag @param {string} [text] @param {string} [name] of its class */
function element(tag, text = "", name = "") {
  const made = document.createElement(tag);
  made.textContent = text; // never markup: names and amounts are others'
  if (name) made.className = name;
  return made;
}

function button(/** @type {string} */ text, /** @type {() => void} */ onclick, isMain = false) {
  const made = /** @type {HTMLButtonElement} */ (element("button", text, isMain ? "main" : ""));
  made.type = "button";
  made.onclick = onclick;
  return made;
}

class WalletView {
  /** @param {Element} place */
  constructor(place) {
    this.place = place;
    /** @type {Found[]} */ this.wallets = [];
    /** @type {Found | null} */ this.wallet = null;
    this.account = "";
    this.chainId = 0;
    this.note = "";
    this.busy = "";
    this.end = findProviders((found) => {
      this.wallets.push(found);
      this.draw();
    });
  }

  /** @param {any} component */
  update({ data, setStateValue }) {
    this.data = data;
    this.tell = setStateValue;
    this.draw();
  }

  close() {
    this.end();
    this.listen(false);
  }

  // ------------------------------------------------------------------ what the person does

  /** Do something that may fail, once at a time. */
  async attempt(/** @type {string} */ busy, /** @type {() => Promise<void>} */ work) {
    if (this.busy) return;
    this.busy = busy;
    this.note = "";
    this.draw();
    try {
      await work();
    } catch (error) {
      this.note = error instanceof WalletError ? error.message : "Your wallet does not answer; reload the page.";
    }
    this.busy = "";
    this.draw();
  }

  choose(/** @type {Found} */ found) {
    return this.attempt(`Confirm in ${found.name} that this page may see your address.`, async () => {
      const account = await connect(found.provider);
      this.chainId = await chainOf(found.provider);
      this.wallet = found;
      this.listen(true);
      this.setAccount(account);
    });
  }

  leave() {
    this.listen(false);
    this.wallet = null;
    this.setAccount("");
    this.draw();
  }

  setAccount(/** @type {string} */ account) {
    this.account = account;
    this.tell("account", account);
  }

  switch() {
    return this.attempt("Confirm the network in your wallet.", async () => {
      await switchTo(this.provider(), this.data.chain);
      this.chainId = await chainOf(this.provider());
    });
  }

  confirm(/** @type {any} */ offer) {
    const { chain } = this.data;
    return this.attempt("Confirm in your wallet.", async () => {
      const wait = (/** @type {number} */ ms) => new Promise((/** @type {any} */ done) => setTimeout(done, ms));
      const told = (/** @type {any} */ state) => {
        this.busy = progressWords(state, chain);
        this.draw();
      };
      const hash = await send(this.provider(), this.account, chain, offer.calls, { told, wait });
      this.tell("done", `${offer.key} ${hash}`);
    });
  }

  provider() {
    if (!this.wallet) throw new WalletError("account", "Choose a wallet first.");
    return this.wallet.provider;
  }

  /** Follow what is chosen in the wallet itself. */
  listen(/** @type {boolean} */ isOn) {
    const provider = this.wallet?.provider;
    this.onAccounts ??= (/** @type {any} */ accounts) => {
      const account = String(accounts?.[0] ?? "").toLowerCase();
      if (account === this.account) return;
      this.note = account ? "Another account is chosen in your wallet now." : "Your wallet is locked now.";
      if (!account) this.leave();
      else this.setAccount(account);
      this.draw();
    };
    this.onChain ??= (/** @type {any} */ id) => {
      this.chainId = Number(id);
      this.draw();
    };
    const change = isOn ? provider?.on : provider?.removeListener;
    change?.call(provider, "accountsChanged", this.onAccounts);
    change?.call(provider, "chainChanged", this.onChain);
  }

  // ------------------------------------------------------------------ what is shown

  draw() {
    if (!this.data) return;
    const parts = this.wallet ? this.connected(this.wallet) : this.choice();
    const says = element("p", this.busy || this.note, this.note && !this.busy ? "note" : "busy");
    says.setAttribute("role", "status");
    this.place.replaceChildren(...parts, says);
  }

  choice() {
    if (!this.wallets.length) {
      return [element("p", "No wallet is found in this browser.", "none")];
    }
    return [
      element("p", "Connect a wallet of this browser:"),
      ...this.wallets.map((found) => {
        const made = button(found.name, () => void this.choose(found));
        made.disabled = this.busy !== "";
        if (found.icon) {
          const icon = document.createElement("img");
          icon.src = found.icon;
          icon.alt = "";
          made.prepend(icon);
        }
        return made;
      }),
    ];
  }

  /** @param {Found} wallet */
  connected(wallet) {
    const { chain } = this.data;
    const who = element("p", `${wallet.name}: ${this.account.slice(0, 8)}…${this.account.slice(-6)} `, "who");
    who.title = this.account;
    who.append(button("Use another", () => this.leave()));
    if (this.chainId !== chain.id) {
      const text = `Your wallet is on another network. This page is about ${chain.name} (chain ${chain.id}).`;
      return [who, element("p", text), this.idle(button(`Switch to ${chain.name}`, () => void this.switch(), true))];
    }
    // What was prepared for another account is not offered to this one.
    const isMine = String(this.data.account).toLowerCase() === this.account;
    return [who, ...(isMine ? this.data.offers.map((/** @type {any} */ offer) => this.offer(offer)) : [])];
  }

  /** A transaction in words, before the wallet shows it in hex. @param {any} offer */
  offer(offer) {
    const card = element("section", "", "offer");
    card.append(element("h4", offer.title));
    const list = element("dl");
    for (const [name, value] of offer.details) list.append(element("dt", name), element("dd", value));
    card.append(list, this.idle(button(offer.action, () => void this.confirm(offer), true)));
    return card;
  }

  idle(/** @type {HTMLButtonElement} */ made) {
    made.disabled = this.busy !== "";
    return made;
  }
}

/** @type {WeakMap<object, WalletView>} */
const views = new WeakMap();

/** Called again with every change of its data, on the same place. */
export default function wallet(/** @type {any} */ component) {
  const { parentElement } = component;
  const place = parentElement.querySelector(".tm-wallet");
  const view = views.get(place) ?? new WalletView(place);
  views.set(place, view);
  view.update(component);
  return () => {
    view.close();
    views.delete(place);
  };
}
