// SPDX-License-Identifier: Apache-2.0
// Requests with a limit of time and size; whoever answers is a stranger.

import { Refusal, Unavailable } from "./errors.js";

const BUSY = new Set([408, 409, 425, 429, 500, 502, 503, 504]);
const SECONDS = 60;
/** Bytes of an answer in JSON. */
export const MAX_REPLY = 8 << 20;

/**
 * @param {typeof fetch} fetcher @param {string} url
 * @param {{method?: string, json?: unknown, bytes?: Uint8Array, limit?: number, who?: string,
 *   signal?: AbortSignal}} [options] With a signal: when nobody needs the answer any more.
 * @returns {Promise<Uint8Array>}
 * @throws {Unavailable} Nobody answers, or not now; 404 too.
 * @throws {Refusal} It is refused for good.
 */
export async function request(fetcher, url, options = {}) {
  const { method = "GET", json, bytes, limit = MAX_REPLY, who = new URL(url).host } = options;
  const late = AbortSignal.timeout(SECONDS * 1000);
  const signal = options.signal ? AbortSignal.any([options.signal, late]) : late;
  const init = { method, redirect: "error", credentials: "omit", signal };
  if (json !== undefined) {
    init.headers = { "Content-Type": "application/json" };
    init.body = JSON.stringify(json);
  } else if (bytes !== undefined) {
    init.headers = { "Content-Type": "application/octet-stream" };
    init.body = bytes;
  }
  let reply;
  try {
    reply = await fetcher(url, init);
    const data = await read(reply, limit);
    if (data === undefined) throw new Refusal(`${who} answers with more than was asked for`);
    if (reply.ok) return data;
    throw refusal(who, reply.status, data);
  } catch (error) {
    if (error instanceof Refusal || error instanceof Unavailable) throw error;
    throw new Unavailable(`${who} does not answer; trying again`);
  }
}

/** @returns {Promise<any>} What `request` gives, as a record or list of JSON. */
export async function requestJson(fetcher, url, options = {}) {
  const data = await request(fetcher, url, options);
  let value;
  try {
    value = JSON.parse(new TextDecoder().decode(data));
  } catch {
    value = null;
  }
  if (typeof value === "object" && value !== null) return value;
  throw new Unavailable(`${new URL(url).host} does not answer as it should; trying again`);
}

/**
 * Wait for a stranger so long and no longer; what comes late is heard by nobody.
 * @template T
 * @param {number} seconds @param {Promise<T>} asked @param {string} who
 * @returns {Promise<T>}
 * @throws {Unavailable} It is late.
 */
export async function within(seconds, asked, who) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Unavailable(`${who} does not answer; trying again`)), 1000 * seconds);
  });
  asked.catch(() => {});
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

async function read(reply, limit) {
  const parts = [];
  let length = 0;
  const reader = reply.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      return undefined;
    }
    parts.push(value);
  }
  const data = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}

function refusal(who, status, data) {
  let said = `HTTP status ${status}`;
  try {
    const { error } = JSON.parse(new TextDecoder().decode(data));
    if (typeof error === "string" && error) said = oneLine(error);
  } catch {
    // no JSON: the status has to do
  }
  const message = `${who} says: ${said}`;
  if (BUSY.has(status) || status === 404) return new Unavailable(message, status);
  return new Refusal(message);
}

/** @param {string} text Of a stranger. @returns {string} At most 300 letters on one line. */
export function oneLine(text) {
  return text.replace(/[\p{C}\p{Z}]+/gu, " ").trim().slice(0, 300);
}
