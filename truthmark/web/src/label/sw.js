// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps page, style and module, so that the page opens again without a network. What the page
 * itself keeps (items, answers) is no business of this worker.
 */

const NAME = "truthmark-label-page";
/** One page serves every bounty. */
const PAGE = "/label/0";
const SHELL = [PAGE, "/label/label.js", "/label/label.css"];
const PATIENCE_MS = 3_000;
const worker = /** @type {any} */ (self);

worker.addEventListener("install", (/** @type {any} */ event) => {
  event.waitUntil(
    caches.open(NAME).then((cache) => cache.addAll(SHELL)).then(() => worker.skipWaiting()),
  );
});

worker.addEventListener("activate", (/** @type {any} */ event) => {
  event.waitUntil(worker.clients.claim());
});

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  const isPage = request.mode === "navigate" && /^\/label\/\d+\/?$/.test(pathname);
  if (isPage) event.respondWith(newest(request, PAGE));
  else if (SHELL.includes(pathname)) event.respondWith(newest(request, pathname));
});

/** A notice leads back to the page that asked for it. */
worker.addEventListener("notificationclick", (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(goTo(event.notification.data));
});

/** @param {string} url */
async function goTo(url) {
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((/** @type {any} */ each) => each.url === url);
  await (page ? page.focus() : worker.clients.openWindow(url));
}

/** @param {Request} request @param {string} name @returns {Promise<Response>} the kept one if slow */
async function newest(request, name) {
  const cache = await caches.open(NAME);
  const kept = await cache.match(name);
  const fresh = fetch(request).then(async (reply) => {
    if (reply.ok) await cache.put(name, reply.clone());
    return reply;
  });
  if (!kept) return fresh;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, kept));
  return Promise.race([fresh.catch(() => kept), late]);
}
