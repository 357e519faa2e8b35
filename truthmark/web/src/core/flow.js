// SPDX-License-Identifier: Apache-2.0
// The one sitting: joined, started, labeled, committed, confirmed, released, done.
//
// Whatever must not be lost is in the store before anything that depends on it is sent. So a
// sitting that was killed anywhere goes on when it is begun again with the same store.

import { look, Status } from "./board.js";
import { commitState, findSigned, sealAnswers, sendCommit } from "./committing.js";
import { labelerOf, signing } from "./device.js";
import { ofStranger, Refusal, Unavailable } from "./errors.js";
import { join, joinState, requireJoinable, signWish } from "./joining.js";
import { acknowledged, deposit, release } from "./releasing.js";
import { itemKeys, myRun, runOf } from "./run.js";

/** @typedef {import("./types.js").Step} Step */

/** Seconds for which a slow network is waited for, where what is needed is here. */
const PATIENCE = 3;

/**
 * Go through a sitting.
 *
 * @param {import("./bounty.js").Bounty} bounty
 * @param {import("./types.js").Device} device Put into the store under "device" first.
 * @param {import("./types.js").Store} store Of this bounty alone.
 * @param {object} options
 * @param {import("./joining.js").Wish} [options.wish] Needed the first time.
 * @param {(run: import("./types.js").Run, keys: Record<number, string>) =>
 *   Promise<{answers: Record<number, number | string>, notes?: object}>} options.label Resolves when the
 *   labeler says that they have finished; asked again after a reload.
 * @param {import("./types.js").AskWallet} [options.askWallet] Where a wallet's account labels:
 *   asked for Join and Commit, once each.
 * @param {(seconds: number) => Promise<void>} [options.wait]
 * @returns {AsyncGenerator<Step>} A trouble that passes is the step before, with `trouble`.
 * @throws {Refusal} Something is wrong for good: do not label; the message says what.
 */
export async function* labelingSteps(bounty, device, store, options) {
  const sitting = new Sitting(bounty, device, store, options);
  await sitting.keepDevice();
  for (let outcome = "reseeded"; outcome === "reseeded"; ) {
    const signed = yield* sitting.untilSigned();
    outcome = signed ? yield* sitting.untilConfirmed(signed) : "missed";
    if (outcome !== "final") continue;
    yield* sitting.untilReleased(signed);
    yield* sitting.untilAcknowledged(signed);
  }
}

class Sitting {
  constructor(bounty, device, store, { wish, label, askWallet, wait = sleep }) {
    Object.assign(this, { bounty, device, store, label, wait, wanted: wish });
    this.sign = signing(bounty, device, askWallet);
    this.pause = Math.min(Math.max(bounty.host.block_time / 4, 0.5), 4);
  }

  async keepDevice() {
    if (await this.store.add("device", this.device)) return;
    const { address, signer } = await this.store.get("device");
    if (address !== this.device.address || signer !== this.device.signer) {
      throw new Refusal("another key has begun this sitting; reload this page");
    }
  }

  /**
   * Do something until it works; in between, say what is in the way.
   * @template T
   * @param {Step} step @param {() => Promise<T | undefined>} attempt Undefined: not yet.
   * @param {boolean} [isSigned] Then a refusal ends nothing: the labels are to be paid.
   * @returns {AsyncGenerator<Step, T>}
   */
  async *until(step, attempt, isSigned = false) {
    for (let last = ""; ; ) {
      let trouble;
      try {
        const found = await attempt();
        if (found !== undefined) return found;
      } catch (error) {
        const known = ofWhom(error);
        if (!(known instanceof Unavailable || (isSigned && known instanceof Refusal))) throw error;
        trouble = known.message;
      }
      const shown = { ...step, ...(trouble && { trouble }) };
      if (JSON.stringify(shown) !== last) yield shown;
      last = JSON.stringify(shown);
      await this.wait(this.pause);
    }
  }

  // ------------------------------------------------------------------ up to the signature

  async *untilSigned() {
    while (true) {
      const begun = yield* this.untilStarted();
      if (!begun) return undefined;
      const { run, keys } = begun;
      const before = await findSigned(run, this.store);
      if (before) return before;
      yield { step: "started", says: "label the items", run, until: run.lastCall };
      const { answers, notes } = await this.label(run, keys);
      const labeled = { step: "labeled", says: "sealing your labels", run };
      yield labeled;
      // Labels are sealed only under a roster and a seed that the chain holds just now.
      const fresh = yield* this.until(labeled, () => myRun(this.bounty, this.device, this.wish));
      if (fresh.seed === run.seed && fresh.worker === run.worker) {
        return sealAnswers(this.bounty, this.device, fresh, answers, this.store, notes, this.sign);
      }
      await this.store.put("run", null); // the chain was reorganised: there are other items
    }
  }

