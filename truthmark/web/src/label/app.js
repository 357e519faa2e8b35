// SPDX-License-Identifier: Apache-2.0
/** A labeler's way through one bounty: practice, join, label, and what follows by itself. */

import { follow, troubleWords } from "./afterwards.js";
import { AnswerLog } from "./answers.js";
import { ask } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { openingFetch } from "./network.js";
import { Notices } from "./notices.js";
import { offerView } from "./offer_view.js";
import { Pay, sizeWords } from "./pay_words.js";
import { dead, passes, ProblemBar, wordsOf } from "./problems.js";
import { ProgressView } from "./progress_view.js";
import { Screen } from "./screen.js";
import { ItemCache } from "./shelf.js";
import { signingView } from "./signing_view.js";
import { Steps } from "./steps.js";
import { keepForGood, openStore, scoped } from "./store.js";
import { oneTab } from "./tabs.js";
import { clean, formatDuration, plural } from "./text.js";

/** @typedef {import("../core/types.js").Run} Run */
/** @typedef {import("../core/bounty.js").Bounty} Bounty */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./steps.js").Step} Step */

const SECONDS = 1_000;
const LOOK_SECONDS = 15;
const TICK_SECONDS = 10;
/** Before the last call the page says that what is complete should be sent. */
const HURRY_SECONDS = 180;
const NOUNS = { text: "text", image: "picture", audio: "sound", pair: "pair", number: "row" };

/** The board's word for a bounty that can be joined. */
const OPEN = 1;

/**
 * @typedef {object} Status
 * @property {number} now chain time
 * @property {?{label: number, commit: number, post: number, score: number}} times
 * @property {number} [joinUntil]
 * @property {boolean} isOpen
 * @property {boolean} isFull by the relay
 * @property {boolean} isInvitedOnly by the relay
 * @property {number} [seatsLeft] by the relay
 */

/**
 * @typedef {object} Options
 * @property {typeof import("../core/index.js")} core
 * @property {string} base of the server
 * @property {number} bountyId
 * @property {string} [code] an invitation's
 * @property {string} [relay] where a link names one
 */

export class App {
  /** @param {HTMLElement} root @param {Options} options */
  constructor(root, options) {
    /** @private */ this._o = options;
    /** @private */ this._problem = new ProblemBar();
    /** @private */ this._steps = new Steps();
    /** @private */ this._notices = new Notices();
    /** @private @type {Screen | null} */ this._screen = null;
    /** @private @type {any} */ this._prefs = {};
    /** @private */ this._clockOff = 0;
    /** @private @type {Status | null} */ this._status = null;
    /** @private @type {(() => void)[]} */ this._wakers = [];
    this._head = h("header.tm-head", {});
    this._main = h("div.tm-main", {});
    root.classList.add("tm-root");
    root.replaceChildren(this._head, this._problem.element, this._main);
    this._root = root;
    this._listen();
    /** @private */ this._ticking = setInterval(() => this._tick(), TICK_SECONDS * SECONDS);
  }

  /**
   * One listener a kind for as long as the page lives; what is shown takes the key. No key goes on
   * to a page around this one, which might act on it, too.
   * @private
   */
  _listen() {
    const { signal } = (this._ending = new AbortController());
    const take = (/** @type {any} */ event) => {
      event.stopPropagation();
      if (event.type === "keydown") this._screen?.key(event, event.composedPath()[0]);
    };
    for (const kind of ["keydown", "keypress", "keyup"]) {
      this._root.addEventListener(kind, take, { signal });
      // With the focus nowhere, as after a tap beside a button, keys are meant for the work, too.
      addEventListener(kind, (event) => {
        if (this._screen && event.composedPath()[0] === document.body) take(event);
      }, { signal, capture: true });
    }
    document.addEventListener("visibilitychange", () => this._wake(), { signal });
    addEventListener("online", () => this._wake(), { signal });
  }

