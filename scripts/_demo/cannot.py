# SPDX-License-Identifier: Apache-2.0
"""What cannot happen, tried: stolen shares, a copied listing, a wrong key."""

from dataclasses import replace
from typing import Any

from scripts._demo.accounts import wealth
from scripts._demo.network import DemoNetwork
from scripts._demo.report import Transcript
from truthmark.cid import raw_cid
from truthmark.codec import Manifest, read_manifest
from truthmark.codec.limits import MANIFEST_NAME
from truthmark.config.files import write_atomically
from truthmark.errors import KeysError, RevertedError
from truthmark.keys.curve import N, multiply, random_scalar
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import (
    Custodian,
    CustodySlot,
    custody_slots,
    own_encryption_keys,
)
from truthmark.market.drafts.custody import DIRECT
from truthmark.market.drafts.delivery import draft_delivery, receive_share
from truthmark.market.drafts.terms import prove_terms
from truthmark.market.entries import Epoch, Version
from truthmark.market.fetch import Fetcher
from truthmark.market.purchase import Buyer, WrongKeyDispute
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement
from truthmark.session import Session
from truthmark.testing.role_market import CUSTODIANS
from truthmark.types import Point


def what_cannot_happen(
    transcript: Transcript, network: DemoNetwork, versions: dict[str, Version]
) -> None:
    """Try each of it.

    Args:
        transcript: Told what was refused.
        network: The demonstration's.
        versions: What is for sale, by name.
    """
    table = versions["table"]
    with transcript.section("Somebody lists the sealed shares under a name of their own"):
        _steal_shares(transcript, network, table)
    with transcript.section("A copycat lists the same bytes under a key of their own"):
        _copy(transcript, network, table)
    with transcript.section("The custodians are stopped, and one tries a wrong part"):
        _fail(transcript, network, versions["images"])


def _steal_shares(transcript: Transcript, network: DemoNetwork, version: Version) -> None:
    copycat = network.net.session("copycat", storage=network.storage("copycat"))
    Catalogue.of(copycat).sync()
    epoch = Catalogue.of(copycat).epochs(version.terms_id)[0]
    stolen = _retold(version, copycat.address)
    # The copycat does not know the secret; the proof that is needed is made with another one.
    proof, counter = prove_terms(
        stolen, 12345, chain_id=copycat.profile.chain_id, registry=copycat.chain.registry.address
    )
    custody = _replaced(epoch, terms_id=stolen.terms_id)
    try:
        copycat.chain.registry.functions.list_version(
            stolen.astuple(),
            1,
            tuple(proof),
            counter,
            custody.astuple(),
            list(epoch.custodians),
            [tuple(key) for key in epoch.share_keys],
        ).call(sender=copycat.address)
        raise AssertionError("the registry took a key that its seller does not know")
    except RevertedError as error:
        transcript.refused("listing the dataset's key without knowing its secret", str(error))
    node = network.net.session(CUSTODIANS[0], storage=network.storage(CUSTODIANS[0]))
    Catalogue.of(node).sync()
    slot = custody_slots([epoch], node.address)[0]
    bundle = node.storage.read_block(raw_cid(epoch.custody.sealed_shares))
    key = next(iter(own_encryption_keys(node, node.address).values()))
    try:
        receive_share(
            bundle,
            key,
            stolen,
            custody,
            epoch.share_keys,
            slot.index,
            chain_id=node.profile.chain_id,
            registry=node.chain.registry.address,
        )
        raise AssertionError("a share opened in another context")
    except KeysError as error:
        transcript.refused("opening its sealed shares for the copycat's listing", str(error))


