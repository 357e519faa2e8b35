// SPDX-License-Identifier: Apache-2.0
/** What the bounty offers, how practice went, and the way in. */

import { fill, h, icon } from "./dom.js";
import { wordsOf } from "./problems.js";
import { clean, formatClock, formatDuration, plural } from "./text.js";
import { sizeWords } from "./pay_words.js";
import { findWallets } from "./wallets.js";

/** @typedef {import("../core/bounty.js").Bounty} Bounty */

/**
 * @typedef {object} Wish
 * @property {string} payee
 * @property {number} seats
 * @property {string} [code]
 * @property {string} [signer] account of a wallet that labels, where a gate wants it
 */

/**
 * @typedef {object} Options
 * @property {Bounty} bounty
 * @property {import("./pay_words.js").Pay} pay
 * @property {Record<string, any>} status
 * @property {string} code of the link, or empty
 * @property {string} payee where the labeler was paid before, or empty
 * @property {string} shut why nobody can join, or empty
 * @property {(address: string) => void} checkAddress throws where nobody could be paid there
 * @property {((account: string) => Promise<boolean>) | null} admits whether the gate lets an account
 *   in; null where everybody may come
 * @property {(wish: Wish) => Promise<void>} save gives out the recovery file
 * @property {(text: string) => Promise<void>} recover goes on from such a file
 * @property {(wish: Wish) => Promise<void>} join
 * @property {(() => void) | null} practice begins it (again); null where there is none
 */

/** @param {Options} options @returns {HTMLElement} */
export function offerView(options) {
  const { pay, practice, shut } = options;
  return h("div.tm-columns", {},
    h("section.tm-card", { "aria-label": "What it pays" },
      ...(pay.practiced ? scoreOf(options) : introOf(options)),
      h("details.tm-about", { open: matchMedia("(min-width: 46rem)").matches },
        h("summary", {}, "All about it"), factsOf(options)),
      practice && h("button", { type: "button", onclick: practice },
        pay.practiced ? "Practice again" : "Practice first")),
    shut ? shutCard(shut, options) : joinCard(options));
}

/** @param {Options} options */
function scoreOf({ pay }) {
  const { right, of } = /** @type {any} */ (pay.practiced);
  return [
    h("h2", {}, `${right} of ${of} right`),
    h("progress.tm-score", { max: of, value: right, "aria-label": "Right answers" }),
    h("p", {}, pay.prospect, pay.hourly() && ` That is ${pay.hourly()}.`),
  ];
}

/** @param {Options} options */
function introOf({ pay }) {
  return [h("h2", {}, "What it pays"), h("p", {}, pay.prospect, pay.hourly() && ` That is ${pay.hourly()}.`)];
}

/** @param {Options} options */
function factsOf({ bounty, pay, status }) {
  const { terms, document } = bounty;
  const row = (/** @type {string} */ name, /** @type {any} */ value) =>
    value && [h("dt", {}, name), h("dd", {}, value)];
  return h("dl.tm-facts", {},
    row("You label", sizeWords(bounty)),
    row("A label pays", `up to ${pay.price}`),
    !pay.token.isKnown && row("Mind", "this token is not on the network's list: it may be worth nothing"),
    row("How it pays", pay.rule),
    row("Time to label", formatDuration(terms.label_seconds)),
    row("Joining ends", status.joinUntil && formatClock(status.joinUntil, status.now)),
    row("Asked of each", `${plural(terms.rounds, "labeler")}, none of whom sees another's answers`),
    row("Content", document.flags.map((/** @type {string} */ flag) => clean(flag, 100)).join(", ")),
    row("You grant", clean(document.licence, 300)));
}

/** @param {string} why @param {Options} options */
function shutCard(why, options) {
  return h("section.tm-card", { "aria-label": "Joining" },
    h("h2", {}, "You cannot join"), h("p.tm-why", {}, icon("warning"), why),
    recoverPart(options));
}