  /** Leave the page, as where another is shown in its place. */
  close() {
    this._isClosed = true;
    this._ending.abort();
    clearInterval(this._ticking);
    this._screen?.close();
  }

  async start() {
    fill(this._head, h("h1", {}, `Bounty ${this._o.bountyId}`));
    fill(this._main, h("p.tm-loading", { role: "status" }, "Opening the bounty …"));
    if (!globalThis.isSecureContext) {
      this._dead("This address is not safe", "The page needs https, or the machine it runs on:" +
        " ask for a link that begins with https.");
      return;
    }
    const opening = openStore().catch((error) => error);
    for (let problem; (problem = await this._openBounty(opening)); ) {
      this._dead("The bounty cannot be opened", wordsOf(problem));
      if (!passes(problem)) return;
      await this._wait(LOOK_SECONDS);
      if (this._isClosed) return;
    }
    const store = await opening;
    if (store instanceof Error) this._storeProblem = store;
    else this._store = scoped(store, `${refOf(this._bounty)}/`);
    this._shared = store instanceof Error ? null : store;
    this._drawHead();
    const { signal } = this._ending;
    if (!(await oneTab(refOf(this._bounty), this._main, () => this._lost(), signal))) return;
    await this._begin();
  }

  /**
   * Get what the bounty is opened by.
   * @private @param {Promise<any>} opening the browser's store, or what is wrong with it
   * @returns {Promise<any>} what is wrong, if anything
   */
  async _openBounty(opening) {
    const { core, base, bountyId, relay } = this._o;
    const papers = papersIn(opening);
    const network = openingFetch(`truthmark-papers ${base} ${bountyId}`);
    try {
      this._bounty = await core.openBounty(base, bountyId, { fetch: network.fetch, relay, papers });
      try {
        await this._bounty.manifest(); // to be kept for work without a network
      } catch (error) {
        if (!(await hasSigned(opening, this._bounty))) throw error; // who has sealed needs no items
      }
      this._first = this._bounty.practice[0]?.item();
      this._first?.catch(() => {}); // asked again where it is shown
      return null;
    } catch (error) {
      return error;
    } finally {
      network.seal();
    }
  }

  // ------------------------------------------------------------------------- where to begin

  /** @private */
  async _begin() {
    const kept = async (/** @type {string} */ key) => this._store?.get(`page/${key}`);
    this._prefs = (await kept("prefs")) ?? {};
    this._practiced = await kept("practice");
    this._pay = new Pay(this._bounty, this._practiced);
    this._drawHead();
    if (await this._store?.get("wish")) {
      await this._sit();
      return;
    }
    void this._look();
    if (this._practiced || !this._bounty.practice.length) await this._offer();
    else await this._practice();
  }

  /** Ask how the bounty stands; keeps chain time. @private */
  async _look() {
    try {
      this._status = statusOf(await this._bounty.status(), this._bounty.terms);
      this._clockOff = this._status.now - Date.now() / SECONDS;
    } catch (error) {
      return error;
    }
    this._drawHead();
    return null;
  }

  /** @private */
  async _practice() {
    const { practice, document } = this._bounty;
    const log = new AnswerLog(NOWHERE, "");
    const screen = this._newScreen({
      items: practice.map((_, at) => at),
      log,
      load: (/** @type {number} */ at) => this._practiceItem(at),
      judge: (/** @type {number} */ at, /** @type {number} */ code) => {
        const { answer, explanation } = practice[at];
        const isRight = answer === code;
        const name = clean(document.classes[answer].name, 100);
        return { isRight, says: isRight ? "Right" : `No, it is ${name}`, why: clean(explanation, 2_000) };
      },
      isJudged: true,
      status: () => "Practice: nothing is at stake",
    });
    const join = h("button.tm-link", { type: "button", onclick: () => screen.leave() },
      this._joined() ? "Back" : "Stop practicing");
    this._mount(h("div.tm-banner", {}, h("p", {}, h("strong", {}, "Practice"),
      ` ${plural(practice.length, NOUNS[document.kind] ?? "item")} with known answers.`), join), screen.element);
    const isDone = await screen.run();
    this._screen = null;
    if (isDone) {
      const right = practice.filter(({ answer }, at) => log.codes.get(at) === answer).length;
      this._practiced = { right, of: practice.length, seconds: screen.usualSeconds() };
      this._pay = new Pay(this._bounty, this._practiced);
      await this._keep("practice", this._practiced);
    }
    if (this._joined()) {
      this._showWaiting();
      this._wake(); // what came meanwhile is shown now
    } else await this._offer();
  }

