// SPDX-License-Identifier: Apache-2.0
// CIDs of files as Kubo makes them: raw leaves of 1 MiB, a balanced tree of 1,024 links a node.

import { concat } from "./bytes.js";
import { sha256 } from "./hash.js";

const RAW = 0x55;
const DAG_PB = 0x70;
const CHUNK = 1 << 20;
const LINKS = 1024;
const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";

/** @param {Uint8Array} data @returns {string} The CID of a file. */
export function cidOf(data) {
  let level = [];
  for (let at = 0; at < data.length || at === 0; at += CHUNK) {
    const piece = data.subarray(at, at + CHUNK);
    const cid = cidBytes(RAW, sha256(piece));
    level.push({ cid, fileSize: piece.length, treeSize: piece.length });
  }
  while (level.length > 1) {
    const next = [];
    for (let at = 0; at < level.length; at += LINKS) next.push(node(level.slice(at, at + LINKS)));
    level = next;
  }
  return toText(level[0].cid);
}

function node(links) {
  const parts = [];
  for (const link of links) {
    const body = concat(
      new Uint8Array([0x0a, 0x24]),
      link.cid,
      new Uint8Array([0x12, 0x00, 0x18]),
      varint(link.treeSize),
    );
    parts.push(new Uint8Array([0x12]), varint(body.length), body);
  }
  const fileSize = links.reduce((sum, link) => sum + link.fileSize, 0);
  const data = concat(
    new Uint8Array([0x08, 0x02, 0x18]),
    varint(fileSize),
    ...links.flatMap((link) => [new Uint8Array([0x20]), varint(link.fileSize)]),
  );
  const block = concat(...parts, new Uint8Array([0x0a]), varint(data.length), data);
  const treeSize = block.length + links.reduce((sum, link) => sum + link.treeSize, 0);
  return { cid: cidBytes(DAG_PB, sha256(block)), fileSize, treeSize };
}

function cidBytes(codec, digest) {
  return concat(new Uint8Array([1, codec, 0x12, 0x20]), digest);
}

function varint(value) {
  const bytes = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return new Uint8Array([...bytes, rest]);
}

function toText(bytes) {
  let text = "b";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += LETTERS[(held >> bits) & 31];
    }
  }
  return bits ? text + LETTERS[(held << (5 - bits)) & 31] : text;
}
