// SPDX-License-Identifier: Apache-2.0
/** Asks a wallet (EIP-1193) to send a transaction, and follows it until it counts. */

/** @typedef {import("./discovery.js").Provider} Provider */
/** @typedef {{id: number, name: string, currency: string, confirmations: number, rpc: string[]}} ChainInfo */
/** @typedef {{to: string, data: string, value?: string}} Call value: of the chain's own coin, as hex */

const DECLINED = 4001;
const UNKNOWN_CHAIN = 4902;
const REFUSED = "The contract refused it; nothing but gas was spent. Reload the page.";

/** What is in the way, in words for a person; `kind` is declined, account, network or wallet. */
export class WalletError extends Error {
  /** @param {"declined" | "account" | "network" | "wallet"} kind @param {string} message */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

/** @param {Provider} provider @param {string} method @param {any[]} [params] */
async function ask(provider, method, params = []) {
  try {
    return await provider.request({ method, params });
  } catch (error) {
    const { code, data } = /** @type {any} */ (error) ?? {};
    if (code === DECLINED) throw new WalletError("declined", "You declined; nothing was sent.");
    if (code === UNKNOWN_CHAIN || data?.originalError?.code === UNKNOWN_CHAIN) {
      throw new WalletError("network", "Your wallet does not know this network.");
    }
    throw new WalletError("wallet", `Your wallet says: ${wordsOf(error)}`);
  }
}

/** @param {any} error */
function wordsOf(error) {
  const text = String(error?.message ?? error).replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return text.slice(0, 200) || "no";
}

/** @param {any} value @returns {string} in small letters @throws {WalletError} */
function address(value) {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{40}$/.test(value)) {
    throw new WalletError("account", "Your wallet shows no account; unlock it, and choose one.");
  }
  return value.toLowerCase();
}

/** Ask a wallet to show its account, by which it asks the person. @param {Provider} provider */
export async function connect(provider) {
  return address((await ask(provider, "eth_requestAccounts"))?.[0]);
}

/** @param {Provider} provider @returns {Promise<number>} on which chain the wallet is */
export async function chainOf(provider) {
  return Number(await ask(provider, "eth_chainId"));
}

/** Bring the wallet to a network; one that it does not know is added first, where that can be. */
export async function switchTo(/** @type {Provider} */ provider, /** @type {ChainInfo} */ chain) {
  const chainId = `0x${chain.id.toString(16)}`;
  try {
    await ask(provider, "wallet_switchEthereumChain", [{ chainId }]);
  } catch (error) {
    if (!(error instanceof WalletError) || error.kind !== "network") throw error;
    if (!chain.rpc.length) {
      throw new WalletError("network", `Add the network ${chain.name} (chain ${chain.id}) to your wallet by hand.`);
    }
    const nativeCurrency = { name: chain.currency, symbol: chain.currency, decimals: 18 };
    const added = { chainId, chainName: chain.name, rpcUrls: chain.rpc, nativeCurrency };
    await ask(provider, "wallet_addEthereumChain", [added]);
  }
  await requireChain(provider, chain);
}

async function requireChain(/** @type {Provider} */ provider, /** @type {ChainInfo} */ chain) {
  if ((await chainOf(provider)) !== chain.id) {
    throw new WalletError("network", `Your wallet is on another network than ${chain.name}.`);
  }
}

/**
 * Have the person confirm transactions in their wallet: all at once where it can (EIP-5792), else
 * one after the other, each once the one before has done what it was to do. Account and network
 * are asked for again just before: both may have changed since the page was drawn.
 * @param {Provider} provider @param {string} account for whom the calls were prepared
 * @param {ChainInfo} chain @param {Call[]} calls
 * @param {Watch} watch
 * @returns {Promise<string>} the last transaction, or what the wallet calls all of them
 * @throws {WalletError} it was declined, or the chain refused it
 */
export async function send(provider, account, chain, calls, watch) {
  await requireReady(provider, account, chain);
  if (calls.length > 1 && (await canBatch(provider, account, chain))) {
    return sendTogether(provider, account, chain, calls, watch);
  }
  let hash = "";
  for (const [place, call] of calls.entries()) {
    const told = (/** @type {?number} */ count) => watch.told({ place, of: calls.length, count });
    try {
      if (place) await requireReady(provider, account, chain);
      hash = await sendOne(provider, account, chain, call, told, watch.wait);
    } catch (error) {
      throw place && error instanceof WalletError ? afterSome(error, place, calls.length) : error;
    }
  }
  return hash;
}

/**
 * @param {Provider} provider @param {string} account @param {ChainInfo} chain @param {Call} call
 * @param {(count: ?number) => void} told @param {(ms: number) => Promise<void>} wait
 * @returns {Promise<string>} its hash
 */
async function sendOne(provider, account, chain, call, told, wait) {
  told(null);
  const value = call.value ?? "0x0";
  const transaction = { from: account, to: call.to, ...(call.data && { data: call.data }), value };
  const hash = await ask(provider, "eth_sendTransaction", [transaction]);
  if (typeof hash !== "string" || !/^0x[0-9a-fA-F]{64}$/.test(hash)) {
    throw new WalletError("wallet", "Your wallet gives no number of the transaction; look there what became of it.");
  }
  told(0);
  if (!(await follow(provider, hash, chain, told, wait))) throw new WalletError("wallet", REFUSED);
  return hash;
}

