// SPDX-License-Identifier: Apache-2.0
// A core for tests of the page alone: what relay and chain would say, as `globalThis.scene` has it.

const scene = () => globalThis.scene;
const TOKEN = `0x${"cd".repeat(20)}`;
const text = (words) => ({
  media: 0, mime: "text/plain; charset=utf-8", bytes: new TextEncoder().encode(words), text: words,
  pair: null,
});
const file = (media, mime, data) => ({
  media, mime, text: null, pair: null,
  bytes: Uint8Array.from(atob(data), (c) => c.charCodeAt(0)),
});
const picture = () => file(2, "image/png", scene().picture);
const requireNear = (what) => {
  if (scene().away !== what) return;
  throw new Unavailable(`the ${what} does not answer; trying again`);
};
const now = () => Math.floor(Date.now() / 1000);
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

export class Refusal extends Error {
  name = "Refusal";
}

export class Unavailable extends Error {
  name = "Unavailable";
}

export async function openBounty(_base, bountyId) {
  requireNear("relay");
  const { words = "it meows", items = 4, classes = ["cat", "dog"] } = scene();
  const document = {
    title: "Cats and dogs", guidelines: "Say who it is.", kind: "text", licence: "CC0-1.0",
    flags: [], seconds_per_item: 3, items: { count: items, shown: 2, encrypted: false },
    relay_urls: [], ...scene().document, classes: classes.map((name) => ({ name, key: "" })),
  };
  const terms = {
    token: TOKEN, price: 20_000n, items, classes: classes.length, rounds: 1, batch: 2,
    gold_count: 0, full: 0, min_run: 1, max_run: Math.ceil(items / 2), min_seats: 1,
    label_seconds: 7_200, bond: 9_000n, reward: 5_000n, ...scene().terms,
  };
  const practice = [0, 1].map((answer) => ({
    answer, explanation: scene().explanation ?? "",
    item: async () => {
      requireNear("store");
      return text(words);
    },
  }));
  return {
    ref: { chainId: 31_337, board: `0x${"ab".repeat(20)}`, bountyId },
    host: { watch: [], native_symbol: "ETH", tokens: [{ symbol: scene().symbol ?? "USDC", address: TOKEN, decimals: 6 }] },
    terms, document, practice, examples: [],
    manifest: async () => ({}),
    items: {
      stored: async (i) => new Uint8Array([i]),
      openStored: async (i) => {
        requireNear("store");
        if (scene().sounds) return file(7, "audio/wav", scene().sounds[i % scene().sounds.length]);
        const half = (name) => (scene().picture ? picture() : text(`${name} ${i}`));
        if (scene().pairs && i % 2 === (scene().picture ? 1 : i % 2)) {
          return { media: 10, mime: "", bytes: new Uint8Array(), text: null,
            pair: [half("first"), half("second")] };
        }
        return scene().picture ? picture() : text(`${words} (${i})`);
      },
    },
    status: async () => {
      requireNear("chain");
      return {
        status: 1, now: now(), joinUntil: now() + 900, times: null,
        relay: { is_full: false, is_invited_only: false, taken: 0 }, ...scene().status,
      };
    },
  };
}

export const newDevice = () => ({ privateKey: "0x01", address: "0x02" });
export const readAddress = (given) => given;
export const isGated = () => false;
export const isAdmitted = async () => true;
export const annotation = (given) => given;

export async function recoveryFile(ref, store) {
  return JSON.stringify({ ref, entries: Object.fromEntries(await store.entries("")) });
}

export async function readRecoveryFile(given, _ref, store) {
  for (const [key, value] of Object.entries(JSON.parse(given).entries)) await store.add(key, value);
}

export async function* labelingSteps(bounty, device, store, { wish, label }) {
  await store.add("device", device);
  if (scene().refusal) throw new Refusal(scene().refusal);
  if (wish) await store.put("wish", wish);
  yield { step: "joining", says: "asking for a place" };
  yield { step: "joined", says: scene().says ?? "the relay puts you on the roster", until: now() + 900 };
  await (scene().start ?? pause());
  const count = bounty.terms.items;
  const items = Array.from({ length: count }, (_, i) => ({ item: i, order: i, swapped: i % 2 === 1 }));
  const run = { worker: 0, start: 0, seats: count / 2, seed: "0x05", items, batch: 2,
    lastCall: now() + 3_600 };
  yield { step: "started", says: "label the items", run, until: run.lastCall };
  scene().given = await label(run, {});
  yield { step: "labeled", says: "sealing your labels", run };
  yield { step: "committed", says: "waiting until your commit is on the chain", trouble: scene().says };
  await (scene().mined ?? pause());
  yield { step: "confirmed", says: "handing out your labels" };
  yield { step: "released", says: "waiting for the requester to sign for your labels" };
  yield { step: "done", says: "the requester has signed for your labels" };
}

export async function standingOf() {
  const { standing } = scene();
  if (!standing) return { phase: "waiting", end: "", lies: [] };
  const pay = Object.entries(standing.pay).map(([name, units]) => [name, BigInt(units)]);
  return { ...standing, pay: Object.fromEntries(pay) };
}

export const gasOf = () => 250_000;
export const feeOf = async () => scene().fee ?? null;
