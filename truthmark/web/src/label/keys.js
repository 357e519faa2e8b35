// SPDX-License-Identifier: Apache-2.0
/** Which key stands for which answer and which command (as truthmark/cli/labeling_screen.py). */

/** @typedef {{name: string, key?: string}} LabelClass */

/** What each command's key may be, the first that is no class's. */
const COMMANDS = {
  skip: ["s", "x", "-", "_"],
  flag: ["f", "n", "!", "^"],
  guidelines: ["g", "h", "?"],
  find: ["/", ":"],
  zoom: ["z", "+", "="],
  keys: ["k", ",", ";"],
};
const USUAL = { undo: "Backspace", back: "ArrowLeft", forth: "ArrowRight" };
/** Keys that are no letter, digit or sign, and may stand for a command all the same. */
const NAMED = {
  Backspace: "⌫", Delete: "Del", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓",
  Home: "Home", End: "End", PageUp: "PgUp", PageDown: "PgDn", Insert: "Ins",
};
/** By the place of a key, for keyboards whose letters are others. */
const PLACES = /^(?:Key([A-Z])|(?:Digit|Numpad)(\d))$/;

/**
 * Which key stands for which class: its own, else its name, else the next digit left.
 *
 * A name is a key where it is one letter or digit: who sees a 3 and may answer 0 to 9 presses 3.
 * @param {LabelClass[]} classes
 * @param {Record<string, string>} [changed] the labeler's own choice, by the class's number
 * @returns {Map<string, number>} class numbers by key
 */
export function keysOf(classes, changed = {}) {
  const found = new Map();
  const keyed = new Set();
  const give = (/** @type {string | undefined} */ key, /** @type {number} */ number) => {
    if (!key || keyed.has(number) || found.has(key)) return;
    found.set(key, number);
    keyed.add(number);
  };
  for (const [number, key] of Object.entries(changed)) {
    if (Number(number) < classes.length) give(key, Number(number));
  }
  classes.forEach((entry, number) => give(entry.key, number));
  classes.forEach((entry, number) => {
    if (!entry.key && /^[\p{L}\p{N}]$/u.test(entry.name)) give(entry.name, number);
  });
  const digits = [..."1234567890"].filter((digit) => !found.has(digit));
  classes.forEach((_, number) => {
    if (!keyed.has(number) && digits.length) give(digits.shift(), number);
  });
  return found;
}

/**
 * @param {Map<string, number>} keys of classes, which come first
 * @param {Record<string, string>} [changed] the labeler's own choice, by the command's name
 * @returns {Map<string, string>} names of commands by key
 */
export function commandsOf(keys, changed = {}) {
  const found = new Map([["Enter", "enter"]]);
  const given = new Set();
  const give = (/** @type {string} */ name, /** @type {string | undefined} */ key) => {
    if (!key || given.has(name) || keys.has(key) || found.has(key)) return;
    found.set(key, name);
    given.add(name);
  };
  const names = [...Object.keys(USUAL), ...Object.keys(COMMANDS)];
  for (const name of names) give(name, changed[name]);
  for (const [name, key] of Object.entries(USUAL)) give(name, key);
  for (const [name, candidates] of Object.entries(COMMANDS)) {
    for (const key of candidates) give(name, key);
  }
  return found;
}

/** @param {string} key @returns {string} as it is written on a button */
export function nameOfKey(key) {
  return NAMED[/** @type {keyof typeof NAMED} */ (key)] ?? key.toUpperCase();
}

/**
 * Give a key to an answer or a command; which had it before gets the other's, so that none is
 * left without.
 * @param {LabelClass[]} classes
 * @param {{keys: Record<string, string>, commands: Record<string, string>}} chosen so far
 * @param {number | string} wanted a class's number, or a command's name
 * @param {string} key as an event names it
 * @returns {{keys: Record<string, string>, commands: Record<string, string>, why?: string}} with
 *   why not, where it cannot be
 */
export function choose(classes, chosen, wanted, key) {
  const keys = keysOf(classes, chosen.keys);
  const commands = commandsOf(keys, chosen.commands);
  const isCommand = typeof wanted === "string";
  const why = isCommand && key in NAMED ? "" : whyNoKey(key);
  if (why) return { ...chosen, why };
  const holder = keys.get(key) ?? commands.get(key);
  const mine = [...(isCommand ? commands : keys)].find(([, each]) => each === wanted)?.[0];
  // All answers as they are now: one whose key changes must not move the digits of the others.
  const now = Object.fromEntries([...keys].map(([each, number]) => [number, each]));
  const made = { keys: now, commands: { ...chosen.commands } };
  const give = (/** @type {number | string} */ to, /** @type {string | undefined} */ given) => {
    const place = /** @type {Record<string, string>} */ (typeof to === "string" ? made.commands : made.keys);
    if (given) place[to] = given;
    else delete place[to];
  };
  if (isCommand && typeof holder === "number" && (!mine || mine in NAMED)) {
    return { ...chosen, why: "an answer has that key; give the answer another one first" };
  }
  give(wanted, key);
  if (holder !== undefined && holder !== wanted) give(holder, mine);
  return made;
}

/**
 * What a key means, in capitals or not, and on a keyboard of another script by its place.
 * @param {{key: string, code?: string}} event
 * @param {Map<string, number>} keys
 * @param {Map<string, string>} commands
 * @returns {number | string | undefined} a class's number, or a command's name
 */
export function meaningOf(event, keys, commands) {
  for (const key of [event.key, swapped(event.key), placeOf(event.code)]) {
    if (key === undefined) continue;
    const found = keys.get(key) ?? commands.get(key);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Why a key cannot stand for a class, or nothing.
 * @param {string} key as an event names it
 * @returns {string}
 */
export function whyNoKey(key) {
  if ([...key].length !== 1) return "choose a letter, a digit or a sign";
  return key === " " ? "the space bar plays sounds and presses buttons; choose another key" : "";
}

/** @param {string} key @returns {string | undefined} */
function swapped(key) {
  if ([...key].length !== 1) return undefined;
  const [low, high] = [key.toLowerCase(), key.toUpperCase()];
  return key === low ? high : low;
}

/** @param {string | undefined} code @returns {string | undefined} */
function placeOf(code) {
  const found = PLACES.exec(code ?? "");
  return found ? (found[1]?.toLowerCase() ?? found[2]) : undefined;
}

/**
 * Classes whose name has what was typed: equal first, then beginnings, then the rest.
 * @param {LabelClass[]} classes
 * @param {string} typed
 * @returns {number[]} numbers of classes
 */
export function matching(classes, typed) {
  const wanted = typed.trim().toLowerCase();
  const rank = (/** @type {string} */ name) => {
    if (name === wanted) return 0;
    if (name.startsWith(wanted)) return 1;
    return name.includes(wanted) ? 2 : 3;
  };
  return classes
    .map((entry, number) => ({ number, rank: wanted ? rank(entry.name.toLowerCase()) : 2 }))
    .filter((entry) => entry.rank < 3)
    .sort((a, b) => a.rank - b.rank || a.number - b.number)
    .map((entry) => entry.number);
}
