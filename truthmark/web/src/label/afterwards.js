// SPDX-License-Identifier: Apache-2.0
/** What comes after the labels are handed out: the score, and until when it can be disproved. */

import { wordsOf } from "./problems.js";
import { scoreView } from "./score_view.js";

const LOOK_SECONDS = 15;
/** What is shown is drawn again only where one of these is another. */
const drawnBy = (/** @type {import("../core/scored.js").Standing} */ { phase, end, score, lies, reward }) =>
  [phase, end, score, lies.length, reward?.units ?? ""].join(" ");

/**
 * Follow a bounty to its end, and show what becomes of the labeler's part.
 * @param {object} options
 * @param {typeof import("../core/index.js")} options.core
 * @param {import("../core/bounty.js").Bounty} options.bounty
 * @param {import("../core/types.js").Store} options.store
 * @param {import("./pay_words.js").Pay} options.pay
 * @param {(view: HTMLElement) => boolean} options.mount whether there was a place to show it
 * @param {(error: unknown) => void} options.trouble what passes
 * @param {() => void} options.good nothing is in the way any more
 * @param {(seconds: number) => Promise<void>} options.wait
 * @param {() => void} options.wake ends waiting
 * @param {() => boolean} options.isClosed
 * @param {(name: string, text: string) => void} options.save as a file
 */
export async function follow(options) {
  const { core, bounty, store, wait, isClosed } = options;
  const device = await store.get("device");
  let drawn = "";
  let proven = "";
  let view = /** @type {{element: HTMLElement, close: () => void} | null} */ (null);
  try {
    while (!isClosed()) {
      let standing;
      try {
        standing = await core.standingOf(bounty, device, store);
        options.good();
      } catch (error) {
        if (isClosed()) return;
        options.trouble(error);
        await wait(LOOK_SECONDS);
        continue;
      }
      if (isClosed() || !standing) return;
      const key = drawnBy(standing);
      if (key !== drawn && standing.end) {
        view?.close();
        view = scoreView({
          ...options,
          standing,
          proven,
          told: (/** @type {string} */ says) => {
            proven = says;
            drawn = ""; // whatever the chain says now
            options.wake();
          },
        });
        if (options.mount(view.element)) drawn = key; // else there is a screen of items, and then again
      }
      if (standing.phase === "ended" && drawn === key && !standing.isPartial) return;
      await wait(LOOK_SECONDS);
    }
  } finally {
    if (isClosed()) view?.close();
  }
}

/** @param {unknown} error @returns {string} */
export function troubleWords(error) {
  return `${wordsOf(error)} Looking again by itself.`;
}
