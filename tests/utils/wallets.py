# SPDX-License-Identifier: Apache-2.0
"""A wallet in a test's browser: announces itself as wallets do; its keys are the chain's."""

import json
from typing import Any

from playwright.sync_api import BrowserContext, Page

from truthmark.testing.network import Devnet

NAME = "Test <b>wallet</b>"

# What it is asked goes to the chain, which knows the keys. `able`: it sends several calls at once.
_WALLET = """
window.testWallet = {
  account: '%s', chain: '0x1', declines: false, able: false, prompts: [], bundles: [], heard: {},
};
const mine = window.testWallet;
const chain = async (method, params) =>
  JSON.parse(await window.askChain(method, JSON.stringify(params ?? [])));
const confirm = (method) => {
  mine.prompts.push(method);
  if (mine.declines) throw Object.assign(new Error('User rejected'), {code: 4001});
};
const request = async ({method, params}) => {
  if (method === 'eth_requestAccounts' || method === 'eth_accounts') return [mine.account];
  if (method === 'eth_chainId') return mine.chain;
  if (method === 'wallet_switchEthereumChain') { mine.chain = params[0].chainId; return null; }
  if (method === 'wallet_getCapabilities' && mine.able) {
    return {[params[1][0]]: {atomic: {status: 'supported'}}};
  }
  if (method.startsWith('wallet_') && !mine.able) {
    throw Object.assign(new Error('no such method'), {code: -32601});
  }
  if (method === 'wallet_getCallsStatus') {
    const found = [];
    for (const hash of mine.bundles[Number(params[0])]) {
      found.push(await chain('eth_getTransactionReceipt', [hash]));
    }
    return {status: found.every((each) => each) ? 200 : 100, receipts: found};
  }
  if (method === 'wallet_sendCalls') {
    confirm(method);
    const hashes = [];
    for (const {to, data, value} of params[0].calls) {
      hashes.push(await chain('eth_sendTransaction', [{from: mine.account, to, data, value}]));
    }
    return {id: String(mine.bundles.push(hashes) - 1)};
  }
  if (/^eth_(send|sign)/.test(method)) confirm(method);
  return chain(method, params);
};
const on = (name, told) => { mine.heard[name] = told; };
const provider = {request, on, removeListener: () => {}};
const info = {uuid: 'test', name: '%s', icon: 'https://evil.example/x.png'};
const announce = () => window.dispatchEvent(
  new CustomEvent('eip6963:announceProvider', {detail: {info, provider}}));
window.addEventListener('eip6963:requestProvider', announce);
"""


def add_wallet(context: BrowserContext, net: Devnet, account: str) -> None:
    """Give every page of a context a wallet that shows an account of a local network."""

    def ask_chain(method: str, params: str) -> str:
        return json.dumps(net.chain.rpc(method, *json.loads(params)))

    context.expose_function("askChain", ask_chain)
    context.add_init_script(_WALLET % (account, NAME))


def bend(page: Page, **changes: Any) -> None:
    """Change the wallet of a page: `account`, `declines`, `able`, `chain`."""
    page.evaluate("changes => Object.assign(testWallet, changes)", changes)


def prompts(page: Page) -> list[str]:
    """Return what the wallet asked its person to confirm since the page was loaded."""
    found: list[str] = page.evaluate("testWallet.prompts")
    return found