/** @param {Options} options */
function joinCard(options) {
  const { bounty, pay, status, save, join } = options;
  const said = h("p.tm-field-said", { role: "alert" });
  const payee = h("input", { type: "text", id: "tm-payee", autocomplete: "off", spellcheck: "false",
    autocapitalize: "off", placeholder: "0x…", "aria-describedby": "tm-payee-hint", required: true });
  payee.value = options.payee;
  const code = h("input", { type: "text", id: "tm-code", autocomplete: "off", spellcheck: "false",
    autocapitalize: "off", value: options.code });
  const needsCode = Boolean(status.isInvitedOnly || options.code);
  const seats = seatsField(bounty, pay, status);
  const gate = options.admits && new GateField(options.admits, (account) => {
    payee.value ||= account;
  });
  /** The wish that the file holds which was saved last. */
  let savedWish = "";
  const saved = h("span.tm-field-hint", { role: "status" });
  const joinButton = h("button.tm-primary", { type: "submit" }, "Join");
  const saveButton = h("button", { type: "button" }, icon("save"), "Save the recovery file");
  /** @returns {Wish | null} what the form says; where something is wrong, that is said */
  const read = () => {
    const [address, invitation] = [payee.value.trim(), code.value.trim()];
    const wrong = (/** @type {HTMLElement} */ field, /** @type {string} */ text) => {
      fill(said, text);
      field.setAttribute("aria-invalid", "true");
      field.focus();
      return null;
    };
    for (const field of [payee, code]) field.removeAttribute("aria-invalid");
    fill(said);
    try {
      options.checkAddress(address);
    } catch (error) {
      return wrong(payee, wordsOf(error));
    }
    if (needsCode && !invitation) {
      return wrong(code, "This bounty is by invitation: paste the code that you were sent.");
    }
    const wish = { payee: address, seats: Number(seats.value), ...(gate?.signer && { signer: gate.signer }) };
    return invitation ? { ...wish, code: invitation } : wish;
  };
  saveButton.onclick = async () => {
    const wish = read();
    if (!wish) return;
    try {
      await save(wish);
      savedWish = JSON.stringify(wish);
      fill(saved, icon("check"), " Saved. Keep it where only you can read it.");
    } catch (error) {
      fill(said, wordsOf(error));
    }
  };
  const submit = async () => {
    const wish = read();
    if (!wish) return;
    if (savedWish !== JSON.stringify(wish)) {
      fill(saved);
      fill(said, "Save the recovery file first: without it, a lost browser is lost work.");
      saveButton.focus();
      return;
    }
    joinButton.disabled = true;
    fill(joinButton, "Joining …");
    try {
      await join(wish);
    } catch (error) {
      fill(said, wordsOf(error));
    } finally {
      joinButton.disabled = false;
      fill(joinButton, "Join");
    }
  };
  const form = h("form.tm-join", { novalidate: true,
    onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void submit(); } },
    gate?.element,
    h("div.tm-field", {}, h("label", { for: "tm-payee" }, "Where you want to be paid"), payee,
      h("p.tm-field-hint", { id: "tm-payee-hint" },
        "Any address of yours; it needs no funds, and signs nothing.", walletButton(payee, said))),
    needsCode && h("div.tm-field", {}, h("label", { for: "tm-code" }, "Invitation code"), code),
    seats.options.length > 1 && h("div.tm-field", {},
      h("label", { for: "tm-seats" }, "How many you label"), seats),
    h("div.tm-field", {}, h("span.tm-label", {}, "Your key"),
      h("p.tm-field-hint", {}, gate ? "Your labels are sealed by a key that this browser has made for this bounty alone."
        : "You label by a key that this browser has made for this bounty alone.",
        " With its file you can go on in another one. A private window forgets all when it is closed."), saveButton, saved),
    joinButton, said);
  return h("section.tm-card", { "aria-label": "Joining" }, h("h2", {}, "Join"), form,
    recoverPart(options));
}

/** Which account labels, where a gate lets certain ones in. */
class GateField {
  /** @param {(account: string) => Promise<boolean>} admits @param {(account: string) => void} chosen */
  constructor(admits, chosen) {
    this.signer = "";
    const said = h("span.tm-field-hint", { role: "status" });
    const place = h("div.tm-wallets", {}, h("p.tm-field-hint", {}, "No wallet is found in this browser."));
    /** @type {any[]} */
    const buttons = [];
    findWallets((wallet) => {
      const take = async () => {
        this.signer = "";
        try {
          const account = await wallet.address();
          fill(said, "Asking the gate …");
          if (!(await admits(account))) {
            fill(said, `The gate does not let ${account} in; choose another account in ${wallet.name}.`);
            return;
          }
          this.signer = account;
          chosen(account);
          fill(said, icon("check"), ` You label as ${account}. ${wallet.name} is asked to sign twice: when you join, and when all is labeled.`);
        } catch (error) {
          fill(said, clean(/** @type {any} */ (error)?.message ?? error, 300));
        }
      };
      buttons.push(h("button", { type: "button", onclick: () => void take() }, `Use the account of ${wallet.name}`));
      fill(place, ...buttons);
    });
    this.element = h("div.tm-field", {}, h("span.tm-label", {}, "Your account"),
      h("p.tm-field-hint", {}, "Only certain accounts may label here: a contract, the gate, decides."), place, said);
  }
}

/** @param {Bounty} bounty @param {import("./pay_words.js").Pay} pay @param {any} status */
function seatsField({ terms }, pay, status) {
  const select = h("select", { id: "tm-seats" });
  const left = status.seatsLeft ?? terms.max_run;
  for (let seats = Math.max(terms.min_run, Math.min(terms.max_run, left)); seats >= terms.min_run; seats--) {
    const labels = Math.min(terms.items, seats * terms.batch);
    const text = `${plural(labels, "item")}, about ${pay.forLabels(labels)}`;
    select.append(h("option", { value: seats }, text));
  }
  return select;
}

/** @param {HTMLInputElement} payee @param {HTMLElement} said */
function walletButton(payee, said) {
  const place = h("span", {});
  findWallets((wallet) => {
    place.append(" ", h("button.tm-link", { type: "button", onclick: async () => {
      try {
        payee.value = await wallet.address();
      } catch {
        fill(said, "The wallet gave no address; type it instead.");
      }
    } }, `Take that of ${wallet.name}`));
  });
  return place;
}

/** @param {Options} options */
function recoverPart({ recover }) {
  const said = h("p.tm-field-said", { role: "alert" });
  const file = h("input", { type: "file", accept: ".json,application/json", id: "tm-file" });
  file.onchange = async () => {
    const chosen = file.files?.[0];
    if (!chosen) return;
    try {
      if (chosen.size > 50_000_000) throw new Error("too long");
      await recover(await chosen.text());
    } catch (error) {
      const known = /** @type {any} */ (error)?.name === "Refusal";
      fill(said, known ? wordsOf(error) : "This is no recovery file of this bounty; choose another.");
      file.value = "";
    }
  };
  return h("details.tm-recover", {}, h("summary", {}, "I have joined before, elsewhere"),
    h("label", { for: "tm-file" }, "Open the recovery file that you saved then"), file, said);
}

