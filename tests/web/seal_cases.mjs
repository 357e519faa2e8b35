// SPDX-License-Identifier: Apache-2.0
// Seals what stdin asks for as a page does, and prints what leaves the page.

import { readFileSync } from "node:fs";
import { sealAnswers } from "../../truthmark/web/src/core/committing.js";
import { deviceOf } from "../../truthmark/web/src/core/device.js";
import { MapStore } from "./store.mjs";

const cases = JSON.parse(readFileSync(0));
const made = [];
for (const { ref, terms, run, key, answers, notes } of cases) {
  const exact = { ...terms, key_x: BigInt(terms.key_x), key_y: BigInt(terms.key_y) };
  const bounty = { ref, terms: exact };
  made.push(await sealAnswers(bounty, deviceOf(key), run, answers, new MapStore(), notes));
}
process.stdout.write(JSON.stringify(made));