  /** The first one was asked for before there was a page to show it. @private @param {number} at */
  _practiceItem(at) {
    const first = at === 0 ? this._first : undefined;
    this._first = undefined;
    return first ?? this._bounty.practice[at].item();
  }

  /** @private */
  async _offer() {
    const problem = this._status ? null : await this._look();
    if (problem) this._problem.show(problem, () => void this._offer());
    else this._problem.clear();
    const status = this._status ?? { now: Date.now() / SECONDS };
    const view = offerView({
      bounty: this._bounty,
      pay: this._pay,
      status,
      code: this._o.code ?? "",
      payee: (await this._shared?.get("payee").catch(() => "")) ?? "",
      shut: problem ? wordsOf(problem) : this._whyShut(),
      save: (wish) => this._saveRecovery(wish),
      recover: (text) => this._recover(text),
      join: (wish) => this._sit(wish),
      admits: this._o.core.isGated(this._bounty)
        ? (account) => this._o.core.isAdmitted(this._bounty, account)
        : null,
      checkAddress: (address) => void this._o.core.readAddress(address),
      practice: this._bounty.practice.length ? () => void this._practice() : null,
    });
    this._mount(view);
    if (!passes(problem)) return;
    void this._wait(LOOK_SECONDS).then(() => view.isConnected && !this._isClosed && this._offer());
  }

  /** @private @returns {string} why nobody can join, or nothing */
  _whyShut() {
    const status = this._status;
    if (this._storeProblem) return wordsOf(this._storeProblem);
    if (!status) return "";
    const until = status.joinUntil ?? Infinity;
    if (!status.isOpen || status.now > until) {
      return "This bounty takes no more labelers: ask who sent you the link for another.";
    }
    if (status.isFull) {
      return "All places are taken. One may become free until joining ends: look in again later.";
    }
    return "";
  }

  // ------------------------------------------------------------------------- joining

  /** @private @param {import("./offer_view.js").Wish} wish */
  async _saveRecovery(wish) {
    const store = this._needStore();
    void keepForGood();
    const kept = await store.get("device");
    if (!kept || kept.signer !== wish.signer) {
      // The key stays, the account may be another one as long as nobody has joined.
      const { privateKey, address } = kept ?? this._o.core.newDevice();
      await store.put("device", { privateKey, address, ...(wish.signer && { signer: wish.signer }) });
    }
    await store.put("page/wish", wish);
    const { ref } = this._bounty;
    download(`truthmark-bounty-${ref.bountyId}-recovery.json`, await this._o.core.recoveryFile(ref, store));
  }

  /** @private @param {string} text */
  async _recover(text) {
    const store = this._needStore();
    await this._o.core.readRecoveryFile(text, this._bounty.ref, store);
    const wish = await store.get("page/wish");
    // Saved before joining, the file has the wish alone; whether it came through, the flow asks.
    if (wish) await store.add("wish", wish);
    this._problem.clear();
    await this._begin();
  }

  /** @private @returns {boolean} */
  _joined() {
    return Boolean(this._sitting);
  }

  // ------------------------------------------------------------------------- the sitting

