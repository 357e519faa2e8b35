# SPDX-License-Identifier: Apache-2.0
"""The market of a seeded network: who sells, keeps, buys, delivers, settles, disputes.

Custodians act in this process, by what their nodes do; a purchase is left where a state ends.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from truthmark.codec import read_manifest
from truthmark.codec.limits import MANIFEST_NAME
from truthmark.errors import ChainError, MarketError
from truthmark.keys.curve import random_scalar
from truthmark.keys.encryption import find_encryption_keys
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, custody_slots
from truthmark.market.drafts.terms import NO_ROYALTY, Royalty
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import purchasing
from truthmark.market.flows.sampling import open_sample
from truthmark.market.preview import PreviewState, look
from truthmark.market.purchase import Buyer, WrongKeyDispute
from truthmark.market.records import PurchaseStatus
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement, inspected
from truthmark.market.surface import list_dataset, pack
from truthmark.session import Session
from truthmark.testing.custodians import register_custodian
from truthmark.testing.roles import Network
from truthmark.testing.seed_sources import opinions, river_levels

CUSTODIANS: Final = ("custodian1", "custodian2", "custodian3")
_RIVER: Final = "Levels of a river"
_DAYS: Final = 3 * 365
_DESCRIPTION: Final = "Short opinions, each with whether its writer was pleased."
_KEPT: Final[dict[str, Any]] = {
    "custodians": len(CUSTODIANS),
    "threshold": 2,
    "lock": "100 TMK",
    "max_keeping": "5 TUSD",
}


class SeedMarket:
    """The market of one network.

    Args:
        net: The network.
    """

    def __init__(self, net: Network) -> None:
        """Take a network; nothing is sent yet."""
        self._net = net
        self._sessions: dict[str, Session] = {}

    def close(self) -> None:
        """Close the roles' sessions."""
        for session in self._sessions.values():
            session.close()

    def session(self, role: str) -> Session:
        """Return a role's session, its index in step with the chain."""
        if role not in self._sessions:
            self._sessions[role] = self._net.session(role)
        Catalogue.of(self._sessions[role]).sync()
        return self._sessions[role]

    def fill(self) -> dict[str, Version]:
        """List what can be listed before there is a bounty, and return it by its state."""
        for role in CUSTODIANS:
            register_custodian(self.session(role))
        made = {
            "kept": self.sell("Opinions about a hotel", "4 TUSD", bond="20 TUSD", **_KEPT),
            "direct": self.sell("Opinions about a town", "2.5 TUSD"),
            "late": self.sell("Opinions about a museum", "2 TUSD"),
            "paused": self.sell("Opinions about a festival", "3 TUSD"),
            "retired": self.sell("Opinions about a bus", "1 TUSD"),
            # Large enough for chance to draw from, which takes some blocks from here.
            "sampled": self.sell(
                _RIVER,
                "6 TUSD",
                description="Level, temperature and rain each five minutes for three years, made "
                "by a program.",
                source=river_levels(_DAYS, seed=1),
                preview=True,
                bond="15 TUSD",
            ),
        }
        self._accept(made["kept"])
        self._seller.set_paused(made["paused"], True)
        self._seller.retire(made["retired"])
        return made

    @property
    def _seller(self) -> Seller:
        return Seller(self.session("seller"))

    def sell(
        self,
        title: str,
        price: str,
        *,
        description: str = _DESCRIPTION,
        source: Any = None,
        preview: bool = False,
        royalty: Royalty = NO_ROYALTY,
        **terms: Any,
    ) -> Version:
        """Pack opinions, or another source, and list them as the seller.

        A few rows go without a sample, which would give most of them away.
        """
        import pandas as pd

        seller = self.session("seller")
        if source is None:
            source = pd.DataFrame(opinions(60, seed=sum(title.encode())), columns=["text", "label"])
        folder = self._folder(title)
        said: dict[str, Any] = {"title": title, "description": description, "licence": "CC0-1.0"}
        pack(source, folder, session=seller, preview=preview, **said)
        return list_dataset(folder, price=price, royalty=royalty, session=seller, **terms)

    def _folder(self, title: str) -> Path:
        return self._net.folder / "seeds" / "packed" / title.replace(" ", "-")

    def open_sample(self, version: Version, *roles: str) -> None:
        """Open what chance picked of what lists a river, and let computers of others check it.

        Raises:
            MarketError: One of them found something else than a sample that is right.
        """
        open_sample(self.session("seller"), version, self._folder(_RIVER))
        for role in roles:
            found = look(self.session(role), version)
            if found.state is not PreviewState.SHOWN:
                raise MarketError(f"{version.ref}: {found.rule.meaning} {found.why}")

    def copy(self, version: Version) -> Version:
        """List the bytes of a version under a key that does not open them, as a cheat would."""
        cheat = self.session("copycat")
        folder = Buyer(cheat).fetch(version)
        public_key = cheat.vault.put_seller_secret(random_scalar())
        fake = replace(read_manifest(folder), public_key=public_key)
        (folder / MANIFEST_NAME).write_bytes(fake.to_bytes())
        return list_dataset(folder, price="1 TUSD", bond="10 TUSD", session=cheat)

    def buy(self, role: str, version: Version) -> Purchase:
        """Pay for a version."""
        _, bought = purchasing.buy(
            self.session(role), version, agree=lambda quote: True, blind=True
        )
        return bought

    def deliver(self, version: Version, *roles: str) -> None:
        """Let some of those who keep a key deliver all that waits for it."""
        for role in roles:
            session = self.session(role)
            catalogue = Catalogue.of(session)
            for slot in custody_slots(catalogue.epochs(version.terms_id), session.address):
                waiting = [
                    purchase
                    for purchase in catalogue.purchases(custody_id=slot.epoch.custody_id)
                    if purchase.status is PurchaseStatus.PAID
                    and slot.index not in purchase.delivered
                ]
                if waiting:
                    Custodian(session).deliver(version, slot, waiting)

    def dispute(self, role: str, version: Version) -> None:
        """Let a buyer whose key opens nothing prove that.

        Raises:
            MarketError: The key opens the data after all.
        """
        session = self.session(role)
        buyer = Buyer(session)
        try:
            buyer.receive(version, buyer.require_purchase(version), buyer.fetch(version))
        except WrongKeyDispute as wrong:
            purchasing.dispute(session, wrong)
        else:
            raise MarketError(f"the key of {version.ref} opens it; nothing was disputed")

    def settle(self) -> None:
        """Settle all whose inspection is over; who is paid has it in the ledger, not in hand."""
        session = self.session("stranger")
        due = inspected(Catalogue.of(session).purchases(), session.chain.time())
        if not Settlement(session).settle(due):
            raise ChainError("no purchase could be settled; was time let pass?")

    def refund(self, role: str, version: Version) -> None:
        """Take a buyer's money back where the key did not come in time."""
        session = self.session(role)
        mine = [
            purchase
            for purchase in Catalogue.of(session).purchases(terms_id=version.terms_id)
            if purchase.receipt.buyer == session.address
        ]
        found = purchasing.refundable(session, mine, session.chain.time())
        if not found:
            raise MarketError(f"nothing of {version.ref} can be taken back; was time let pass?")
        purchasing.refund(session, found)

    def _accept(self, version: Version) -> None:
        for role in CUSTODIANS:
            session = self.session(role)
            keys = find_encryption_keys(
                session.signer.sign_typed,
                Catalogue.of(session).encryption_keys(session.address),
                chain_id=session.profile.chain_id,
                market=session.chain.market.address,
                validator=session.address,
            )
            custodian, epochs = Custodian(session), Catalogue.of(session).epochs(version.terms_id)
            for slot in custody_slots(epochs, session.address):
                custodian.take_share(version, slot, next(iter(keys.values())))
                session.send(*custodian.plan_accept(version, slot))