def _copy(transcript: Transcript, network: DemoNetwork, version: Version) -> None:
    """List the same container and index under another key, and let the first buyer disprove it."""
    copycat = network.net.session("copycat", storage=network.storage("copycat"))
    Catalogue.of(copycat).sync()
    original = Fetcher(copycat).fetch(version)
    secret = random_scalar()
    public_key = copycat.vault.put_seller_secret(secret)
    manifest = read_manifest(original)
    fake = _manifest_with(manifest, public_key)
    folder = network.folder / "copied"
    folder.mkdir()
    for path in original.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    write_atomically(folder / MANIFEST_NAME, fake.to_bytes())
    dollar = copycat.profile.token("TUSD")
    listed = Seller(copycat).list_dataset(
        folder,
        price=3 * 10**6,
        token=dollar,
        windows=copycat.profile.windows["demo"],
        offer=DIRECT,
        bond=10 * 10**6,
    )
    copied = Catalogue.of(copycat).version(f"0x{listed.terms.terms_id.hex()}")
    transcript.info(f"the copy is for sale as [bold]{copied.ref}[/] at 3 TUSD, bond 10 TUSD")
    victim = network.net.session(
        "buyer2",
        storage=(*network.storage("buyer2"), f"local:{network.net.home('copycat') / 'store'}"),
    )
    Catalogue.of(victim).sync()
    had = wealth(victim, dollar.address, victim.address)
    buyer = Buyer(victim)
    bytes_folder = buyer.fetch(copied)
    purchase = buyer.buy(buyer.quote(copied), max_total=3 * 10**6)
    Catalogue.of(copycat).sync()
    slot = CustodySlot(listed.epoch, 1)
    Custodian(copycat).deliver(
        copied, slot, Catalogue.of(copycat).purchases(custody_id=listed.epoch.custody_id)
    )
    try:
        buyer.receive(copied, buyer.wait(purchase), bytes_folder)
        raise AssertionError("a wrong key was taken for the right one")
    except WrongKeyDispute as dispute:
        transcript.refused("selling bytes that one's key does not open", str(dispute))
        receipts = buyer.dispute(dispute)
    now = wealth(victim, dollar.address, victim.address)
    assert now - had == 5 * 10**6  # the price, and half the bond
    transcript.verified(
        f"one dispute ({receipts[0].gas_used:,} gas) brought the price and half the bond back",
        "the contract",
    )


def _fail(transcript: Transcript, network: DemoNetwork, version: Version) -> None:
    """Stop the custodians, try a wrong part, and let the refund come."""
    buyer_session = network.net.session("buyer3", storage=network.storage("buyer3"))
    Catalogue.of(buyer_session).sync()
    buyer = Buyer(buyer_session)
    network.net.stop_custodians()
    dollar = version.terms.token
    had = wealth(buyer_session, dollar, buyer_session.address)
    quote = buyer.quote(version)
    purchase = buyer.buy(quote, max_total=quote.total)
    dishonest = network.net.session(CUSTODIANS[0])
    Catalogue.of(dishonest).sync()
    slot = custody_slots([quote.epoch], dishonest.address)[0]
    share_key = quote.epoch.share_keys[slot.index - 1]
    share = dishonest.vault.find_share(quote.epoch.custody_id, slot.index, share_key)
    assert share is not None  # its node accepted
    receipt_digest, base, _, proof = draft_delivery(
        share,
        purchase.receipt,
        quote.epoch.custody,
        quote.epoch.share_keys,
        slot.index,
        chain_id=dishonest.profile.chain_id,
        market=dishonest.chain.market.address,
    )
    wrong = multiply((share + 1) % N, Point(*base))
    try:
        dishonest.chain.market.functions.deliver(
            quote.epoch.custody_id,
            slot.index,
            tuple(share_key),
            quote.epoch.custody.threshold,
            version.terms.inspection_seconds,
            [(receipt_digest, base, tuple(wrong), proof)],
        ).call(sender=dishonest.address)
        raise AssertionError("the market took a wrong part")
    except RevertedError as error:
        transcript.refused("a custodian posts a wrong part of the key", str(error))
    network.warp(version.terms.delivery_seconds + 5)
    stranger = network.net.session("stranger")
    Catalogue.of(stranger).sync()
    burned_before = _burned(stranger)
    receipts = Settlement(stranger).refund(
        Catalogue.of(stranger).purchases(purchase_id=purchase.purchase_id)
    )
    transcript.gas("refund with three fines", receipts[0].gas_used)
    burned = _burned(stranger) - burned_before
    assert wealth(buyer_session, dollar, buyer_session.address) == had
    transcript.verified("the money is back, fees and all, and a stranger moved it", "the contract")
    transcript.verified(
        f"each silent custodian lost 10 TMK, {burned / 10**18:.0f} TMK burned, to nobody's gain",
        "the staking contract",
    )
    assert burned == 30 * 10**18


def _retold(version: Version, seller: str) -> Any:
    return replace(version.terms, seller=seller, payee=seller)


def _replaced(epoch: Epoch, **changes: Any) -> Any:
    return replace(epoch.custody, **changes)


def _manifest_with(manifest: Manifest, public_key: Any) -> Manifest:
    return replace(manifest, public_key=public_key)


def _burned(session: Session) -> int:
    staking = session.chain.staking.functions
    return int(staking.balances(staking.TOKEN().call(), staking.BURN().call()).call())