  /**
   * Go through the sitting to its end.
   * @private
   * @param {import("./offer_view.js").Wish} [wish] of who joins now
   * @returns {Promise<void>} resolved once they have joined
   * @throws {Error} they cannot join so
   */
  async _sit(wish) {
    const store = this._needStore();
    const device = await store.get("device");
    this._sitting = { wish: wish ?? (await store.get("wish")) };
    this._log = await AnswerLog.open(store, "answers/");
    if (wish) await this._shared?.put("payee", wish.payee).catch(() => {});
    /** @private @type {Step} */
    this._step = { step: "joined", says: "looking how the bounty stands" };
    if (!wish) this._showWaiting();
    const steps = this._o.core.labelingSteps(this._bounty, device, store, {
      wish,
      label: (/** @type {Run} */ run, /** @type {any} */ keys) => this._finished(run, keys),
      askWallet: (/** @type {any} */ data, /** @type {string} */ account, /** @type {string} */ trouble) =>
        this._askWallet(data, account, trouble),
      wait: (/** @type {number} */ seconds) => this._wait(seconds),
    });
    await new Promise((/** @type {(value?: any) => void} */ resolve, reject) => {
      void this._follow(steps, resolve).catch((error) => {
        if (this._isClosed) return;
        this._stopped(error, Boolean(wish));
        reject(error);
      });
      if (!wish) resolve();
    }).catch((error) => {
      if (wish) throw error;
    });
  }

  /**
   * Have the wallet sign. Who does not want to join may leave it; labels that are sealed wait.
   * @private @param {any} data @param {string} account @param {string} trouble
   * @returns {Promise<string>}
   */
  async _askWallet(data, account, trouble) {
    const bounty = this._bounty;
    const view = (/** @type {(signature: string) => void} */ signed) =>
      (open = signingView({ bounty, data, account, trouble, signed })).element;
    /** @type {{close: () => void} | undefined} */
    let open;
    let signature;
    if (data.primaryType === "Join") {
      signature = await ask(this._root, "Sign in your wallet", (close) => [view(close)]);
    } else {
      signature = await new Promise((resolve) => this._mount(this._steps.element,
        h("section.tm-card.tm-waiting", {}, h("h2", {}, "Sign in your wallet"),
          h("p", {}, "Your labels are sealed, and kept in this browser. Signed, they are sent."), view(resolve))));
      this._showWaiting();
    }
    open?.close();
    if (signature === undefined) {
      throw new this._o.core.Refusal("you did not sign, so nothing was sent; join again when you want to");
    }
    return signature;
  }

  /** @private @param {AsyncGenerator<Step>} steps @param {() => void} joined */
  async _follow(steps, joined) {
    for await (const step of steps) {
      if (this._isClosed) return;
      if (step.step === "joining" && !step.trouble) continue;
      joined();
      await this._onStep(step);
    }
    if (this._step?.step === "done") await this._afterwards();
  }

  /** What becomes of the labels, until that is certain. @private */
  async _afterwards() {
    await follow({
      core: this._o.core,
      bounty: this._bounty,
      store: this._needStore(),
      pay: /** @type {Pay} */ (this._pay),
      mount: (view) => {
        if (this._screen) return false;
        this._mount(this._steps.element, view);
        return true;
      },
      trouble: (error) => {
        if (!this._screen) this._problem.say(troubleWords(error));
      },
      good: () => this._problem.clear(),
      wait: (seconds) => this._wait(seconds),
      wake: () => this._wake(),
      isClosed: () => Boolean(this._isClosed),
      save: download,
    });
  }

  /** What is wrong for good. @private @param {unknown} error @param {boolean} isAtForm */
  _stopped(error, isAtForm) {
    if (isAtForm && this._step?.step === "joined" && !this._view) {
      this._sitting = null; // the form says it, where it can be mended
      return;
    }
    this._screen?.close();
    this._screen = null;
    this._mount(this._steps.element, dead("It does not go on", wordsOf(error),
      h("button.tm-primary", { type: "button", onclick: () => location.reload() }, "Try again")));
  }

  /** @private @param {Step} step */
  async _onStep(step) {
    const isNew = step.step !== this._step?.step;
    this._step = step;
    if (step.trouble) this._trouble(step.trouble);
    else this._problem.clear();
    if (isNew || !this._status) await this._look();
    if (step.step === "released" || step.step === "done") void ItemCache.drop(this._cacheName());
    if (!this._screen) this._showWaiting();
    else this._drawSteps();
  }

