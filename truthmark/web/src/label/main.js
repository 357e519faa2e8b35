// SPDX-License-Identifier: Apache-2.0
/**
 * The label page in its two places: at /label/{bounty}, where a link opens it and a service worker
 * keeps it for work offline, and as a component of a Streamlit page.
 */

import * as core from "../core/index.js";
import { App } from "./app.js";

/** By the element that each is drawn into. @type {WeakMap<Element, App>} */
const apps = new WeakMap();

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
 * @param {{parentElement: Element, data: {bounty: number}}} component
 * @returns {() => void} called when Streamlit takes it away
 */
export default function mount({ parentElement, data }) {
  const place = /** @type {HTMLElement} */ (parentElement.querySelector(".tm-place"));
  if (place.dataset.bounty !== String(data.bounty)) {
    apps.get(place)?.close();
    place.dataset.bounty = String(data.bounty);
    place.classList.add("tm-embedded");
    const app = new App(place, { core, base: location.origin, bountyId: data.bounty });
    apps.set(place, app);
    void app.start();
  }
  return () => {
    // Only where it is gone for good, and not between two drawings.
    setTimeout(() => place.isConnected || apps.get(place)?.close());
  };
}

const page = document.querySelector("main[data-label-page]");
if (page) startPage(/** @type {HTMLElement} */ (page));
