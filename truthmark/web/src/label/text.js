// SPDX-License-Identifier: Apache-2.0
/** Words for people: other people's text made harmless, times, durations, money, plurals. */

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
/** What could turn or hide a line; joiners stay, as scripts and emoji need them. */
const TURNING =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const UNITS = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];

/**
 * Somebody else's text on one line: no control characters, not too long.
 * @param {unknown} text
 * @param {number} [limit] letters
 * @returns {string}
 */
export function clean(text, limit = 2_000) {
  const letters = [...String(text).slice(0, 4 * limit + 4)];
  const shown = letters.slice(0, limit + 1).join("").replace(/[\n\t]/g, " ")
    .replace(INVISIBLE, "\ufffd");
  return letters.length <= limit ? shown : [...shown].slice(0, limit - 1).join("") + "…";
}

/**
 * Somebody else's text with its lines, as it is shown in a block of its own.
 * @param {unknown} text
 * @param {number} [limit] code units
 * @returns {string}
 */
export function cleanLines(text, limit = 100_000) {
  const whole = String(text).replace(/\r\n?/g, "\n");
  const cut = whole.length > limit ? whole.slice(0, limit) + "…" : whole;
  return cut.replace(TURNING, "\ufffd");
}

/** @param {number} count @param {string} noun @returns {string} a number with its noun */
export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** @param {number} seconds @returns {string} in the two largest units, such as "1 h 30 min" */
export function formatDuration(seconds) {
  let left = Math.abs(Math.round(seconds));
  const parts = [];
  for (const [size, name] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) parts.push(`${count} ${name}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/**
 * A moment as a clock shows it here, with the day where that is another.
 * @param {number} unix seconds
 * @param {number} now seconds
 * @returns {string}
 */
export function formatClock(unix, now) {
  const [when, today] = [new Date(unix * 1000), new Date(now * 1000)];
  if (Number.isNaN(when.getTime())) return "never";
  const time = when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (when.toDateString() === today.toDateString()) return time;
  const day = { weekday: "short", day: "numeric", month: "short" };
  return `${when.toLocaleDateString("en-GB", day)}, ${time}`;
}

/**
 * @param {bigint | number} units the token's smallest
 * @param {{symbol: string, decimals: number}} token
 * @param {number} [digits] after the point at most; all if not given
 * @returns {string} such as "1.25 USDC"
 */
export function formatAmount(units, token, digits = token.decimals) {
  const all = BigInt(units).toString().padStart(token.decimals + 1, "0");
  const whole = all.slice(0, all.length - token.decimals);
  let rest = all.slice(all.length - token.decimals);
  // What would round to nothing is shown with its first digits.
  const first = rest.search(/[1-9]/);
  const kept = Number(whole) === 0 && first >= digits ? first + 2 : digits;
  rest = rest.slice(0, kept).replace(/0+$/, "");
  if (rest.length === 1 && token.decimals > 1 && digits >= 2) rest += "0";
  return `${whole}${rest ? `.${rest}` : ""} ${clean(token.symbol, 20)}`;
}

/** @param {number} share of one @returns {string} such as "74 %" */
export function formatShare(share) {
  return `${Math.round(100 * share)} %`;
}

/** @param {string} text of the core, without capital and full stop @returns {string} */
export function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
