// SPDX-License-Identifier: Apache-2.0
/** One tab answers at a time, so that no answer is written over another's. */

import { dead } from "./problems.js";
import { h } from "./dom.js";

/**
 * Take the bounty for this tab; where another has it, the person may take it over.
 * @param {string} name
 * @param {HTMLElement} place to ask in
 * @param {() => void} lost called when another tab takes over
 * @param {AbortSignal} over when this tab lets go of it
 * @returns {Promise<boolean>} whether this tab may go on
 */
export async function oneTab(name, place, lost, over) {
  const { locks } = navigator;
  if (!locks) return true;
  const take = (/** @type {LockOptions} */ options) =>
    new Promise((/** @type {(got: boolean) => void} */ resolve) => {
      locks
        .request(`truthmark-label ${name}`, options, (lock) => {
          resolve(lock !== null);
          return lock && new Promise((done) => over.addEventListener("abort", done));
        })
        .catch(lost);
    });
  if (await take({ ifAvailable: true })) return true;
  await new Promise((resolve) => {
    place.replaceChildren(dead("Open in another tab", "This bounty is open in another tab of this" +
      " browser. Go on there, or take it over here: answers are shared.",
      h("button.tm-primary", { type: "button", onclick: resolve }, "Go on here")));
  });
  return take({ steal: true });
}