  async *untilStarted() {
    this.wish = await this.store.get("wish");
    const kept = await this.store.get("run");
    if (this.wish && kept && (await this.isCurrent(kept))) return kept;
    if (!this.wish) {
      if (!this.wanted) throw new Refusal("join first: say who is to be paid, and how many batches");
      const joining = { step: "joining", says: "asking for a place" };
      yield* this.until(joining, async () => {
        await requireJoinable(this.bounty, this.device);
        return true;
      });
      this.wish = { ...this.wanted };
      await this.store.put("wish", this.wish);
    }
    const begun = yield* this.untilPlaced();
    if (begun) await this.store.put("run", begun);
    return begun;
  }

  /**
   * Whether a run that was checked before can go on: it can where there is no network, for it is
   * checked again before anything is signed.
   */
  async isCurrent({ run }) {
    if (await findSigned(run, this.store)) return true;
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, 1000 * PATIENCE);
    });
    const looking = look(this.bounty).catch(passing);
    looking.catch(() => {}); // who comes late is heard by nobody
    const seen = await Promise.race([looking, late]).finally(() => clearTimeout(timer));
    if (!seen) return true;
    return seen.status === Status.LABEL && seen.seed === run.seed && seen.early <= run.lastCall;
  }

  /** Ask for the place until the roster shows it and labeling begins. */
  async *untilPlaced() {
    const { bounty, device } = this;
    for (let last = ""; ; ) {
      let shown = { step: "joining", says: "asking for a place" };
      try {
        const seen = await look(bounty);
        if (seen.status === Status.OPEN) shown = await this.askForPlace(seen);
        else if (seen.status === Status.DRAWN) {
          shown = { step: "joined", says: "everybody has joined; the draw is next" };
        } else if (seen.status === Status.LABEL) {
          const run = runOf(bounty, seen, device, this.wish);
          const signed = await findSigned(run, this.store);
          if (!signed && seen.early > run.lastCall) {
            yield { step: "missed", says: "there is no time left to label here" };
            return undefined;
          }
          return { run, keys: signed ? {} : await itemKeys(bounty, device, run) };
        } else {
          yield* this.afterwards(seen);
          return undefined;
        }
      } catch (error) {
        const known = ofWhom(error);
        if (!(known instanceof Unavailable)) throw error;
        shown = { ...shown, trouble: known.message };
      }
      if (JSON.stringify(shown) !== last) yield shown;
      last = JSON.stringify(shown);
      await this.wait(this.pause);
    }
  }

  async askForPlace(seen) {
    const until = seen.mark + this.bounty.terms.join_seconds;
    const isPlaced = seen.rows.some((row) => row.signer === labelerOf(this.device));
    if (isPlaced) return { step: "joined", says: "you have your place; labeling begins when all have come", until };
    let state;
    try {
      if (!this.wish.signature) {
        this.wish = await signWish(this.bounty, this.device, this.wish, this.sign);
        await this.store.put("wish", this.wish);
      }
      state = await join(this.bounty, this.device, this.wish);
    } catch (error) {
      // A refused wish is forgotten, unless the relay has noted one; another code may do.
      const isRefused = error instanceof Refusal;
      if (isRefused && !(await joinState(this.bounty, this.device).catch(() => true))) {
        await this.store.put("wish", null);
      }
      throw error;
    }
    const by = state.state === "waiting" ? state.enrolls_by : null;
    return { step: "joined", says: "the relay puts you on the roster", until: by ?? until };
  }

  /** The bounty was scored or has ended before anything was signed here. */
  async *afterwards(seen) {
    const isRefunded = seen.status === Status.REFUNDED;
    const isElsewhere = !isRefunded && (await this.standsHere(seen));
    const says = isElsewhere
      ? "labels stand on the chain for you that this browser does not have: open the page in the browser" +
        " from which you sent them, or read in a recovery file that was saved there after sealing"
      : isRefunded ? "this bounty did not take place" : "labeling is over";
    yield { step: "missed", says, ...(isElsewhere && { isElsewhere }) };
  }

  /** Whether labels stand on the chain for the row of who labels here. */
  async standsHere(seen) {
    const worker = seen.rows.findIndex((row) => row.signer === labelerOf(this.device));
    if (worker < 0) return false;
    const { standing } = await look(this.bounty, { worker });
    return Boolean(standing(worker));
  }

  // ------------------------------------------------------------------ up to the chain

  /** @returns {AsyncGenerator<Step, "final" | "missed" | "reseeded">} */
  async *untilConfirmed(signed) {
    if ((await this.store.get("final")) === signed.commitment) return "final";
    let leftWith = await this.store.get("left");
    for (let last = ""; ; ) {
      leftWith ??= await this.leave(signed);
      const { found, postsBy, trouble } = await this.lookAfter(signed);
      switch (found?.state) {
        case "final":
        case "over":
          await this.store.put("final", signed.commitment);
          return "final";
        case "reseeded":
          await this.store.put("run", null);
          await this.store.put("left", null);
          return "reseeded";
        case "lost":
          yield { step: "missed", says: "your commit is not on the chain and can no longer come there" };
          return "missed";
        default:
      }
      const shown = {
        step: "committed",
        says: "waiting until your commit is on the chain",
        ...(postsBy && { until: postsBy }),
        ...(leftWith && { leftWith }),
        ...(trouble && { trouble }),
      };
      if (JSON.stringify(shown) !== last) yield shown;
      last = JSON.stringify(shown);
      await this.wait(this.pause);
    }
  }

  /**
   * Give the commit to the relay, and see whether it stands. What is signed is never given up for
   * what a relay says: every trouble passes, until time is over.
   */
  async lookAfter(signed) {
    const after = {};
    const note = async (attempt) => {
      try {
        return await attempt();
      } catch (error) {
        const known = ofWhom(error);
        if (!(known instanceof Unavailable || known instanceof Refusal)) throw error;
        after.trouble ??= known.message;
        return undefined;
      }
    };
    // First of all: whether the relay shows the chain's rows is another matter.
    const by = (await note(() => sendCommit(this.bounty, signed)))?.posts_by;
    after.postsBy = Number.isSafeInteger(by) ? by : undefined;
    after.found = await note(() => commitState(this.bounty, signed));
    if (after.found?.state === "differs") {
      const until = new Date(after.found.until * 1000).toLocaleTimeString();
      after.trouble = `the relay posted something else for you, or nothing; a watch node must replace it by ${until}`;
    }
    return after;
  }

  /** Leave commit and sealed file with watch nodes, so that the page may be closed. */
  async leave(signed) {
    const { taken } = await deposit(this.bounty, signed);
    if (!taken.length) return undefined;
    await this.store.put("left", taken);
    return taken;
  }

  // ------------------------------------------------------------------ handing out

  async *untilReleased(signed) {
    const { oneSource } = this.bounty.chain;
    const step = { step: "confirmed", says: "handing out your labels", ...(oneSource && { oneSource }) };
    yield step;
    if ((await this.store.get("given")) === signed.commitment) return;
    yield* this.until(step, () => this.release(signed), true);
    await this.store.put("given", signed.commitment);
  }

  /** Once the bounty was scored, nobody takes labels any more, and the score comes first. */
  async release(signed) {
    if ((await commitState(this.bounty, signed)).state === "over") return [];
    return release(this.bounty, signed);
  }

  async *untilAcknowledged(signed) {
    const step = { step: "released", says: "waiting for the requester to sign for your labels" };
    yield step;
    const name = `acknowledged/${signed.commitment}`;
    let signature = await this.store.get(name);
    if (!signature) {
      signature = yield* this.until(step, async () => {
        const found = await acknowledged(this.bounty, signed);
        if (found) return found;
        const { state, isPosted } = await commitState(this.bounty, signed);
        return isPosted || state === "over" ? "" : undefined;
      }, true);
      if (signature) await this.store.put(name, signature);
    }
    const says = signature
      ? "the requester has signed for your labels; you are paid by their score"
      : "your labels are delivered; you are paid by their score";
    yield { step: "done", says };
  }
}

/** Values of another kind than was asked for come from a stranger; what the store throws does not. */
function ofWhom(error) {
  return error instanceof TypeError || error instanceof RangeError ? ofStranger(error, "a server") : error;
}

/** What passes by itself is no word against anything. */
function passing(error) {
  if (ofWhom(error) instanceof Unavailable) return undefined;
  throw error;
}

function sleep(seconds) {
  return new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
}
