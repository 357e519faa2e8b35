// SPDX-License-Identifier: Apache-2.0
// A wallet of the browser: what it declines, changes or hides meanwhile never moves money wrongly.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chainOf, connect, follow, send, signTyped, switchTo, WalletError } from "../../truthmark/web/src/wallet/sending.js";

const ME = `0x${"aB".repeat(20)}`;
const HASH = `0x${"12".repeat(32)}`;
const CHAIN = { id: 11155111, name: "sepolia", currency: "ETH", confirmations: 2, rpc: ["https://rpc.example"] };
const WATCH = { told: () => {}, wait: async () => {} };
const CALL = { to: `0x${"b0".repeat(20)}`, data: "0x1234" };

const DONE = { eth_getTransactionReceipt: { blockNumber: "0x3", status: "0x1" }, eth_blockNumber: "0x9" };

/** A wallet that answers from a table, and notes what it was asked. */
function wallet(answers = {}) {
  const asked = [];
  const honest = { eth_accounts: [ME], eth_requestAccounts: [ME], eth_chainId: "0xaa36a7", eth_sendTransaction: HASH, ...DONE };
  const request = async ({ method, params }) => {
    asked.push([method, params]);
    const found = { ...honest, ...answers }[method];
    const value = typeof found === "function" ? found(params) : found;
    if (value instanceof Error) throw value;
    return value;
  };
  return { request, asked };
}

const error = (code, message = "no\n\u0007 way") => Object.assign(new Error(message), { code });

const says = (kind, pattern) => (problem) => {
  assert.ok(problem instanceof WalletError, String(problem.stack));
  assert.equal(problem.kind, kind);
  assert.match(problem.message, pattern);
  assert.doesNotMatch(problem.message, /[\n\u0007]/);
  return true;
};

test("a transaction goes out for the account and the network it was prepared for", async () => {
  const mine = wallet();
  assert.equal(await connect(mine), ME.toLowerCase());
  assert.equal(await chainOf(mine), CHAIN.id);
  assert.equal(await send(mine, ME.toLowerCase(), CHAIN, [CALL], WATCH), HASH);
  const [, [sent]] = mine.asked.find(([method]) => method === "eth_sendTransaction");
  assert.deepEqual(sent, { from: ME.toLowerCase(), ...CALL, value: "0x0" });
});

test("whatever changed meanwhile, nothing is sent", async () => {
  const other = `0x${"cd".repeat(20)}`;
  const tries = [
    [{ eth_accounts: [other] }, "account", /Another account/],
    [{ eth_accounts: [] }, "account", /unlock it/],
    [{ eth_accounts: ["<b>"] }, "account", /unlock it/],
    [{ eth_accounts: null }, "account", /unlock it/],
    [{ eth_chainId: "0x1" }, "network", /another network than sepolia/],
    [{ eth_chainId: "x" }, "network", /another network/],
  ];
  for (const [answers, kind, pattern] of tries) {
    const lying = wallet(answers);
    await assert.rejects(send(lying, ME, CHAIN, [CALL], WATCH), says(kind, pattern));
    assert.ok(lying.asked.every(([method]) => method !== "eth_sendTransaction"));
  }
});

test("what the wallet declines or answers is said on one line", async () => {
  const declined = wallet({ eth_sendTransaction: error(4001) });
  await assert.rejects(send(declined, ME, CHAIN, [CALL], WATCH), says("declined", /nothing was sent/));
  const failing = wallet({ eth_sendTransaction: error(-32000) });
  await assert.rejects(send(failing, ME, CHAIN, [CALL], WATCH), says("wallet", /says: no way$/));
  const odd = wallet({ eth_sendTransaction: "0x12" });
  await assert.rejects(send(odd, ME, CHAIN, [CALL], WATCH), says("wallet", /look there/));
  await assert.rejects(connect(wallet({ eth_requestAccounts: error(4001) })), says("declined", /declined/));
});

test("a network is switched to, or added; else the person is told", async () => {
  let now = "0x1";
  const answers = {
    eth_chainId: () => now,
    wallet_switchEthereumChain: () => error(4902),
    wallet_addEthereumChain: ([{ chainId, rpcUrls }]) => {
      assert.deepEqual(rpcUrls, CHAIN.rpc);
      now = chainId;
      return null;
    },
  };
  const mine = wallet(answers);
  await switchTo(mine, CHAIN);
  assert.equal(await chainOf(mine), CHAIN.id);
  const unknown = wallet({ ...answers, eth_chainId: "0x1" });
  await assert.rejects(switchTo(unknown, { ...CHAIN, rpc: [] }), says("network", /by hand/));
  const ignoring = wallet({ eth_chainId: "0x1", wallet_switchEthereumChain: null });
  await assert.rejects(switchTo(ignoring, CHAIN), says("network", /another network/));
  const no = wallet({ wallet_switchEthereumChain: error(4001) });
  await assert.rejects(switchTo(no, CHAIN), says("declined", /declined/));
});

