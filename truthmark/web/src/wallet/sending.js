// SPDX-License-Identifier: Apache-2.0
/** Asks a wallet (EIP-1193) to send a transaction, and follows it until it counts. */

/** @typedef {import("./discovery.js").Provider} Provider */
/** @typedef {{id: number, name: string, currency: string, confirmations: number, rpc: string[]}} ChainInfo */
/** @typedef {{to: string, data: string}} Call */

const DECLINED = 4001;
const UNKNOWN_CHAIN = 4902;

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
 * Have the person confirm a transaction in their wallet. Account and network are asked for again
 * just before: both may have changed since the page was drawn.
 * @param {Provider} provider @param {string} account for whom the call was prepared
 * @param {ChainInfo} chain @param {Call} call
 * @returns {Promise<string>} the transaction
 */
export async function send(provider, account, chain, call) {
  const chosen = address((await ask(provider, "eth_accounts"))?.[0]);
  if (chosen !== account.toLowerCase()) {
    throw new WalletError("account", "Another account is chosen in your wallet now; nothing was sent.");
  }
  await requireChain(provider, chain);
  const transaction = { from: account, to: call.to, data: call.data, value: "0x0" };
  const hash = await ask(provider, "eth_sendTransaction", [transaction]);
  if (!/^0x[0-9a-fA-F]{64}$/.test(hash)) {
    throw new WalletError("wallet", "Your wallet gives no number of the transaction; look there what became of it.");
  }
  return hash;
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
