# SPDX-License-Identifier: Apache-2.0
"""A seller opens what chance has picked: once, and for one word of chance only.

What is published can never be taken back, and another word would pick other parts. So the word is
noted on disk, synced, before the first key goes out; whatever an endpoint says later, no second
word is followed for the same manifest. The keys follow from the seller's secret, which the vault
keeps; the journal keeps each call, with its keys, before it is sent. Killed anywhere in between,
the next run goes on.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truthmark.chain.agreement import ADD_AN_ENDPOINT, ADD_ON_PAGE, can_be_sure
from truthmark.config.files import write_atomically
from truthmark.errors import ConfigError, EndpointsDisagreeError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.preview import Wanted, wanted_keys
from truthmark.market.verdicts import plan_publish
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.codec import Container

_FOLDER: Final = "samples"


class Publisher:
    """Opens the samples of what a session's account sells.

    Args:
        session: The seller's.
    """

    def __init__(self, session: Session) -> None:
        """Use a session."""
        self.session = session

    def publish(self, version: Version, container: "Container") -> Wanted:
        """Publish the keys that chance has asked for and that are not public yet.

        Args:
            version: One of the account's.
            container: The version's, opened with its content key.

        Returns:
            What was wanted before; nothing was sent where chance has not spoken, or all is public.

        Raises:
            ConfigError: There is one endpoint alone, which could invent a word.
            EndpointsDisagreeError: Another word was followed before.
            MarketError: The version asks for no sample.
            ChainError: A call is not confirmed; repeating it goes on.
        """
        session, root = self.session, version.terms.root
        if not can_be_sure(session.chain.rpc, session.profile.chain_id):
            doubt = "one chain endpoint alone could choose the parts that are opened"
            raise ConfigError(f"{doubt}; {ADD_AN_ENDPOINT}", page=f"{doubt}; {ADD_ON_PAGE}")
        with session.exclusive(f"publish-{version.terms.manifest.hex()}"):
            session.journal.resume()
            wanted = wanted_keys(session, version, container)
            if wanted.seed is None or not wanted.keys:
                return wanted
            self._follow(version, wanted.block, wanted.seed)
            for planned in plan_publish(session.chain, root, wanted.keys):
                session.send(*planned)
            Catalogue.of(session).sync()
        return wanted

    def _follow(self, version: Version, block: int, seed: bytes) -> None:
        """Note the word of chance before anything is opened by it, or find that it is the one.

        Raises:
            EndpointsDisagreeError: Another one was followed before: the keys of two draws would
                show twice as much, and of many draws everything.
        """
        chain = self.session.chain
        # The same folder may be listed on a test network first, where chance speaks for itself.
        name = f"{chain.profile.chain_id}-{chain.registry.address}-{version.terms.manifest.hex()}"
        place = self.session.home / _FOLDER / f"{name}.json"
        before = _read(place)
        if before is None:
            place.parent.mkdir(parents=True, exist_ok=True)
            noted = {"dataset": version.ref, "block": block, "seed": seed.hex()}
            write_atomically(place, json.dumps(noted).encode())
        elif before != seed:
            raise EndpointsDisagreeError(
                f"chance has picked other parts of {version.ref} than it did before, and only one "
                "draw is opened: use other endpoints; or, if the chain itself has changed since, "
                f"remove {place}"
            )


def _read(place: Path) -> bytes | None:
    """Return the seed that was followed before, if one was."""
    try:
        return bytes.fromhex(json.loads(place.read_text(encoding="utf-8"))["seed"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        # It may have named another word: nothing is opened on a guess.
        raise ConfigError(
            f"cannot read {place} ({error}), which says by which draw parts were opened; restore it"
        ) from error