  /** @private @param {string} text */
  _trouble(text) {
    if (this._screen && this._step?.step === "started") return; // answers need nobody
    if (this._screen) this._problem.say(text);
    else if (this._view) this._view.show({ ...this._step, trouble: text }, this._times());
  }

  /** Resolves when the labeler says that all is answered. @private @param {Run} run */
  async _finished(run, /** @type {Record<number, string>} */ keys) {
    const store = this._needStore();
    this._run = run;
    // Who has sealed once, and reloaded before all was signed, is not asked again.
    if ((await store.get("page/sealed")) !== run.seed) {
      void this._notices.tell("Labeling has started", clean(this._bounty.document.title, 100));
      await this._labelAll(run, keys);
      await store.put("page/sealed", run.seed);
    }
    const answered = run.items.filter(({ item }) => this._log.codes.has(item));
    const { codes, texts } = this._log;
    const isText = !this._bounty.terms.classes;
    const answerTo = (/** @type {number} */ item) => (isText ? (texts.get(item) ?? "") : codes.get(item));
    return {
      answers: Object.fromEntries(answered.map(({ item }) => [item, answerTo(item)])),
      notes: this._log.toNotes(),
    };
  }

  /** Somebody at practice is not thrown onto an item that counts. @private */
  async _leavePractice() {
    if (!this._screen) return;
    this._screen.close();
    await new Promise((resolve) => {
      this._mount(this._steps.element, h("section.tm-card.tm-waiting", { role: "alert" },
        h("h2", {}, "Labeling has started"), h("p", {}, "From now on, answers count."),
        h("button.tm-primary", { type: "button", onclick: resolve }, "Begin")));
      this._drawSteps();
    });
  }

  /** @private @param {Run} run @param {Record<number, string>} keys */
  async _labelAll(run, keys) {
    await this._leavePractice();
    const { items } = this._bounty;
    const numbers = run.items.map(({ item }) => item);
    // A text may speak of the first and the second: there, no place changes.
    const isSwapped = (/** @type {any} */ each) => each.swapped && this._bounty.terms.classes > 0;
    const swapped = new Set(run.items.filter(isSwapped).map(({ item }) => item));
    const cache = await ItemCache.open(this._cacheName(), (item) => items.stored(item));
    const screen = this._newScreen({
      items: numbers,
      log: this._log,
      load: async (/** @type {number} */ item) =>
        items.openStored(item, await cache.stored(item), keys[item] ?? null),
      isSwapped: (/** @type {number} */ item) => swapped.has(item),
      isJudged: !this._bounty.terms.isTeam,
      status: (/** @type {number | undefined} */ seconds) => this._earning(seconds, run),
      complete: () => completeItems(run, this._log),
    });
    this._mount(this._steps.element, screen.element);
    this._drawSteps();
    void this._fetchAll(cache, numbers, screen);
    await screen.run();
    this._screen = null;
    this._step = { step: "labeled", says: "your answers are being sealed and signed, once and for good" };
    this._showWaiting();
  }

  /** Bring all items to this device. @private @param {ItemCache} cache @param {number[]} numbers @param {Screen} screen */
  async _fetchAll(cache, numbers, screen) {
    const told = h("p.tm-offline", { role: "status" });
    screen.element.append(told);
    const say = (/** @type {number} */ done, /** @type {string} */ more) =>
      (told.textContent = `${done} of ${numbers.length} are on this device${more}`);
    let at = 0;
    while (at < numbers.length && !cache.isFull && this._screen === screen) {
      at = 0;
      try {
        await cache.fetchAll(numbers, () => say(++at, ""), () => this._screen !== screen);
      } catch {
        say(at, "; the others need a network.");
        await this._wait(LOOK_SECONDS);
      }
    }
    if (cache.isFull) say(at, "; there is no space for more, so the others need a network.");
    else told.textContent = "All are on this device: you can label without a network.";
  }

