// SPDX-License-Identifier: Apache-2.0
/**
 * Markdown that a requester wrote, as elements made one by one: HTML in it is text, pictures are
 * named and not fetched, links lead to http and https alone and show where.
 */

import { h } from "./dom.js";
import { clean, cleanLines } from "./text.js";

const LONGEST = 200_000;
const DEEPEST = 4;
/** Each stops at the next mark of its kind, so that no text takes more than one pass. */
const INLINE = new RegExp(
  [
    "`([^`\\n]{1,1000})`",
    "!\\[([^\\[\\]\\n]{0,300})\\]\\([^()\\s]{0,1000}\\)",
    "\\[([^\\[\\]\\n]{1,300})\\]\\((https?:\\/\\/[^()\\s<>]{1,1000})\\)",
    "<?(https?:\\/\\/[^\\s<>()]{1,1000})>?",
    "\\*\\*(?=\\S)([^*\\n]{1,1000})\\*\\*",
    "(?<![\\w*])\\*(?=\\S)([^*\\n]{1,1000})\\*(?![\\w*])",
    "(?<![\\w_])_(?=\\S)([^_\\n]{1,1000})_(?![\\w_])",
    "\\\\([!-/:-@\\[-`{-~])",
  ].join("|"),
  "g",
);
const ITEM = /^(\s{0,12})(?:([-*+])|(\d{1,9})[.)])\s+(.*)$/;

/** @param {string} text @returns {HTMLElement} */
export function drawMarkdown(text) {
  const lines = cleanLines(text, LONGEST).split("\n");
  return h("div.tm-prose", {}, ...blocks(lines, 0));
}

/** @param {string[]} lines @param {number} depth @returns {Node[]} */
function blocks(lines, depth) {
  const made = [];
  let at = 0;
  const take = (/** @type {(line: string) => boolean} */ test) => {
    const start = at;
    while (at < lines.length && test(lines[at])) at++;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const fence = /^\s{0,3}(```|~~~)/.exec(line)?.[1];
    const heading = /^\s{0,3}(#{1,6})\s+(.*?)[\s#]*$/.exec(line);
    if (!line.trim()) at++;
    else if (fence) {
      at++;
      const inside = take((each) => !each.trimStart().startsWith(fence));
      at++;
      made.push(h("pre", { tabindex: 0 }, h("code", {}, inside.join("\n"))));
    } else if (heading) {
      at++;
      // Below the page's own headings.
      const level = Math.min(6, heading[1].length + 2);
      made.push(h(`h${level}`, {}, ...inline(heading[2])));
    } else if (/^\s{0,3}([-*_])(?:\s*\1){2,}\s*$/.test(line)) {
      at++;
      made.push(h("hr"));
    } else if (/^\s{0,3}>/.test(line) && depth < DEEPEST) {
      const inside = take((each) => /^\s{0,3}>/.test(each));
      const bare = inside.map((each) => each.replace(/^\s{0,3}>\s?/, ""));
      made.push(h("blockquote", {}, ...blocks(bare, depth + 1)));
    } else if (ITEM.test(line) && depth < DEEPEST) {
      made.push(list(take((each) => ITEM.test(each) || /^\s{2,}\S/.test(each)), depth));
    } else if (isTable(lines, at)) {
      made.push(table(take((each) => each.includes("|"))));
    } else {
      const inside = [lines[at++], ...take((each) => each.trim() !== "" && !startsBlock(each))];
      made.push(h("p", {}, ...paragraph(inside)));
    }
  }
  return made;
}

/** @param {string} line @returns {boolean} whether it ends a paragraph before it */
function startsBlock(line) {
  return /^\s{0,3}(#{1,6}\s|```|~~~|>)/.test(line) || ITEM.test(line);
}

/** @param {string[]} lines @returns {Node[]} with two spaces at an end as a break */
function paragraph(lines) {
  return lines.flatMap((line, at) => {
    const rest = at + 1 < lines.length ? [/( {2}|\\)$/.test(line) ? h("br") : " "] : [];
    return [...inline(line.trim()), ...rest];
  });
}

/** @param {string[]} lines of one list, with those that belong to its items @param {number} depth */
function list(lines, depth) {
  const first = /** @type {RegExpExecArray} */ (ITEM.exec(lines[0]));
  const edge = first[1].length + 1;
  /** @type {string[][]} */
  const items = [];
  for (const line of lines) {
    const found = ITEM.exec(line);
    if (found && found[1].length <= edge) items.push([found[4]]);
    else items.at(-1)?.push(line.slice(Math.min(edge + 1, line.search(/\S/))));
  }
  const made = items.map(([head, ...rest]) =>
    h("li", {}, ...inline(head), ...(rest.length ? blocks(rest, depth + 1) : [])),
  );
  return first[2] ? h("ul", {}, ...made) : h("ol", { start: Number(first[3]) }, ...made);
}

/** @param {string[]} lines @param {number} at @returns {boolean} */
function isTable(lines, at) {
  return lines[at].includes("|") && /^[\s|:-]*-[\s|:-]*$/.test(lines[at + 1] ?? "") &&
    lines[at + 1].includes("|");
}

/** @param {string[]} lines @returns {HTMLElement} */
function table(lines) {
  const cells = (/** @type {string} */ line) =>
    line.trim().replace(/^\||\|$/g, "").split("|").slice(0, 20).map((cell) => cell.trim());
  const [head, , ...rows] = lines;
  return h(
    "div.tm-scroll",
    { tabindex: 0, role: "group", "aria-label": "table" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...cells(head).map((cell) => h("th", {}, ...inline(cell))))),
      h(
        "tbody",
        {},
        ...rows.map((row) => h("tr", {}, ...cells(row).map((cell) => h("td", {}, ...inline(cell))))),
      ),
    ),
  );
}

/** @param {string} text of a line @param {number} [depth] @returns {(Node | string)[]} */
function inline(text, depth = 0) {
  if (depth > DEEPEST) return [text];
  const made = [];
  let done = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, code, picture, words, href, bare, strong, em1, em2, escaped] = found;
    made.push(text.slice(done, found.index));
    done = found.index + whole.length;
    if (code) made.push(h("code", {}, code));
    else if (picture !== undefined) made.push(h("em", {}, `[picture: ${picture || "no words"}]`));
    else if (href) made.push(...link(href, inline(words, depth + 1)));
    else if (bare) made.push(...link(bare, []));
    else if (strong) made.push(h("strong", {}, ...inline(strong, depth + 1)));
    else if (em1 || em2) made.push(h("em", {}, ...inline(em1 || em2, depth + 1)));
    else made.push(escaped);
  }
  return [...made, text.slice(done)].filter((each) => each !== "");
}

/** @param {string} href @param {(Node | string)[]} words @returns {(Node | string)[]} */
function link(href, words) {
  let url;
  try {
    url = new URL(href);
  } catch {
    return words.length ? words : [href];
  }
  const props = { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow ugc" };
  if (!words.length) return [h("a", props, clean(href, 100))];
  // Where it leads, so that words cannot say something else.
  return [h("a", props, ...words), h("span.tm-host", {}, ` (${clean(url.host, 80)})`)];
}
