// SPDX-License-Identifier: Apache-2.0
/** A score that is wrong, disproved by a click: by a wallet, or as a file that anyone can send. */

import { fill, h, icon } from "./dom.js";
import { wordsOf } from "./problems.js";
import { leastOf, lieWords, sharesBond, shownBy } from "./score_words.js";
import { clean, formatAmount, formatClock, plural } from "./text.js";
import { findWallets } from "./wallets.js";

/** @typedef {import("./wallets.js").Wallet} Wallet */
const MOST_LIES = 5;

/**
 * @param {object} options
 * @param {typeof import("../core/index.js")} options.core
 * @param {import("../core/bounty.js").Bounty} options.bounty
 * @param {import("./pay_words.js").Pay} options.pay
 * @param {import("../core/scored.js").Standing} options.standing
 * @param {(says: string) => void} options.told once a proof counts
 * @param {(name: string, text: string) => void} options.save
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function provingView({ core, bounty, pay, standing, told, save }) {
  const { lies, until, now, score, judgement, worker, seats } = standing;
  const { terms } = bounty;
  const lie = leastOf(lies);
  const names = bounty.document.classes.map(({ name }) => name);
  const words = lies.slice(0, MOST_LIES).map((each) =>
    h("li", {}, lieWords(each, worker, /** @type {any} */ (judgement), names)));
  if (lies.length > MOST_LIES) words.push(h("li", {}, `and ${lies.length - MOST_LIES} more`));
  const reward = terms.reward ? formatAmount(terms.reward, pay.token) : "";
  const file = `truthmark-bounty-${bounty.ref.bountyId}-proof.json`;
  const cost = h("dd", {}, "gas alone");
  void tellCost(core, bounty, core.gasOf(bounty.terms, lie, seats), cost);
  const said = h("p.tm-field-said", { role: "status" });
  const saving = h("button", { type: "button" }, icon("save"), "Save the proof as a file");
  const attempt = attempts(said);
  const prove = (/** @type {Wallet} */ wallet) => attempt(async () => {
    fill(said, `Confirm in ${wallet.name}.`);
    const proof = await core.proofOf(bounty, lie, score);
    // The proof alone: whatever may hinder the reward must not undo it.
    await wallet.send(bounty.host, () => [proof], (text) => fill(said, text));
    const says = "It is proven: everybody is paid in full.";
    fill(said, says);
    told(says);
  });
  saving.onclick = () => void attempt(async () => {
    const proof = await core.proofOf(bounty, lie, score);
    save(file, core.proofFile(bounty, proof));
    const first = reward ? "Whoever sends it first gets the reward; you are" : "Once somebody has sent it, you are";
    fill(said, `Saved. ${first} paid in full${reward && " all the same"}.`);
  });
  const { element: buttons, close } = walletButtons("tm-primary", (wallet) => `Disprove it with ${wallet.name}`, prove);
  const facts = [
    ["Until", formatClock(until ?? 0, now)],
    ["Costs", cost],
    ["Paid by", "the account that sends it: any account, which need not be yours"],
    ["Brings that account", reward ? `${reward}, out of the requester's bond, to who is first` : "nothing: there is no reward"],
    ["Brings you", `the full price${sharesBond(terms) ? ", and a share of what is left of the bond" : ""}`],
    ["Everybody then sees", shownBy(lie)],
  ];
  const element = h("section.tm-proving", { "aria-label": "Disprove it" },
    h("ul", {}, words),
    h("dl.tm-facts", {}, facts.map(([name, value]) =>
      [h("dt", {}, name), value instanceof Node ? value : h("dd", {}, value)])),
    buttons,
    h("p", {}, "Without a wallet: give the proof to anyone who has one, such as a friend, or a node that you trust."),
    h("p.tm-row", {}, saving),
    h("p.tm-field-hint", {}, "They send it by: ", h("code", {}, `truthmark bounty prove ${file}`)),
    said);
  return { element, close };
}

/**
 * What the contract keeps for who disproved the score: taken out by a click, also after a reload.
 * @param {any} options as of `provingView`
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function rewardView({ core, bounty, pay, standing }) {
  const { account, units } = standing.reward;
  const amount = formatAmount(units, pay.token);
  const short = `${account.slice(0, 8)}…${account.slice(-6)}`;
  const said = h("p", {}, `The contract keeps ${amount} for the account that proved it, `,
    h("span.tm-mono", { title: account }, short), ". If that is yours:");
  const hint = h("p.tm-field-said", { role: "status" });
  const attempt = attempts(hint);
  const take = (/** @type {Wallet} */ wallet) => attempt(async () => {
    fill(hint, `Confirm in ${wallet.name}.`);
    const calls = (/** @type {string} */ sender) => {
      if (sender !== account) throw new Error(`${wallet.name} shows another account; choose ${short} in it, then try again.`);
      return [core.withdrawalOf(bounty, account)];
    };
    await wallet.send(bounty.host, calls, (text) => fill(hint, text));
    element.replaceChildren(h("p.tm-close", { role: "status" }, icon("check"), `${amount} came to the account of ${wallet.name}.`));
  });
  const { element: buttons, close } = walletButtons("", (wallet) => `Take the reward out with ${wallet.name}`, take);
  const element = h("section.tm-reward", { "aria-label": "The reward" }, said, buttons, hint);
  return { element, close };
}

/**
 * A button for each wallet of this browser.
 * @param {string} kind its class @param {(wallet: Wallet) => string} says
 * @param {(wallet: Wallet) => Promise<void>} act
 * @returns {{element: HTMLElement, close: () => void}}
 */
function walletButtons(kind, says, act) {
  const element = h("div.tm-wallets", {}, h("p.tm-field-hint", {}, "No wallet is found in this browser."));
  /** @type {Wallet[]} */
  const wallets = [];
  const close = findWallets((wallet) => {
    wallets.push(wallet);
    fill(element, wallets.map((each) =>
      h("button", { type: "button", class: kind, onclick: () => void act(each) }, says(each))));
  });
  return { element, close };
}

/** Do one thing at a time, and say what is in the way. @param {HTMLElement} said */
function attempts(said) {
  let isBusy = false;
  return async (/** @type {() => Promise<void>} */ work) => {
    if (isBusy) return;
    isBusy = true;
    try {
      await work();
    } catch (error) {
      const { name, message } = /** @type {any} */ (error) ?? {};
      fill(said, name === "Refusal" || name === "Unavailable" ? wordsOf(error) : clean(message ?? error, 300));
    }
    isBusy = false;
  };
}

/**
 * @param {typeof import("../core/index.js")} core @param {import("../core/bounty.js").Bounty} bounty
 * @param {number} gas @param {HTMLElement} place
 */
async function tellCost(core, bounty, gas, place) {
  const wei = await core.feeOf(bounty, gas);
  const coin = { symbol: clean(bounty.host.native_symbol, 12), decimals: 18 };
  const about = `gas alone, at most about ${plural(gas, "unit").replace(/\d+/, gas.toLocaleString("en"))}`;
  fill(place, wei === null ? about : `${about}: ${formatAmount(wei, coin, 5)} at the price of this moment`);
}
