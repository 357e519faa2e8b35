// SPDX-License-Identifier: Apache-2.0
/** What a bounty pays, in words: by the pilot's time, then by one's own, each named as such. */

import { outlook, payRule, USUAL_SKILL } from "./outlook.js";
import { clean, formatAmount, formatShare, plural } from "./text.js";

/** @typedef {import("../core/bounty.js").Bounty} Bounty */
/** @typedef {{right: number, of: number, seconds?: number}} Practiced */

const PARTS = 1_000_000;
const LEAST_PRACTICE = 5;

export class Pay {
  /** @param {Bounty} bounty @param {Practiced | undefined} practiced */
  constructor(bounty, practiced) {
    /** @private */ this._terms = bounty.terms;
    /** @private */ this._document = bounty.document;
    this.practiced = practiced;
    this.token = tokenOf(bounty);
    /** Fewer say nothing of how right somebody is. */
    this.isTelling = (practiced?.of ?? 0) >= LEAST_PRACTICE;
    this.skill = practiced && this.isTelling ? practiced.right / practiced.of : USUAL_SKILL;
    this.outlook = outlook(/** @type {any} */ (bounty.terms), this.skill);
  }

  /** How one is paid, in a sentence. */
  get rule() {
    return payRule(/** @type {any} */ (this._terms));
  }

  /** What a label pays at the full price. */
  get price() {
    return formatAmount(this._terms.price, this.token);
  }

  /**
   * What an hour may bring; nothing where nobody knows.
   * @param {number} [seconds] that the labeler takes for an item
   */
  hourly(seconds) {
    const own = seconds ?? this.practiced?.seconds;
    const took = own ?? this._document.seconds_per_item;
    if (!took) return "";
    const units = this._expected((this.outlook.mean * 3_600) / took);
    const by = own ? "at your pace" : "at the pilot's pace";
    return `about ${formatAmount(units, this.token, 2)} an hour ${by}`;
  }

  /** @param {number} labels @returns {string} what so many may bring */
  forLabels(labels) {
    return formatAmount(this._expected(labels * this.outlook.mean), this.token, 2);
  }

  /** What practice says of the pay, in a sentence. */
  get prospect() {
    if (!this._terms.gold_count) return "Here everybody whose labels arrive is paid in full.";
    const { mean, low, high } = this.outlook;
    const span = low < high ? ` (most get ${formatShare(low)} to ${formatShare(high)})` : "";
    const who = this.isTelling ? "Who is right as often" : `Who is right ${formatShare(this.skill)} of the time`;
    const few = this.practiced && !this.isTelling ? "So few say little of how right you are. " : "";
    return `${few}${who} gets about ${formatShare(mean)} of the full price${span}.`;
  }

  /** @private @param {number} labels of the full price @returns {bigint} */
  _expected(labels) {
    const price = BigInt(this._terms.price);
    return (price * BigInt(Math.max(0, Math.round(labels * PARTS)))) / BigInt(PARTS);
  }
}

/** @param {Bounty} bounty @returns {string} such as "100 to 250 items" */
export function sizeWords({ terms }) {
  const of = (/** @type {number} */ seats) => Math.min(terms.items, seats * terms.batch);
  const [least, most] = [of(terms.min_run), of(terms.max_run)];
  return least === most ? plural(least, "item") : `${least} to ${plural(most, "item")}`;
}

/** @param {Bounty} bounty @returns {{symbol: string, decimals: number, isKnown: boolean}} */
function tokenOf({ terms, host }) {
  const wanted = String(terms.token).toLowerCase();
  const found = host.tokens.find((token) => token.address.toLowerCase() === wanted);
  if (found) return { ...found, isKnown: true };
  return { symbol: `units of ${clean(terms.token, 42)}`, decimals: 0, isKnown: false };
}
