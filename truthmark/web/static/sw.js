// SPDX-License-Identifier: Apache-2.0 AND MIT
// Made by make web.
self.addEventListener("install",()=>self.skipWaiting());
