// SPDX-License-Identifier: Apache-2.0
// A small bounty, its relay and two sources of the chain, all within `fetch`; a test bends them.

import { concat, fromHex, toBigInt, toHex, uint, utf8, word } from "../../truthmark/web/src/core/bytes.js";
import { bytesOf, listOf, tuple, words } from "../../truthmark/web/src/core/abi.js";
import { calldata } from "../../truthmark/web/src/core/board.js";
import { cidOf } from "../../truthmark/web/src/core/cid.js";
import { addressOf, multiply, sign } from "../../truthmark/web/src/core/curve.js";
import { canonical } from "../../truthmark/web/src/core/document.js";
import { keccak, sha256 } from "../../truthmark/web/src/core/hash.js";
import { itemsOf } from "../../truthmark/web/src/core/permutation.js";
import { readCommits, readRoster } from "../../truthmark/web/src/core/roster.js";
import { readScore } from "../../truthmark/web/src/core/score.js";
import { readTerms, termsWords } from "../../truthmark/web/src/core/terms.js";
import { digest, typedData } from "../../truthmark/web/src/core/typed.js";

export const BASE = "https://page.example";
export const RELAY = "https://relay.example";
export const OTHER = "https://rpc.example";
export const WATCH = "https://watch.example";
export const PAYEE = `0x${"ab".repeat(20)}`;
export const BOARD = `0x${"b0".repeat(20)}`;
const RELAY_ACCOUNT = `0x${"4e".repeat(20)}`;
const RECEIVER_KEY = fromHex(`0x${"5c".repeat(32)}`);
export const SEED = `0x${"33".repeat(32)}`;
const SECRETS = Array.from({ length: 12 }, (_, i) => sha256(utf8(`key ${i}`)));
const MARK = 1_000;
const GENESIS = `0x${"00".repeat(31)}01`;
export const ID = 7;

const selector = (signature) => toHex(calldata(signature));
const [STATE, TERMS, CONTEXT, INTAKE, PROOFS, BALANCES] = [
  "state(uint256)",
  "terms_hashes(uint256)",
  "context(uint256,uint256,uint256,uint256)",
  "intake()",
  "proofs()",
  "balances(address,address)",
].map(selector);
const [SCORE_GOLD, SCORE_ENTRIES, ENROLLED, COMMITTED, LIE_PROVEN] = [
  "ScoreGold(uint256,bytes32,bytes,bytes)",
  "ScoreEntries(uint256,bytes)",
  "Enrolled(uint256,uint256,uint256,uint256,uint256)",
  "Committed(uint256,uint256,uint256,uint256)",
  "LieProven(uint256,uint256,address,uint256)",
].map((event) => toHex(keccak(utf8(event))));
export const PROVER = `0x${"9f".repeat(20)}`;

export class World {
  /** Make it: three items a seat, four seats, a team's bounty unless gold is asked for. */
  static async make({ isTeam = true, isLocal = false, more = {} } = {}) {
    const world = new World();
    await world.write(isTeam, more);
    const watch = [{ url: WATCH }];
    world.host = {
      ...{ chain_id: 1, board: BOARD, genesis: GENESIS, confirmations: 2, block_time: 12 },
      ...{ is_local: isLocal, rpc: "/rpc", endpoints: [OTHER], relays: [RELAY], watch, tokens: [] },
    };
    world.status = 1;
    world.seed = SEED;
    world.now = MARK + 10;
    world.roster = [[]];
    world.commits = [];
    world.overrides = {};
    world.sent = [];
    world.bent = {};
    return world;
  }