  /** What changes with time. @private */
  _tick() {
    if (!this._step) return;
    if (this._view) this._view.show(this._step, this._times());
    this._drawSteps();
    if (!this._screen || this._step.step !== "started" || !this._run) return;
    this._screen.refresh();
    if (this._now() < this._run.lastCall - HURRY_SECONDS) return;
    this._problem.say("Time is nearly over: send what is complete now, by \"Finish early\".");
  }

  /** @private @param {number | undefined} seconds @param {Run} run */
  _earning(seconds, run) {
    const left = run.lastCall - this._now();
    const time = left > 0 ? `${formatDuration(left > 60 ? 60 * Math.floor(left / 60) : left)} left` : "time is over";
    const count = run.items.filter(({ item }) => this._log.codes.has(item)).length;
    const parts = [count ? `about ${this._pay.forLabels(count)} so far` : "", this._pay.hourly(seconds), time];
    return parts.filter(Boolean).join(" · ");
  }

  // ------------------------------------------------------------------------- drawing

  /** @private @param {any} options */
  _newScreen(options) {
    const { document } = this._bounty;
    this._view = null;
    this._screen = new Screen({
      ...options,
      classes: document.classes,
      guidelines: document.guidelines,
      noun: NOUNS[/** @type {keyof typeof NOUNS} */ (document.kind)] ?? "item",
      prefs: {
        get: (/** @type {string} */ name) => this._prefs[name],
        set: (/** @type {string} */ name, /** @type {any} */ value) => {
          this._prefs = { ...this._prefs, [name]: value };
          void this._keep("prefs", this._prefs);
        },
      },
      toText: this._o.core.annotation,
      wait: () => this._wait(LOOK_SECONDS),
      onProblem: (/** @type {unknown} */ error) => this._problem.show(error),
      onGood: () => this._problem.clear(),
    });
    return this._screen;
  }

  /** @private */
  _showWaiting() {
    if (this._screen) return;
    if (!this._view) {
      this._view = new ProgressView({
        practice: this._bounty.practice.length ? () => void this._practice() : null,
        notify: (wanted) => this._notices.want(wanted),
        save: () => void this._saveRecovery(this._sitting.wish).catch((error) => this._problem.show(error)),
        summary: () => this._summary(),
      });
      this._mount(this._steps.element, this._view.element);
      this._view.focus();
    }
    this._view.show(this._step, this._times());
    this._drawSteps();
  }

  /** @private */
  _summary() {
    const count = this._log?.codes.size ?? 0;
    const { wish } = this._sitting;
    return [h("dl.tm-facts", {},
      h("dt", {}, "Labeled"), h("dd", {}, plural(count, "item")),
      h("dt", {}, "May bring"), h("dd", {}, `about ${this._pay.forLabels(count)}`),
      h("dt", {}, "Paid to"), h("dd.tm-mono", {}, clean(wish.payee, 42)))];
  }

  /** @private */
  _drawSteps() {
    if (this._step) this._steps.show(this._step.step, this._times());
  }

  /** @private @returns {import("./steps.js").Times} */
  _times() {
    const { terms } = this._bounty;
    return {
      now: this._now(),
      joinUntil: this._status?.joinUntil,
      minSeats: terms.min_seats,
      labelSeconds: terms.label_seconds,
      lastCall: this._run?.lastCall ?? this._step?.run?.lastCall,
      commit: this._status?.times?.commit,
      post: this._status?.times?.post,
      score: this._status?.times?.score,
      challengeSeconds: terms.challenge_seconds,
    };
  }

  /** @private */
  _drawHead() {
    const { document } = this._bounty;
    const pays = this._pay
      ? [`Up to ${this._pay.price} a label`, this._pay.hourly(), sizeWords(this._bounty)]
      : [];
    globalThis.document.title = clean(document.title, 200);
    fill(this._head, h("h1", { dir: "auto" }, clean(document.title, 200)),
      h("p", {}, pays.filter(Boolean).join(" · ")));
  }

