# SPDX-License-Identifier: Apache-2.0
"""The market of a seeded network: who sells, keeps, buys, delivers, settles, disputes.

Custodians act in this process, by what their nodes do; a purchase is left where a state ends.
"""

from pathlib import Path
from typing import Any, Final

from truthmark.errors import ChainError, MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.terms import NO_ROYALTY, Royalty
from truthmark.market.entries import Purchase, Version
from truthmark.market.flows import purchasing
from truthmark.market.flows.sampling import open_sample
from truthmark.market.preview import PreviewState, look
from truthmark.market.purchase import Buyer, WrongKeyDispute
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement, inspected
from truthmark.market.surface import list_dataset, pack
from truthmark.testing.role_market import CUSTODIANS, RoleMarket
from truthmark.testing.seed_sources import opinions, river_levels

_RIVER: Final = "Levels of a river"
_DAYS: Final = 3 * 365
_DESCRIPTION: Final = "Short opinions, each with whether its writer was pleased."
_KEPT: Final[dict[str, Any]] = {
    "custodians": len(CUSTODIANS),
    "threshold": 2,
    "lock": "100 TMK",
    "max_keeping": "5 TUSD",
}


class SeedMarket(RoleMarket):
    """The market of one network."""

    def fill(self) -> dict[str, Version]:
        """List what can be listed before there is a bounty, and return it by its state."""
        self.register_custodians()
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
        self.accept(made["kept"])
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
        return self.net.folder / "seeds" / "packed" / title.replace(" ", "-")

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

    def buy(self, role: str, version: Version) -> Purchase:
        """Pay for a version."""
        _, bought = purchasing.buy(
            self.session(role), version, agree=lambda quote: True, blind=True
        )
        return bought

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
