# SPDX-License-Identifier: Apache-2.0
"""Content seen before it is paid: five stories of what a sample, an exposure and a judge do.

A liar sells random bytes, sealed noise, and good data of which one part in a hundred is rotten.
Each lie is made of honest data, sealed again under a key of the liar's own: everything that a
contract or a hash can see of it is right.
"""

import contextlib
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import truthmark
from scripts._demo.network import DemoNetwork
from scripts._demo.report import Transcript
from truthmark.cid import build_dag, cid_of_file
from truthmark.codec import FileShards, Manifest, ShardIndex, read_index, read_manifest
from truthmark.codec.derive import fresh_key
from truthmark.codec.limits import CARD_NAME, DATA_NAME, INDEX_NAME, MANIFEST_NAME
from truthmark.codec.shards import ContentOpener
from truthmark.errors import NotForSaleError
from truthmark.hashing import sha256
from truthmark.keys.curve import random_scalar
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, custody_slots
from truthmark.market.entries import Version
from truthmark.market.flows import purchasing
from truthmark.market.flows.sampling import open_sample
from truthmark.market.preview import PreviewState, look
from truthmark.market.purchase import Buyer, Opened
from truthmark.market.records import VersionStatus
from truthmark.market.remedies import Remedies
from truthmark.market.seller_secret import seller_cek
from truthmark.market.settlement import Settlement
from truthmark.session import Session

ROWS = 20_000
LIAR, VICTIM, NEXT, STRANGER = "copycat", "buyer2", "buyer3", "stranger"
_TRIES = 12
"""How often the liar lists again until chance misses the rotten part."""


