// SPDX-License-Identifier: Apache-2.0
/** A notice and a sound when labeling starts, for who asked for them. */

export class Notices {
  constructor() {
    /** @private */ this._wanted = false;
    /** @private @type {AudioContext | null} */ this._audio = null;
  }

  /** Called from a click, without which browsers allow neither. @param {boolean} wanted */
  async want(wanted) {
    this._wanted = wanted;
    if (!wanted) return false;
    try {
      this._audio ??= new AudioContext();
      return (await Notification.requestPermission()) === "granted";
    } catch {
      return false;
    }
  }

  /** @param {string} title @param {string} text */
  tell(title, text) {
    if (!this._wanted) return;
    this._wanted = false;
    this._ring();
    try {
      if (Notification.permission === "granted") new Notification(title, { body: text });
    } catch {
      // Phones show none without a service worker's help; the sound was made.
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
