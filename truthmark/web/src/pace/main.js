// SPDX-License-Identifier: Apache-2.0
/**
 * What bounties of a page of the app pay at one's own pace, where one has practiced. How practice
 * went is in this browser alone (label/app.js keeps it): it is read here, and told to nobody.
 */

import { Pay } from "../label/pay_words.js";
import { openStore } from "../label/store.js";
import { clean, formatShare } from "../label/text.js";

/**
 * @typedef {object} Offer
 * @property {number} number
 * @property {string} title
 * @property {string} place begins the names of what the label page keeps of it
 * @property {any} terms numbers of the terms; the price as text
 * @property {{symbol: string, address: string, decimals: number}[]} tokens
 */

/** @param {Offer} offer @param {any} practiced @returns {string} empty where that says too little */
export function paceWords({ terms, tokens }, practiced) {
  if (!(practiced?.seconds > 0) || !(practiced.of > 0)) return "";
  const bounty = /** @type {any} */ ({ terms, document: {}, host: { tokens } });
  const pay = new Pay(bounty, practiced);
  const right = terms.gold_count ? `${formatShare(practiced.right / practiced.of)} right and ` : "";
  return `${pay.hourly()}: ${right}${practiced.seconds.toFixed(1)} s an answer in your practice`;
}

/** @param {Element} place @param {Offer[]} offers */
async function draw(place, offers) {
  const store = await openStore();
  const lines = [];
  for (const offer of offers) {
    const words = paceWords(offer, await store.get(`${offer.place}/page/practice`));
    if (words) lines.push([offer, words]);
  }
  place.replaceChildren(...lines.map(([offer, words]) => {
    const line = document.createElement("p");
    const name = document.createElement("strong");
    name.textContent = offers.length > 1 ? `${clean(offer.title, 60)}: ` : "";
    line.append(name, document.createTextNode(words));
    return line;
  }));
}

/** Called again with every change of its data, on the same place. */
export default function pace(/** @type {any} */ { parentElement, data }) {
  const place = parentElement.querySelector(".tm-pace");
  const asked = JSON.stringify(data.offers);
  if (place.dataset.asked === asked) return;
  place.dataset.asked = asked;
  draw(place, data.offers).catch(() => place.replaceChildren()); // it keeps nothing, and knows nothing
}
