// SPDX-License-Identifier: Apache-2.0
/** A notice and a sound when labeling starts, for who asked for them. */

/** Of the service worker that may show notices. */
const SCOPE = "/label/";
const PATIENCE_MS = 5_000;
/** A later notice takes the place of an earlier one. */
const TAG = "truthmark-label";

/** @typedef {(title: string, options: NotificationOptions) => unknown} Show */

export class Notices {
  constructor() {
    /** @private */ this._wanted = false;
    /** @private @type {AudioContext | null} */ this._audio = null;
    /** @private @type {Show | null} */ this._show = null;
  }

  /**
   * Called from a click, without which browsers allow neither.
   * @param {boolean} wanted
   * @returns {Promise<boolean>} whether a notice will be shown, beside the sound
   */
  async want(wanted) {
    this._wanted = wanted;
    if (!wanted) return false;
    try {
      this._audio ??= new AudioContext();
      if ((await Notification.requestPermission()) !== "granted") return false;
      this._show = await findShow();
    } catch {
      return false; // such as a browser without notices
    }
    return this._show !== null;
  }

  /** @param {string} title @param {string} text */
  async tell(title, text) {
    if (!this._wanted) return;
    this._wanted = false;
    this._ring();
    try {
      await this._show?.(title, { body: text, tag: TAG, data: location.href });
    } catch {
      // Taken back meanwhile, in the browser's settings; the sound was made.
    }
  }

  /** @private */
  _ring() {
    const audio = this._audio;
    if (!audio) return;
    [660, 880].forEach((pitch, at) => {
      const [tone, volume] = [audio.createOscillator(), audio.createGain()];
      const start = audio.currentTime + at * 0.25;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.15, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.4);
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.4);
    });
  }
}

/**
 * How this browser shows notices. Phones do so by a service worker alone; that a page is permitted
 * to says nothing there, so it is tried.
 * @returns {Promise<Show | null>} null where it shows none
 */
async function findShow() {
  const found = await navigator.serviceWorker?.getRegistration(SCOPE);
  // Of a page that was just opened it may still be on its way.
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  if (found && !found.active) await Promise.race([navigator.serviceWorker.ready, late]);
  if (found?.active) return (title, options) => found.showNotification(title, options);
  try {
    new Notification("", { silent: true, tag: TAG }).close();
    return (title, options) => new Notification(title, options);
  } catch {
    return null;
  }
}
