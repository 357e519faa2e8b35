// SPDX-License-Identifier: Apache-2.0
// What people sign about bounties: EIP-712 messages in the domain of the board.

import { concat, toHex, utf8, word } from "./bytes.js";
import { keccak } from "./hash.js";

const DOMAIN = [
  ["name", "string"],
  ["version", "string"],
  ["chainId", "uint256"],
  ["verifyingContract", "address"],
];

const FIELDS = {
  Join: [
    ["bounty_id", "uint256"],
    ["terms_hash", "bytes32"],
    ["signer", "address"],
    ["payee", "address"],
    ["seats", "uint256"],
  ],
  Commit: [
    ["bounty_id", "uint256"],
    ["terms_hash", "bytes32"],
    ["seed", "bytes32"],
    ["worker", "uint256"],
    ["seats", "uint256"],
    ["commitment", "bytes32"],
  ],
  Acknowledged: [
    ["bounty_id", "uint256"],
    ["terms_hash", "bytes32"],
    ["worker", "uint256"],
    ["commitment", "bytes32"],
  ],
  Serve: [
    ["bounty_id", "uint256"],
    ["terms_hash", "bytes32"],
    ["offer_hash", "bytes32"],
  ],
  ItemKeys: [
    ["bounty_id", "uint256"],
    ["terms_hash", "bytes32"],
    ["seed", "bytes32"],
    ["worker", "uint256"],
  ],
};

/**
 * @param {import("./types.js").BountyRef} ref
 * @param {keyof typeof FIELDS} primary
 * @param {Record<string, string | number>} values All but the bounty's number; bytes as hex.
 * @returns {object} What `eth_signTypedData_v4` takes.
 */
export function typedData(ref, primary, values) {
  const entry = ([name, type]) => ({ name, type });
  return {
    types: { EIP712Domain: DOMAIN.map(entry), [primary]: FIELDS[primary].map(entry) },
    primaryType: primary,
    domain: {
      name: "Truthmark",
      version: "1",
      chainId: ref.chainId,
      verifyingContract: ref.board,
    },
    message: { bounty_id: ref.bountyId, ...values },
  };
}

/** @param {any} data What `typedData` gave. @returns {Uint8Array} The 32 bytes that are signed. */
export function digest(data) {
  const { domain, primaryType, message } = data;
  const separator = keccak(
    typeHash("EIP712Domain", DOMAIN),
    keccak(utf8(domain.name)),
    keccak(utf8(domain.version)),
    word(domain.chainId),
    word(domain.verifyingContract),
  );
  const fields = FIELDS[primaryType];
  const struct = keccak(
    typeHash(primaryType, fields),
    ...fields.map(([name]) => word(message[name])),
  );
  return keccak(concat(new Uint8Array([0x19, 0x01]), separator, struct));
}

function typeHash(name, fields) {
  return keccak(utf8(`${name}(${fields.map(([field, type]) => `${type} ${field}`).join(",")})`));
}

/** @param {any} data @returns {string} */
export function digestHex(data) {
  return toHex(digest(data));
}
