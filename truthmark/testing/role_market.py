# SPDX-License-Identifier: Apache-2.0
"""A market whose roles act in this process, each by what its own command or node does."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from truthmark.codec import read_manifest
from truthmark.codec.limits import MANIFEST_NAME
from truthmark.keys.curve import random_scalar
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, custody_slots, own_encryption_keys
from truthmark.market.entries import Version
from truthmark.market.purchase import Buyer
from truthmark.market.surface import list_dataset
from truthmark.session import Session
from truthmark.testing.custodians import register_custodian
from truthmark.testing.roles import Network

CUSTODIANS: Final = ("custodian1", "custodian2", "custodian3")


class RoleMarket:
    """What roles do on one network, and their sessions.

    Args:
        net: The network.
    """

    def __init__(self, net: Network) -> None:
        """Take a network; nothing is sent yet."""
        self.net = net
        self._sessions: dict[str, Session] = {}

    def close(self) -> None:
        """Close the roles' sessions."""
        for session in self._sessions.values():
            session.close()

    def session(self, role: str) -> Session:
        """Return a role's session, its index in step with the chain."""
        if role not in self._sessions:
            self._sessions[role] = self.net.session(role)
        Catalogue.of(self._sessions[role]).sync()
        return self._sessions[role]

    def register_custodians(self) -> None:
        """Let every custodian stake and publish an offer."""
        for role in CUSTODIANS:
            register_custodian(self.session(role))

    def accept(self, *versions: Version, roles: Sequence[str] = CUSTODIANS) -> None:
        """Let custodians take their shares of each version over."""
        for role in roles:
            session = self.session(role)
            custodian, catalogue = Custodian(session), Catalogue.of(session)
            key = next(iter(own_encryption_keys(session, session.address).values()))
            for version in versions:
                for slot in custody_slots(catalogue.epochs(version.terms_id), session.address):
                    custodian.take_share(version, slot, key)
                    session.send(*custodian.plan_accept(version, slot))

    def deliver(self, version: Version, *roles: str) -> None:
        """Let some of those who keep a key, or the seller, deliver all that waits for it."""
        for role in roles or ("seller",):
            session = self.session(role)
            catalogue = Catalogue.of(session)
            for slot in custody_slots(catalogue.epochs(version.terms_id), session.address):
                purchases = catalogue.purchases(custody_id=slot.epoch.custody_id)
                waiting = [each for each in purchases if each.awaits(slot.index)]
                if waiting:
                    Custodian(session).deliver(version, slot, waiting)

    def copy(self, version: Version, **terms: Any) -> Version:
        """List the bytes of a version under a key that does not open them, as a cheat would."""
        cheat = self.session("copycat")
        folder = Buyer(cheat).fetch(version)
        public_key = cheat.vault.put_seller_secret(random_scalar())
        fake = replace(read_manifest(folder), public_key=public_key)
        (folder / MANIFEST_NAME).write_bytes(fake.to_bytes())
        return list_dataset(folder, session=cheat, **terms)