def turned_digits() -> pa.Table:
    """Return digits with noise, as cameras see them: some megabytes, so that chance can draw."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    chooser = np.random.default_rng(11)
    chosen = chooser.integers(0, len(digits.target), ROWS)
    noise = chooser.normal(0, 0.5, (ROWS, 64))
    pixels = (digits.data[chosen] + noise).astype(np.float32)
    return pa.table(
        {
            "pixels": pa.FixedSizeListArray.from_arrays(pa.array(pixels.ravel()), 64),
            "label": pa.array(digits.target[chosen], pa.int8()),
        }
    )


def play(network: DemoNetwork, transcript: Transcript, honest: Version) -> None:
    """Let a liar try, and others see it.

    Args:
        network: Where.
        transcript: Told what happens.
        honest: A listing whose sample everybody has seen, and which the buyer has bought.
    """
    stage = _Stage(network, transcript)
    with transcript.section("A liar sells random bytes: no client pays, a contract takes the bond"):
        stage.sell_random_bytes()
    with transcript.section("A liar sells noise, sealed as it should be"):
        stage.sell_noise()
    with transcript.section("A liar hides one rotten part in a hundred"):
        stage.sell_rotten_parts()
    with transcript.section("Somebody exposes honest data"):
        stage.expose_falsely(honest)


class _Stage:
    """Who plays, and the honest data that lies are made of."""

    def __init__(self, network: DemoNetwork, transcript: Transcript) -> None:
        self._network, self._transcript = network, transcript
        liar = network.net.home(LIAR)
        self._served = f"local:{liar / 'store'}"
        self._made = 0
        session = self._session(LIAR)
        self._honest = network.folder / "honest"
        with transcript.progress_bar("packing what lies are made of") as advance:
            truthmark.pack(
                turned_digits(),
                self._honest,
                licence="CC-BY-4.0",
                title="Handwritten digits, the best there are",
                session=session,
                progress=advance,
            )

    def _session(self, role: str) -> Session:
        storage = self._network.storage(role)
        more = () if role == LIAR else (self._served,)
        session = self._network.net.session(role, storage=(*storage, *more))
        Catalogue.of(session).sync()
        return session

    def _list(self, bad_share: float, *, is_sealed: bool) -> tuple[Version, int]:
        """List the data with a share of its parts bad; returns it, and how many are bad."""
        liar = self._session(LIAR)
        self._made += 1
        folder = self._network.folder / f"lie-{self._made}"
        index = read_index(self._honest, read_manifest(self._honest))
        tables = [segment.shard for segment in index.table_segments]
        step = round(1 / bad_share)
        bad = tables[step // 2 :: step]
        lie(self._honest, folder, liar, bad, is_sealed=is_sealed)
        version = truthmark.list_dataset(
            folder, price="2 TUSD", bond="20 TUSD", windows="demo", custodians=0, session=liar
        )
        with contextlib.suppress(NotForSaleError):  # the liar knew
            open_sample(liar, version, folder)
        return version, len(bad)

    def sell_random_bytes(self) -> None:
        version, count = self._list(1.0, is_sealed=False)
        self._refuse(version, f"{count} of its parts are random bytes")
        # No purchase is needed for this: the seller had to publish the keys of the sample.
        stranger, terms = self._session(STRANGER), version.terms
        remedies = Remedies(stranger)
        found = remedies.find_published(version)
        assert found is not None
        had = stranger.held(terms.token)
        remedies.dispute_sealing(version, found)
        Settlement(stranger).withdraw(terms.token, stranger.address)
        assert Catalogue.of(stranger).status(version)[0] is VersionStatus.REVOKED
        won = stranger.profile.amount(stranger.held(terms.token) - had, terms.token)
        self._transcript.verified(
            f"part {found.shard} is not sealed under its own key; {won} of the bond went to a "
            "stranger who had bought nothing, the rest is burned",
            "the market contract, with AES and GHASH of its own",
        )

    def sell_noise(self) -> None:
        version, count = self._list(0.5, is_sealed=True)
        self._refuse(version, f"{count} of its parts are sealed noise")

    def sell_rotten_parts(self) -> None:
        transcript = self._transcript
        for tried in range(1, _TRIES + 1):
            version, count = self._list(0.01, is_sealed=True)
            if look(self._session(VICTIM), version).state is PreviewState.SHOWN:
                break
            transcript.refused(f"try {tried}: {count} rotten parts", "chance picked one of them")
        transcript.info(f"{version.ref}: chance missed its {count} rotten parts, and it is bought")
        victim, liar = self._session(VICTIM), self._session(LIAR)
        _, purchase = purchasing.buy(victim, version, agree=lambda quote: True)
        Catalogue.of(liar).sync()
        (slot,) = custody_slots(Catalogue.of(liar).epochs(version.terms_id), liar.address)
        Custodian(liar).deliver(version, slot, [purchase])
        buyer = Buyer(victim)
        opened = buyer.receive(version, buyer.wait(purchase), buyer.fetch(version))
        found = truthmark.codec.find_unreadable(opened.folder, opened.cek)
        assert found is not None
        remedies = Remedies(victim)
        with _opener(opened) as opener:
            keys = remedies.keys_to_expose(version, opener, sorted(found.shards))
        remedies.expose(version, keys)
        transcript.verified(f"{version.ref}: {found.text}", "the buyer, after paying")
        self._refuse(version, "the buyer has published the key of that part", by=NEXT)

    def expose_falsely(self, honest: Version) -> None:
        buyer = self._session("buyer")
        purchase = Buyer(buyer).require_purchase(honest)
        opened = Buyer(buyer).receive(honest, purchase, Buyer(buyer).fetch(honest))
        index = read_index(opened.folder, read_manifest(opened.folder))
        good = [segment.shard for segment in index.table_segments[:5]]
        # Our own client would refuse: nobody would see anything wrong by these keys.
        with _opener(opened) as opener:
            keys = tuple(opener.key(shard) for shard in good)
        Remedies(buyer).expose(honest, keys)
        found = look(self._session(NEXT), honest)
        assert found.state is PreviewState.SHOWN, found
        self._transcript.verified(
            f"{len(keys)} keys of {honest.ref} were published to harm its seller; the parts are "
            "fine, and it is sold as before",
            "each client, by trying them",
        )

    def _refuse(self, version: Version, what: str, by: str = VICTIM) -> None:
        """Show that a client does not pay for a version."""
        session = self._session(by)
        try:
            purchasing.prepare(session, version, blind=True)
        except NotForSaleError as error:
            self._transcript.refused(f"buying {version.ref}: {what}", str(error))
            return
        raise AssertionError(f"{version.ref} could be bought")


@contextlib.contextmanager
def _opener(opened: Opened) -> Iterator[ContentOpener]:
    """Open what was bought, part by part."""
    manifest = read_manifest(opened.folder)
    source = FileShards(
        opened.folder / DATA_NAME, shard_size=manifest.shard_size, count=manifest.count
    )
    try:
        index = read_index(opened.folder, manifest)
        yield ContentOpener(index, source, cek=opened.cek, shard_size=manifest.shard_size)
    finally:
        source.close()


def lie(
    honest: Path, target: Path, liar: Session, bad: Collection[int], *, is_sealed: bool
) -> Manifest:
    """Seal honest data again under a key of the liar's own, some of it being noise.

    Args:
        honest: A packed folder of the liar's.
        target: A new folder.
        liar: Whose vault gets the new secret.
        bad: Shards that become noise.
        is_sealed: Noise is sealed under the shard's key; else the ciphertext itself is random.
    """
    before = read_manifest(honest)
    index = read_index(honest, before)
    key_before = seller_cek(liar.vault, before.public_key)
    public_key = liar.vault.put_seller_secret(random_scalar())
    cek = seller_cek(liar.vault, public_key)
    size, noisy = before.shard_size, frozenset(bad)
    target.mkdir()
    source = FileShards(honest / DATA_NAME, shard_size=size, count=before.count)
    hashes, key_hashes = [], []
    try:
        opener = ContentOpener(index, source, cek=key_before, shard_size=size)
        with (target / DATA_NAME).open("wb") as file:
            for i in range(before.count):
                key = fresh_key(cek, i)
                plain = os.urandom(opener.payload) if i in noisy else opener.open(i)
                shard = AESGCM(key).encrypt(bytes(12), bytes(plain), None)
                if i in noisy and not is_sealed:
                    shard = os.urandom(size)
                file.write(shard)
                hashes.append(sha256(shard))
                key_hashes.append(sha256(key))
    finally:
        source.close()
    numbers = (index.segment, index.first_row, index.rows, index.decoded_bytes)
    new = ShardIndex(b"".join(hashes), b"".join(key_hashes), bytes(32) * before.count, numbers)
    (target / INDEX_NAME).write_bytes(new.to_bytes())
    shutil.copy(honest / CARD_NAME, target)
    manifest = replace(
        before,
        root=new.tree.root,
        container=build_dag((digest, size) for digest in hashes).root,
        index=cid_of_file(target / INDEX_NAME),
        index_size=(target / INDEX_NAME).stat().st_size,
        public_key=public_key,
    )
    (target / MANIFEST_NAME).write_bytes(manifest.to_bytes())
    return manifest
