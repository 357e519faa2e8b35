// SPDX-License-Identifier: Apache-2.0
/** Elements without markup: every text is a text node, so nothing that others wrote can act. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag with classes behind dots, such as "button.quiet"
 * @param {Record<string, any>} [props] attributes; functions are listeners of "onclick" and so on
 * @param {...(Node | string | number | null | undefined | false)} kids
 * @returns {any} the element
 */
export function h(tag, props = {}, ...kids) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length) made.className = classes.join(" ");
  set(made, props);
  append(made, kids);
  return made;
}

/** @param {Element} element @param {Record<string, any>} props @returns {Element} the element */
export function set(element, props) {
  for (const [key, value] of Object.entries(props)) {
    if (typeof value === "function") /** @type {any} */ (element)[key] = value;
    else if (value === false || value === null || value === undefined) element.removeAttribute(key);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  return element;
}

/** @param {Element} parent @param {any[]} kids replaced, with null and false left out */
export function fill(parent, ...kids) {
  parent.replaceChildren();
  append(parent, kids);
}

/** @param {Element} parent @param {any[]} kids */
function append(parent, kids) {
  for (const kid of kids.flat(Infinity)) {
    if (kid === null || kid === undefined || kid === false) continue;
    parent.append(kid instanceof Node ? kid : document.createTextNode(String(kid)));
  }
}

/** Drawn by strokes on a square of 24. */
const ICONS = {
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  undo: "M9 7L4 12l5 5M4 12h11a5 5 0 0 1 0 10h-2",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  skip: "M5 5l9 7-9 7zM18 5v14",
  flag: "M6 21V4h11l-2.5 4L17 12H6",
  zoom: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L21 21M8 10.5h5M10.5 8v5",
  book: "M4 5c3-1 6-1 8 1 2-2 5-2 8-1v14c-3-1-6-1-8 1-2-2-5-2-8-1zM12 6v14",
  keys: "M3 7h18v11H3zM7 11h.01M11 11h.01M15 11h.01M8 15h8",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L21 21",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
  warning: "M12 4l9.5 16h-19zM12 10v4.5M12 17.5h.01",
  save: "M12 3v11M7.5 10l4.5 4.5L16.5 10M4 17v3h16v-3",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  dot: "M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
};

/** @param {keyof typeof ICONS} name @returns {SVGElement} a picture that screen readers leave out */
export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  set(made, { viewBox: "0 0 24 24", "aria-hidden": "true", class: "tm-icon" });
  const path = document.createElementNS(SVG, "path");
  made.append(set(path, { d: ICONS[name] }));
  return made;
}
