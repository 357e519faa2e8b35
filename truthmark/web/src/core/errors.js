// SPDX-License-Identifier: Apache-2.0
// What goes wrong, in one line that says what and what to do.

/** Something is not as it must be: do not label, or do what the message says. */
export class Refusal extends Error {
  name = "Refusal";
}

/**
 * What went wrong with an answer of a stranger, as one of ours: a value of another kind than was
 * asked for makes the engine's own errors, and means no more than that this one is of no use.
 * @param {unknown} error @param {string} who @returns {Refusal | Unavailable}
 */
export function ofStranger(error, who) {
  if (error instanceof Refusal || error instanceof Unavailable) return error;
  return new Unavailable(`${who} answers what cannot be read; trying again`, 0, error);
}

/** Somebody does not answer, or not yet; try again later. Nothing is lost. */
export class Unavailable extends Error {
  name = "Unavailable";

  /** @param {string} message @param {number} [status] Of HTTP, 0 where there was no answer. @param {unknown} [cause] */
  constructor(message, status = 0, cause = undefined) {
    super(message, { cause });
    this.status = status;
  }
}
