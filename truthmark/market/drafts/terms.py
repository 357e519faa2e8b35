# SPDX-License-Identifier: Apache-2.0
"""What a seller brings to the registry for a version: its terms, and the proof of its key.

Pure functions: nothing here reads or writes a chain, a file or a storage.
"""

from dataclasses import dataclass

from truthmark.codec.manifest import Manifest
from truthmark.config.profile import Windows
from truthmark.errors import MarketError
from truthmark.hashing import keccak256
from truthmark.keys.curve import base_of, multiply
from truthmark.keys.proofs import KnowledgeProof, prove_dataset_key
from truthmark.market.records import BPS, ZERO_ADDRESS, Terms

MAX_ROYALTY_BPS = 9_750
"""The largest royalty; with the largest protocol fee it is the whole price."""


@dataclass(frozen=True, slots=True)
class Royalty:
    """What each sale owes the labelers of a bounty.

    Attributes:
        bounty: Its number; 0 where nobody is owed anything.
        bps: Of the price, in hundredths of a percent.
    """

    bounty: int
    bps: int

    def require_sound(self) -> None:
        """Refuse what the registry would refuse.

        Raises:
            MarketError: There is a royalty without a bounty, none with one, or too large a one.
        """
        if self.bounty == 0 and self.bps == 0:
            return
        if self.bounty <= 0 or not 0 < self.bps <= MAX_ROYALTY_BPS:
            raise MarketError(
                f"a royalty is 0.01% to {MAX_ROYALTY_BPS / 100}% of each sale, for one bounty;"
                " name both, or neither"
            )


NO_ROYALTY = Royalty(0, 0)


@dataclass(frozen=True, slots=True)
class Assurance:
    """What stands behind the data beside the bond.

    Attributes:
        guarantee_bps: Of the price, what a buyer may burn, in hundredths of a percent.
        arbiter: Who may revoke the version by their own judgement; zero for nobody.
    """

    guarantee_bps: int = 0
    arbiter: str = ZERO_ADDRESS

    def require_sound(self) -> None:
        """Refuse what the registry would refuse.

        Raises:
            MarketError: The guarantee is above the price.
        """
        if not 0 <= self.guarantee_bps <= BPS:
            raise MarketError("a guarantee is 0% to 100% of the price; name a share between them")


NO_ASSURANCE = Assurance()


def licence_hash(licence: str) -> bytes:
    """Return the hash by which terms name a manifest's licence, 32 bytes."""
    return keccak256(licence.encode())


def contradicts(manifest: Manifest, terms: Terms) -> bool:
    """Whether a manifest is not the one that terms were written of."""
    return (
        manifest.root != terms.root
        or manifest.count != terms.shard_count
        or manifest.public_key != terms.public_key
        or licence_hash(manifest.licence) != terms.licence
    )


def draft_terms(
    manifest: Manifest,
    secret: int,
    *,
    seller: str,
    payee: str,
    token: str,
    windows: Windows,
    bond: int,
    fee_bps: int,
    gate: str = ZERO_ADDRESS,
    royalty: Royalty = NO_ROYALTY,
    assurance: Assurance = NO_ASSURANCE,
) -> Terms:
    """Write the terms of a packed version.

    Raises:
        MarketError: The secret is not the one that the version was packed with, or the royalty or
            the guarantee cannot be.
    """
    royalty.require_sound()
    assurance.require_sound()
    public_key = multiply(secret)
    if public_key != manifest.public_key:
        raise MarketError(
            "this secret did not pack this version; restore the backup that was made when packing"
        )
    base, _ = base_of(public_key)
    return Terms(
        seller=seller,
        payee=payee,
        token=token,
        manifest=manifest.digest,
        root=manifest.root,
        shard_count=manifest.count,
        public_key=public_key,
        base=base,
        licence=licence_hash(manifest.licence),
        gate=gate,
        bond=bond,
        royalty_bps=royalty.bps,
        bounty=royalty.bounty,
        fee_bps=fee_bps,
        delivery_seconds=windows.delivery,
        inspection_seconds=windows.inspection,
        guarantee_bps=assurance.guarantee_bps,
        arbiter=assurance.arbiter,
    )


def prove_terms(
    terms: Terms, secret: int, *, chain_id: int, registry: str
) -> tuple[KnowledgeProof, int]:
    """Return the proof that the seller knows the dataset key, and the base's counter."""
    proof = prove_dataset_key(
        secret,
        chain_id=chain_id,
        registry=registry,
        seller=terms.seller,
        terms_id=terms.terms_id,
    )
    return proof, base_of(terms.public_key)[1]
