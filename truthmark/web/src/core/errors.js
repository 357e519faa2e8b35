// SPDX-License-Identifier: Apache-2.0
// What goes wrong, in one line that says what and what to do.

/** Something is not as it must be: do not label, or do what the message says. */
export class Refusal extends Error {
  name = "Refusal";
}

/** Somebody does not answer, or not yet; try again later. Nothing is lost. */
export class Unavailable extends Error {
  name = "Unavailable";

  /** @param {string} message @param {number} [status] Of HTTP, 0 where there was no answer. */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}
