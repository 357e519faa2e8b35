// SPDX-License-Identifier: Apache-2.0
/** One item as elements, ready to be put on the page at once. */

import { h } from "./dom.js";
import { clean, cleanLines } from "./text.js";

/** @typedef {import("../core/types.js").Item} Item */

/**
 * @typedef {object} Shown
 * @property {HTMLElement} element
 * @property {Promise<void>} ready resolved when it is decoded and can be painted in one frame
 * @property {HTMLElement | null} zoom what a zoom makes larger; null where nothing is
 * @property {HTMLAudioElement[]} sounds
 * @property {() => void} release lets go of its memory
 */

const LONGEST = 100_000;
const MOST_ROWS = 500;
const NUMBERS = 9;
/** Points of a side. */
const TINY = 64;

/**
 * @param {Item} item
 * @param {string} label says where in the batch it is, for who cannot see it
 * @param {boolean} [isSwapped] whether the two of a pair are shown the other way round
 * @returns {Shown}
 */
export function showItem(item, label, isSwapped = false) {
  if (item.pair) {
    const halves = isSwapped ? [...item.pair].reverse() : item.pair;
    return showPair(halves, label);
  }
  if (item.mime.startsWith("image/")) return showPicture(item, label);
  if (item.mime.startsWith("audio/")) return showSound(item, label);
  return showText(item);
}

/** @param {Item[]} halves @param {string} label @returns {Shown} */
function showPair(halves, label) {
  const made = halves.map((half, at) => showItem(half, `${label}, number ${at + 1}`));
  const parts = made.map((shown, at) =>
    h("section.tm-half", { "aria-label": `number ${at + 1}` },
      h("p.tm-half-name", { "aria-hidden": "true" }, at + 1), shown.element),
  );
  const element = h("div.tm-pair", {}, ...parts);
  return {
    element,
    ready: Promise.all(made.map((shown) => shown.ready)).then(() => {}),
    zoom: made.some((shown) => shown.zoom) ? element : null,
    sounds: made.flatMap((shown) => shown.sounds),
    release: () => made.forEach((shown) => shown.release()),
  };
}

/** @param {Item} item @param {string} label @returns {Shown} */
function showPicture(item, label) {
  const [url, release] = urlOf(item);
  const picture = new Image();
  picture.alt = `${label}: the picture to be labeled`;
  picture.draggable = false;
  picture.decoding = "sync";
  picture.src = url;
  const element = h("div.tm-picture", {}, picture);
  const shown = () => {
    // Drawn smoothly, so few points are a blur.
    element.classList.toggle("tm-tiny", Math.max(picture.naturalWidth, picture.naturalHeight) <= TINY);
  };
  const ready = picture.decode().then(shown, () => {
    element.replaceChildren(h("p.tm-broken", {},
      "This picture cannot be drawn: flag it, and skip or answer it."));
  });
  return { element, ready, zoom: element, sounds: [], release };
}

/** @param {Item} item @param {string} label @returns {Shown} */
function showSound(item, label) {
  const [url, release] = urlOf(item);
  const sound = h("audio", { controls: true, preload: "auto", src: url,
    "aria-label": `${label}: the sound to be labeled` });
  const element = h("div.tm-sound", {}, sound);
  const ready = new Promise((resolve) => {
    sound.oncanplay = () => resolve(undefined);
    sound.onerror = () => {
      element.replaceChildren(h("p.tm-broken", {},
        "This sound cannot be played: flag it, and skip or answer it."));
      resolve(undefined);
    };
  });
  return { element, ready: /** @type {Promise<void>} */ (ready), zoom: null, sounds: [sound],
    release };
}

/** @param {Item} item @returns {Shown} */
function showText(item) {
  const text = item.text ?? "";
  const rows = item.media === NUMBERS ? rowsOf(text) : null;
  const element = rows
    ? h("div.tm-scroll", {},
        h("table.tm-numbers", {}, h("tbody", {}, ...rows.map(([name, value]) =>
          h("tr", {}, h("th", { scope: "row" }, clean(name, 200)), h("td", {}, clean(value, 200)))))))
    : h("div.tm-text", { dir: "auto", class: sizeOf(text) }, cleanLines(text, LONGEST));
  return { element, ready: Promise.resolve(), zoom: null, sounds: [], release: () => {} };
}

/** @param {string} text @returns {string} short texts are large */
function sizeOf(text) {
  return `tm-text ${text.length < 120 ? "tm-large" : text.length > 900 ? "tm-small" : ""}`.trim();
}

/**
 * A row of numbers as it is read: an object of names and numbers, or a list.
 * @param {string} text
 * @returns {[string, string][] | null} null where it is no such row, and is shown as text
 */
export function rowsOf(text) {
  let value;
  try {
    value = JSON.parse(text, asWritten);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || value instanceof Written) return null;
  const entries = Array.isArray(value)
    ? value.map((each, at) => [String(at + 1), each])
    : Object.entries(value);
  if (!entries.length || entries.length > MOST_ROWS) return null;
  return entries.map(([name, each]) => [name, typeof each === "string" ? each : JSON.stringify(each)]);
}

/** A number by its digits, which a double may not hold. */
class Written {
  /** @param {string} digits */
  constructor(digits) {
    this.digits = digits;
  }

  toJSON() {
    return /** @type {any} */ (JSON).rawJSON(this.digits);
  }
}

/** @param {string} _ @param {any} value @param {{source?: string}} [context] */
function asWritten(_, value, context) {
  if (typeof value !== "number") return value;
  if (context?.source !== undefined && "rawJSON" in JSON) return new Written(context.source);
  // Where a browser cannot say how it was written, the row is shown as the text that it is.
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) throw new RangeError("not as it was written");
  return value;
}

/** @param {Item} item @returns {[string, () => void]} */
function urlOf(item) {
  const url = URL.createObjectURL(new Blob([/** @type {any} */ (item.bytes)], { type: item.mime }));
  return [url, () => URL.revokeObjectURL(url)];
}
