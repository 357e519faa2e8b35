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
const FIXED = { Backspace: "undo", ArrowLeft: "back", ArrowRight: "forth", Enter: "enter" };
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
 * @param {Map<string, number>} keys of classes
 * @returns {Map<string, string>} names of commands by key
 */
export function commandsOf(keys) {
  const found = new Map(Object.entries(FIXED));
  for (const [name, candidates] of Object.entries(COMMANDS)) {
    const key = candidates.find((each) => !keys.has(each));
    if (key) found.set(key, name);
  }
  return found;
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