  /** @private @param {...Node} views */
  _mount(...views) {
    if (!views.includes(/** @type {any} */ (this._view?.element))) this._view = null;
    const first = views.at(-1);
    if (!this._screen || first !== this._screen.element) this._screen = null;
    this._main.replaceChildren(...views);
  }

  /** @private @param {string} title @param {string} text */
  _dead(title, text) {
    this._main.replaceChildren(dead(title, text, h("button.tm-primary", { type: "button",
      onclick: () => location.reload() }, "Try again")));
  }

  /** Another tab goes on. @private */
  _lost() {
    this.close();
    this._main.replaceChildren(dead("Going on in another tab", "This bounty is open there now; close" +
      " this one, or reload it to go on here."));
  }

  // ------------------------------------------------------------------------- small things

  /** @private @returns {number} chain time */
  _now() {
    return Date.now() / SECONDS + this._clockOff;
  }

  /** Wait, or until the network or the person comes back. @private @param {number} seconds */
  _wait(seconds) {
    return new Promise((/** @type {(value?: any) => void} */ resolve) => {
      setTimeout(resolve, Math.min(seconds, LOOK_SECONDS) * SECONDS);
      this._wakers.push(resolve);
    });
  }

  /** @private */
  _wake() {
    this._wakers.splice(0).forEach((each) => each());
  }

  /** @private @returns {Store} @throws {Error} the browser keeps nothing */
  _needStore() {
    if (!this._store) throw this._storeProblem;
    return this._store;
  }

  /** @private @param {string} key @param {any} value that can be lost */
  async _keep(key, value) {
    await this._store?.put(`page/${key}`, value).catch(() => {});
  }

  /** @private */
  _cacheName() {
    return `truthmark-items ${refOf(this._bounty)}`;
  }
}

/** Papers in the browser's store, for opening the bounty again. @param {Promise<any>} opening */
function papersIn(opening) {
  const needed = async () => {
    const store = await opening;
    if (store instanceof Error) throw store;
    return scoped(store, "paper/");
  };
  return {
    get: async (/** @type {string} */ name) => (await needed()).get(name),
    put: async (/** @type {string} */ name, /** @type {Uint8Array} */ bytes) => (await needed()).put(name, bytes),
  };
}

/** @param {Promise<any>} opening @param {Bounty} bounty @returns {Promise<boolean>} whether labels were sealed here */
async function hasSigned(opening, bounty) {
  const store = await opening;
  return !(store instanceof Error) && (await store.entries(`${refOf(bounty)}/signed/`)).length > 0;
}

/** @param {Bounty} bounty @returns {string} */
function refOf({ ref }) {
  return `${ref.chainId}/${ref.board.toLowerCase()}/${ref.bountyId}`;
}

/** Where practice is kept: it is gone with the page. @type {any} */
const NOWHERE = { put: async () => {}, entries: async () => [] };

/** @param {string} name @param {string} text */
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60 * SECONDS);
}

/**
 * How many items the whole batches hold that are answered from the first on; only those count.
 * @param {Run} run
 * @param {AnswerLog} log
 */
export function completeItems({ items, batch }, log) {
  const open = items.find(({ item }) => !log.codes.has(item));
  if (!open) return items.length;
  const whole = Math.floor(open.order / batch) * batch;
  return items.filter(({ order }) => order < whole).length;
}

/** @param {any} status of the core @param {any} terms @returns {Status} as the page needs it */
function statusOf({ status, now, joinUntil, times, relay }, terms) {
  const seats = terms.rounds * Math.ceil(terms.items / terms.batch);
  return {
    now,
    times,
    joinUntil: joinUntil ?? undefined,
    isOpen: status === OPEN,
    isFull: Boolean(relay?.is_full),
    isInvitedOnly: Boolean(relay?.is_invited_only),
    seatsLeft: Number.isSafeInteger(relay?.taken) ? seats - relay.taken : undefined,
  };
}