  async write(isTeam, more) {
    const items = [];
    for (const [i, secret] of SECRETS.entries()) {
      const key = await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["encrypt"]);
      const plain = concat(new Uint8Array([0]), utf8(`text ${i}`));
      const iv = new Uint8Array(12);
      items.push(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain)));
    }
    items.push(concat(new Uint8Array([0]), utf8("an example")));
    let offset = 0;
    const entries = items.map((stored) => {
      const entry = concat(uint(offset, 8), uint(stored.length, 4), sha256(stored));
      offset += stored.length;
      return entry;
    });
    this.items = items;
    this.manifest = concat(utf8("TMKI"), new Uint8Array([1, 1]), uint(12, 4), uint(1, 4), ...entries);
    this.document = utf8(
      canonical({
        format: "truthmark/bounty/1",
        title: "Cats",
        guidelines: "Say who it is.",
        classes: [{ name: "cat", key: "" }, { name: "dog", key: "d" }],
        kind: "text",
        items: {
          ...{ count: 12, shown: 1, manifest: cidOf(this.manifest) },
          ...{ data: cidOf(concat(...items)), encrypted: true },
        },
        examples: [0],
        practice: [{ item: 0, answer: 1, explanation: "It is one." }],
        licence: "CC0-1.0",
        flags: [],
        relay_urls: [RELAY],
        receiver_urls: [],
        watch: [{ url: RELAY, key: `0x${"66".repeat(32)}` }],
        post_rows: null,
        post_seconds: 120,
        seconds_per_item: null,
        gold_against: false,
        wave_of: null,
        max_labels_each: null,
      }),
    );
    const key = multiply(0xb0bn);
    const account = (address) => BigInt(address).toString();
    const gold = isTeam ? 0 : 12;
    const texts = {
      requester: "1",
      token: "2",
      relay: account(RELAY_ACCOUNT),
      receiver: account(addressOf(RECEIVER_KEY)),
      gate: "0",
      gold_commitment: `0x${(isTeam ? "00" : "90").repeat(32)}`,
      document: toHex(sha256(this.document)),
      salt: `0x${"07".repeat(32)}`,
      key_x: String(key.x),
      key_y: String(key.y),
      ...{ items: 12, classes: 2, rounds: isTeam ? 1 : 4, batch: 3, gold_count: gold },
      ...{ full: isTeam ? 0 : 3, min_seats: isTeam ? 2 : 11, min_run: isTeam ? 1 : 4, max_run: 4 },
      ...{ price: 100, bond: isTeam ? 0 : 10_000, reward: 0, relay_fee: 1, tip: 1 },
      ...{ post_call_fee: 1, post_worker_fee: 1, post_seat_fee: 1, fee_bps: 0 },
      ...{ join_seconds: 3600, label_seconds: 3600, grace_seconds: 600 },
      ...{ release_seconds: 600, score_seconds: 3600, challenge_seconds: 3600 },
      ...more,
    };
    this.texts = Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, String(value)]));
    this.terms = readTerms(this.texts);
    this.ref = { chainId: 1, board: BOARD, bountyId: ID };
  }

  // ------------------------------------------------------------------ what happens

  /** Put a labeler on the roster, behind another, and draw the seed. */
  enroll(device, { payee = PAYEE, rows = [{}] } = {}) {
    const row = ({ signer = device.address, to = payee, seats = 4 }) =>
      concat(fromHex(signer), fromHex(to), new Uint8Array([seats]));
    this.roster = [[toHex(concat(...rows.map(row)))]];
    this.status = 3;
  }

  /** Put a commit on chain. */
  post({ worker, seats, commitment }) {
    this.commits.push([toHex(concat(uint(worker, 2), uint(seats, 1), fromHex(commitment)))]);
  }

  /** Score it: gold, entries and lines as they are posted, true or not. */
  score(posted, status = 4) {
    this.scored = readScore(this.terms, posted).hash;
    this.status = status;
    const log = (event, parts, logIndex) => ({
      ...{ transactionHash: toHex(word(5)), logIndex: toHex(uint(logIndex, 1)) },
      ...{ topics: [event, toHex(word(ID))], data: toHex(tuple(parts).data) },
    });
    this.logs = [
      log(SCORE_GOLD, [words(0), bytesOf(posted.gold), bytesOf(posted.lines)], 1),
      log(SCORE_ENTRIES, [bytesOf(posted.entries)], 0),
    ];
  }

  /** Disprove it: the board keeps something for who did. */
  prove(account, held) {
    this.status = 10;
    this.held = held;
    const topics = [LIE_PROVEN, toHex(word(ID)), toHex(word(0)), toHex(word(account))];
    this.logs.push({ topics, data: toHex(word(1)), transactionHash: toHex(word(6)), logIndex: "0x0" });
  }

  acknowledge(signed) {
    const { worker, commitment } = signed;
    const data = typedData(this.ref, "Acknowledged", { terms_hash: this.terms.hash, worker, commitment });
    this.acknowledgement = toHex(sign(digest(data), RECEIVER_KEY));
  }

  // ------------------------------------------------------------------ who is asked

  /** Bend what is answered to a path: `bent["…/terms"] = (honest) => other`. */
  fetch = async (url, init = {}) => {
    const { origin, pathname } = new URL(url);
    const method = init.method ?? "GET";
    const isQuestion = pathname === "/rpc" || origin === OTHER;
    if (method !== "GET" && !isQuestion) this.sent.push(`${method} ${origin}${pathname}`);
    if (isQuestion) return this.rpc(origin, JSON.parse(init.body));
    const path = pathname.replace(`/v1/bounties/${ID}`, "…");
    const honest = this.answer(origin, path, init);
    const bend = this.bent[`${origin} ${path}`] ?? this.bent[path];
    const found = bend ? bend(honest, init) : honest;
    if (found instanceof Response) return found;
    if (found === undefined) return Response.json({ error: "nothing is here" }, { status: 404 });
    return found instanceof Uint8Array ? new Response(found) : Response.json(found);
  };

  answer(origin, path, init) {
    const body = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    if (path === `/label/host/${ID}`) return this.host;
    if (path === "/v1/relay") return { chain_id: 1, board: BOARD, account: RELAY_ACCOUNT };
    if (path === "…/terms") return this.texts;
    if (path === "…/document") return this.document;
    if (path === "…/manifest") return this.manifest;
    if (path.startsWith("…/items/")) return this.items[Number(path.split("/")[2])];
    if (path === "…/roster") return { calls: this.roster, block: 9 };
    if (path === "…/commits" && init.method === "POST") return { state: "waiting", posts_by: this.now + 60 };
    if (path === "…/commits") return { calls: this.commits, block: 9 };
    if (path === "…/joins") return { state: "waiting", payee: body.payee, enrolls_by: null };
    if (path === "…/keys") return { keys: Object.fromEntries(SECRETS.map((key, i) => [i, toHex(key)])) };
    if (path.startsWith("…/files/")) return new Response(null, { status: 204 });
    if (path.startsWith("…/acknowledgements/")) {
      return this.acknowledgement && { signature: this.acknowledgement };
    }
    if (path.startsWith("…/deposits/")) return { commitment: body.commitment };
    return undefined;
  }

  rpc(origin, asked) {
    const lies = this.bent[`${origin} chain`] ?? ((_, honest) => honest);
    return Response.json(
      asked.map(({ id, method, params }) => {
        const result = lies({ method, params }, this.chain(method, params), this);
        return { jsonrpc: "2.0", id, result };
      }),
    );
  }

  chain(method, [first]) {
    if (method === "eth_chainId") return "0x1";
    if (method === "eth_getBlockByNumber") {
      const number = first === "latest" ? 9 : Number(first);
      const hash = number ? toHex(word(number)) : GENESIS;
      return { number: `0x${number.toString(16)}`, hash, timestamp: `0x${this.now.toString(16)}` };
    }
    if (method === "eth_getLogs") {
      const wanted = [first.topics[0]].flat();
      return [...(this.logs ?? []), ...this.history()].filter(({ topics }) => wanted.includes(topics[0]));
    }
    if (method === "eth_getTransactionByHash") {
      return this.history().find(({ transactionHash }) => transactionHash === first) ?? null;
    }
    const data = fromHex(first.data);
    const at = (i) => Number(toBigInt(data.subarray(4 + 32 * i, 36 + 32 * i)));
    switch (toHex(data.subarray(0, 4))) {
      case TERMS:
        return this.terms.hash;
      case STATE:
        return toHex(this.state());
      case CONTEXT:
        return toHex(this.context(at(1), at(2)));
      case INTAKE:
      case PROOFS:
        return toHex(word(PROVER));
      case BALANCES:
        return toHex(word(at(1) === Number(PAYEE) ? this.held : 0));
      default:
        return "0x";
    }
  }

  /** The calls that brought roster and commits, each with what it logged. */
  history() {
    const kinds = [[ENROLLED, this.roster], [COMMITTED, this.commits]];
    return kinds.flatMap(([event, calls], kind) =>
      calls.map((chunks, n) => {
        const list = listOf(chunks.map((chunk) => bytesOf(fromHex(chunk))));
        const terms = { isDynamic: false, data: termsWords(this.terms) };
        const input = concat(new Uint8Array(4), tuple([words(ID), terms, list, words(0)]).data);
        const topics = [event, toHex(word(ID))];
        const transactionHash = toHex(word(1_000 * (kind + 1) + n));
        return { topics, data: toHex(concat(word(n), word(9), word(9), word(9))), transactionHash, input: toHex(input) };
      }),
    );
  }

  state() {
    const { rows, position } = readRoster(this.roster);
    const calls = [this.roster.length, this.commits.length];
    const counts = [0, 0, Object.keys(this.overrides).length, 0, 0, 0];
    const all = [this.status, MARK, position, position, rows.length, ...calls, ...counts];
    return concat(...all.map(word));
  }

  context(worker, call) {
    const zero = new Uint8Array(32);
    const hash = (hashes) => (hashes[call] ? fromHex(hashes[call]) : zero);
    const { standing, hashes } = readCommits(this.commits);
    const override = this.overrides[worker];
    const seed = this.status >= 3 ? fromHex(this.seed) : zero;
    return concat(
      ...[fromHex(this.terms.hash), seed, zero, hash(readRoster(this.roster).hashes), hash(hashes)],
      ...[this.scored ? fromHex(this.scored) : zero, override ? fromHex(override.commitment) : zero],
      word((override ?? standing.get(worker))?.seats ?? 0),
      zero,
    );
  }

  /** Of all items of a run, as a labeler would. */
  answers(run) {
    return Object.fromEntries(run.items.map(({ item }) => [item, item % 2]));
  }

  itemsOfRun(seats = 4) {
    return itemsOf(fromHex(this.seed), this.terms, 0, seats);
  }
}