/** What went wrong once some count already: those that came before are not undone. */
function afterSome(/** @type {WalletError} */ { kind, message }, /** @type {number} */ place, /** @type {number} */ of) {
  const what = message.replace(/; nothing (was sent|but gas was spent)\./, ".");
  const done = place === 1 ? "The first" : `The first ${place}`;
  return new WalletError(kind, `${what} ${done} of ${of} transactions ${place === 1 ? "counts" : "count"} all the same.`);
}

/**
 * @typedef {object} Watch
 * @property {(state: {place: number, of: number, count: ?number}) => void} told which of the
 *   transactions is at what count of confirmations; null while the wallet asks
 * @property {(ms: number) => Promise<void>} wait
 */

/** @param {Provider} provider @param {string} account @param {ChainInfo} chain */
async function requireReady(provider, account, chain) {
  const chosen = address((await ask(provider, "eth_accounts"))?.[0]);
  if (chosen !== account.toLowerCase()) {
    throw new WalletError("account", "Another account is chosen in your wallet now; nothing was sent.");
  }
  await requireChain(provider, chain);
}

/** Whether a wallet sends several calls as one, all or none. */
async function canBatch(/** @type {Provider} */ provider, /** @type {string} */ account, /** @type {ChainInfo} */ chain) {
  const id = `0x${chain.id.toString(16)}`;
  try {
    const found = await provider.request({ method: "wallet_getCapabilities", params: [account, [id]] });
    return ["supported", "ready"].includes(found?.[id]?.atomic?.status);
  } catch {
    return false; // most wallets do not know the question
  }
}

/**
 * @param {Provider} provider @param {string} account @param {ChainInfo} chain
 * @param {Call[]} calls @param {Watch} watch
 */
async function sendTogether(provider, account, chain, calls, watch) {
  const all = calls.map(({ to, data, value }) => ({ to, ...(data && { data }), value: value ?? "0x0" }));
  const chainId = `0x${chain.id.toString(16)}`;
  const bundle = { version: "2.0.0", from: account, chainId, atomicRequired: true, calls: all };
  watch.told({ place: 0, of: 1, count: null });
  const id = (await ask(provider, "wallet_sendCalls", [bundle]))?.id;
  if (typeof id !== "string" || !id || id.length > 8_194) {
    throw new WalletError("wallet", "Your wallet gives no number of the transaction; look there what became of it.");
  }
  watch.told({ place: 0, of: 1, count: 0 });
  for (; ; await watch.wait(1_000)) {
    let found;
    try {
      found = await ask(provider, "wallet_getCallsStatus", [id]);
    } catch {
      continue; // it does not answer just now; what was sent is on its way all the same
    }
    const status = Number(found?.status);
    if (status >= 400) throw new WalletError("wallet", REFUSED);
    if (status < 200 || !Array.isArray(found?.receipts) || !found.receipts.length) continue;
    const last = String(found.receipts.at(-1)?.transactionHash);
    const told = (/** @type {number} */ count) => watch.told({ place: 0, of: 1, count });
    if (await follow(provider, last, chain, told, watch.wait)) return last;
    throw new WalletError("wallet", REFUSED);
  }
}

/**
 * How far transactions are, in words.
 * @param {{place: number, of: number, count: ?number}} state @param {ChainInfo} chain
 * @returns {string}
 */
export function progressWords({ place, of, count }, chain) {
  const which = of > 1 ? `${place + 1} of ${of}: ` : "";
  if (count === null) return `${which}Confirm in your wallet. It shows the same contract.`;
  const leave = place + 1 < of ? "keep this page open" : "you may leave this page";
  if (!count) return `${which}Sent. Waiting for the next block; ${leave}.`;
  return `${which}In the chain: ${count} of ${chain.confirmations} confirmations.`;
}

/**
 * Have the person sign typed data with an account of their wallet.
 * @param {Provider} provider @param {string} account @param {ChainInfo} chain @param {object} data
 * @returns {Promise<string>} what the wallet gave
 */
export async function signTyped(provider, account, chain, data) {
  const chosen = await connect(provider);
  if (chosen !== account.toLowerCase()) {
    throw new WalletError(
      "account",
      `Choose the account ${account.slice(0, 8)}…${account.slice(-6)} in your wallet, then try again; it shows another.`,
    );
  }
  await requireChain(provider, chain);
  return ask(provider, "eth_signTypedData_v4", [account, JSON.stringify(data)]);
}

/**
 * Follow a transaction until it has all confirmations, or was refused.
 * @param {Provider} provider @param {string} hash @param {ChainInfo} chain
 * @param {(confirmations: number) => void} told
 * @param {(ms: number) => Promise<void>} wait
 * @returns {Promise<boolean>} whether it did what it was to do
 */
export async function follow(provider, hash, chain, told, wait) {
  for (let last = -1; ; await wait(1_000)) {
    let receipt, height;
    try {
      receipt = await ask(provider, "eth_getTransactionReceipt", [hash]);
      height = receipt && Number(await ask(provider, "eth_blockNumber"));
    } catch {
      continue; // the wallet does not answer just now; the transaction is on its way all the same
    }
    const count = receipt ? Math.max(0, height - Number(receipt.blockNumber) + 1) : 0;
    if (receipt && Number(receipt.status) !== 1) return false;
    if (count !== last) told(count);
    last = count;
    if (count >= chain.confirmations) return true;
  }
}
