// SPDX-License-Identifier: Apache-2.0
// What goes between the core and the page. Bytes are Uint8Array, hashes and addresses hex with 0x
// in small letters (addresses as the chain gives them), times are seconds of chain time.

/**
 * @typedef {object} BountyRef
 * @property {number} chainId
 * @property {string} board Address of the contract.
 * @property {number} bountyId
 */

/**
 * What the server of the page says of its network (GET label/host/{bounty}). The page trusts it as
 * it trusts the page's own code, which came from there.
 * @typedef {object} Host
 * @property {number} chain_id
 * @property {string} name Of the network.
 * @property {string} native_symbol
 * @property {string} board
 * @property {?string} genesis Hash of block 0.
 * @property {number} confirmations
 * @property {number} block_time
 * @property {boolean} is_local A development chain on this machine: one endpoint is believed.
 * @property {string} rpc Of this server.
 * @property {string[]} endpoints Others of the chain profile, over HTTPS.
 * @property {string[]} relays Where the bounty may be served, the likeliest first.
 * @property {{url: string}[]} watch Nodes of the chain profile with which commits may be left.
 * @property {{symbol: string, address: string, decimals: number}[]} tokens
 */

/**
 * @typedef {object} Item
 * @property {number} media 0 text, 1 JPEG, 2 PNG, 3 WebP, 4 GIF, 5 MP3, 6 Ogg, 7 WAV, 8 FLAC, 9 JSON, 10 pair
 * @property {string} mime
 * @property {Uint8Array} bytes
 * @property {?string} text Of a text or a row of numbers.
 * @property {?Item[]} pair Of a pair, its two items.
 */

/**
 * @typedef {object} Device
 * @property {string} privateKey 32 bytes as hex.
 * @property {string} address Of this key.
 * @property {string} [signer] Where a gate wants a certain account: that of the wallet that signs
 *   Join and Commit. The key then only seals, and asks for items.
 */

/**
 * Has a wallet sign typed data; resolves only once it did.
 * @typedef {(data: any, account: string, trouble: string) => Promise<string>} AskWallet
 *   trouble: what was wrong with the signature before, or empty.
 */

/**
 * @typedef {object} Run What a labeler is to label, in the order in which it is asked.
 * @property {number} worker The row of the roster.
 * @property {number} start Its first seat.
 * @property {number} seats
 * @property {string} seed
 * @property {{item: number, order: number, swapped: boolean}[]} items swapped: of a pair, the second
 *   item is shown first; answers are given as if it were not (pairs.unswapped).
 * @property {number} batch Items of a whole seat.
 * @property {number} lastCall Until when all must be answered, chain time.
 */

/**
 * Where one bounty's sitting is kept; `put` and `add` resolve only once the value is durable. Keys
 * are texts, values JSON. The page and tests implement it. The flow's keys: device, wish, run,
 * signed/…, left, final, given, acknowledged/….
 * @typedef {object} Store
 * @property {(key: string) => Promise<any>} get Undefined where there is nothing.
 * @property {(key: string, value: any) => Promise<void>} put Replaces what is there.
 * @property {(key: string, value: any) => Promise<boolean>} add Only where nothing is, all windows
 *   of this device considered (IndexedDB's `add` in a transaction); false where something is.
 * @property {(prefix: string) => Promise<[string, any][]>} entries
 */

/**
 * @typedef {object} Step What the one sitting has come to.
 * @property {"joining"|"joined"|"started"|"labeled"|"committed"|"confirmed"|"released"|"done"|"missed"} step
 * @property {string} says In words.
 * @property {number} [until] Until when that lasts at most, chain time.
 * @property {Run} [run] From "started" on.
 * @property {boolean} [oneSource] Only one source was believed (development chains).
 * @property {string[]} [leftWith] Watch nodes that go on when this page is closed.
 * @property {boolean} [isElsewhere] Missed here, but labels stand that another browser sent.
 * @property {string} [trouble] What is in the way just now; nothing is lost by it.
 */

export {};
