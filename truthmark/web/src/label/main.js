// SPDX-License-Identifier: Apache-2.0
/**
 * The label page in its two places: at /label/{bounty}, where a link opens it and a service worker
 * keeps it for work offline, and as a component of a Streamlit page.
 */

import * as core from "../core/index.js";
import { App } from "./app.js";
import { Preview } from "./preview.js";

/** By the element that each is drawn into. @type {WeakMap<Element, {close: () => void}>} */
const apps = new WeakMap();
/** What of. @type {WeakMap<Element, string>} */
const drawn = new WeakMap();

/** @param {HTMLElement} place */
function startPage(place) {
  const found = /\/label\/(\d{1,18})\/?$/.exec(location.pathname);
  const link = new URLSearchParams(location.hash.slice(1));
  // The code of an invitation counts once: it is not left in the address bar, where others read it.
  const code = link.get("code") ?? sessionStorage.getItem(location.pathname) ?? "";
  if (link.has("code")) {
    sessionStorage.setItem(location.pathname, code);
    history.replaceState(null, "", location.pathname + location.search);
  }
  navigator.serviceWorker?.register("/label/sw.js", { scope: "/label/" }).catch(() => {});
  const relay = new URLSearchParams(location.search).get("relay") ?? undefined;
  const options = { core, base: location.origin, bountyId: Number(found?.[1] ?? 0), code, relay };
  void new App(place, options).start();
}

/**
 * Draw the page where Streamlit wants it; drawn again for the same bounty, it goes on as it was.
 * @param {{parentElement: Element, data: {bounty?: number, preview?: any}}} component preview: of
 *   a bounty that is not asked yet
 * @returns {() => void} called when Streamlit takes it away
 */
export default function mount({ parentElement, data }) {
  const place = /** @type {HTMLElement} */ (parentElement.querySelector(".tm-place"));
  const shown = data.preview ? JSON.stringify(data.preview) : String(data.bounty);
  if (drawn.get(place) !== shown) {
    apps.get(place)?.close();
    drawn.set(place, shown);
    place.classList.add("tm-embedded");
    if (data.preview) apps.set(place, new Preview(place, data.preview));
    else {
      const app = new App(place, { core, base: location.origin, bountyId: data.bounty ?? 0 });
      apps.set(place, app);
      void app.start();
    }
  }
  return () => {
    // Only where it is gone for good, and not between two drawings.
    setTimeout(() => place.isConnected || apps.get(place)?.close());
  };
}

const page = document.querySelector("main[data-label-page]");
if (page) startPage(/** @type {HTMLElement} */ (page));
