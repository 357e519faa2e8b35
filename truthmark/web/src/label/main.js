// SPDX-License-Identifier: Apache-2.0
/** The page at /label/{bounty}: a link opens it, and a service worker keeps it for work offline. */

import * as core from "../core/index.js";
import { App } from "./app.js";

const place = /** @type {HTMLElement} */ (document.getElementById("label"));
const found = /\/label\/(\d{1,18})\/?$/.exec(location.pathname);
const link = new URLSearchParams(location.hash.slice(1));

// The code of an invitation counts once: it is not left in the address bar, where others read it.
const code = link.get("code") ?? sessionStorage.getItem(location.pathname) ?? "";
if (link.has("code")) {
  sessionStorage.setItem(location.pathname, code);
  history.replaceState(null, "", location.pathname + location.search);
}

navigator.serviceWorker?.register("/label/sw.js", { scope: "/label/" }).catch(() => {});

const app = new App(place, {
  core,
  base: location.origin,
  bountyId: Number(found?.[1] ?? 0),
  code,
  relay: new URLSearchParams(location.search).get("relay") ?? undefined,
});
void app.start();