test("a transaction is followed through silence to its confirmations, or its refusal", async () => {
  let height = 0;
  const counts = [];
  const mine = wallet({
    eth_getTransactionReceipt: () => {
      height += 1;
      if (height === 1) return null;
      if (height === 2) return error(-32000);
      return { blockNumber: "0x3", status: "0x1" };
    },
    eth_blockNumber: () => `0x${height.toString(16)}`,
  });
  assert.ok(await follow(mine, HASH, CHAIN, (count) => counts.push(count), async () => {}));
  assert.deepEqual(counts, [0, 1, 2]);
  const refused = wallet({ eth_getTransactionReceipt: { blockNumber: "0x3", status: "0x0" }, eth_blockNumber: "0x3" });
  assert.equal(await follow(refused, HASH, CHAIN, () => {}, async () => {}), false);
});

test("several calls go as one where the wallet can, else one after the other", async () => {
  const other = { to: CALL.to, data: "0x56", value: "0x7" };
  const tells = (of) => ({ wait: async () => {}, told: ({ place, count }) => of.push([place, count]) });
  const told = [];
  const plain = wallet({ wallet_getCapabilities: error(-32601) });
  await send(plain, ME, CHAIN, [CALL, other], tells(told));
  const sent = plain.asked.filter(([method]) => method === "eth_sendTransaction");
  assert.deepEqual(sent.map(([, [{ data, value }]]) => [data, value]), [["0x1234", "0x0"], ["0x56", "0x7"]]);
  assert.deepEqual(told, [[0, null], [0, 0], [0, 7], [1, null], [1, 0], [1, 7]]);

  let asked = 0;
  const able = wallet({
    wallet_getCapabilities: { "0xaa36a7": { atomic: { status: "ready" } } },
    wallet_sendCalls: { id: "0xb" },
    wallet_getCallsStatus: () => {
      asked += 1;
      if (asked === 1) return error(-32000);
      if (asked === 2) return { status: 100 };
      return { status: 200, receipts: [{ transactionHash: HASH }] };
    },
  });
  assert.equal(await send(able, ME, CHAIN, [CALL, other], WATCH), HASH);
  const [, [bundle]] = able.asked.find(([method]) => method === "wallet_sendCalls");
  assert.deepEqual(bundle.calls, [{ ...CALL, value: "0x0" }, other]);
  assert.deepEqual([bundle.atomicRequired, bundle.chainId, bundle.from], [true, "0xaa36a7", ME]);
  assert.ok(able.asked.every(([method]) => method !== "eth_sendTransaction"));
});

test("of several calls none follows one that was refused, declined or left", async () => {
  const two = [CALL, { ...CALL, data: "0x56" }];
  const count = (mine) => mine.asked.filter(([method]) => method === "eth_sendTransaction").length;
  const refused = wallet({ eth_getTransactionReceipt: { blockNumber: "0x3", status: "0x0" } });
  await assert.rejects(send(refused, ME, CHAIN, two, WATCH), says("wallet", /refused/));
  assert.equal(count(refused), 1);
  let account = ME;
  const changing = wallet({ eth_accounts: () => [account], eth_sendTransaction: () => {
    account = `0x${"cd".repeat(20)}`;
    return HASH;
  } });
  await assert.rejects(send(changing, ME, CHAIN, two, WATCH), says("account", /Another account [^;]*\. The first of 2 transactions counts/));
  assert.equal(count(changing), 1);
  let asked = 0;
  const half = wallet({ eth_sendTransaction: () => (asked++ ? error(4001) : HASH) });
  await assert.rejects(send(half, ME, CHAIN, two, WATCH), says("declined", /^You declined\. The first of 2 transactions counts/));
  const able = { wallet_getCapabilities: { "0xaa36a7": { atomic: { status: "supported" } } } };
  const no = wallet({ ...able, wallet_sendCalls: error(4001) });
  await assert.rejects(send(no, ME, CHAIN, two, WATCH), says("declined", /nothing was sent/));
  const failed = wallet({ ...able, wallet_sendCalls: { id: "1" }, wallet_getCallsStatus: { status: 500 } });
  await assert.rejects(send(failed, ME, CHAIN, two, WATCH), says("wallet", /refused/));
  const odd = wallet({ ...able, wallet_sendCalls: null });
  await assert.rejects(send(odd, ME, CHAIN, two, WATCH), says("wallet", /look there/));
});

test("typed data is signed by the account and on the network that it names, or not at all", async () => {
  const data = { primaryType: "Join" };
  const mine = wallet({ eth_signTypedData_v4: "0x12" });
  assert.equal(await signTyped(mine, ME.toLowerCase(), CHAIN, data), "0x12");
  assert.deepEqual(mine.asked.at(-1), ["eth_signTypedData_v4", [ME.toLowerCase(), JSON.stringify(data)]]);
  const other = wallet({ eth_requestAccounts: [`0x${"cd".repeat(20)}`] });
  await assert.rejects(signTyped(other, ME, CHAIN, data), says("account", /Choose the account 0xaBaBaB…/));
  const away = wallet({ eth_chainId: "0x1" });
  await assert.rejects(signTyped(away, ME, CHAIN, data), says("network", /another network/));
  const no = wallet({ eth_signTypedData_v4: error(4001) });
  await assert.rejects(signTyped(no, ME, CHAIN, data), says("declined", /declined/));
  for (const each of [other, away]) assert.ok(each.asked.every(([method]) => method !== "eth_signTypedData_v4"));
});
