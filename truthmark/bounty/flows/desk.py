# SPDX-License-Identifier: Apache-2.0
"""What every step of a labeler works with: the chain's final word, the folder, the key, relays."""

import secrets
from collections import Counter
from typing import Final

from truthmark.bounty import labeler
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.flows import offers
from truthmark.bounty.labeler import SignedCommit
from truthmark.bounty.labeling_folder import Entry, LabelingFolder
from truthmark.bounty.record import Record
from truthmark.bounty.relays import relay_client
from truthmark.bounty.terms import Terms
from truthmark.bounty.view import BountyView, Seen
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError, RelayError, RelayUnavailableError, TruthmarkError
from truthmark.keys.abi_hash import address_bytes, word
from truthmark.keys.curve import N, address_of, multiply
from truthmark.session import Session, is_devnet, private_networks
from truthmark.types import Bar, Say, no_bar, quiet

KEY_KIND: Final = "labeler-key"

_PATIENCE: Final = 5
"""How often a relay may be behind the chain before it is told."""
_EARLY: Final = frozenset({409, 425, 429, 503})


def is_early(error: RelayError) -> bool:
    """Whether a relay may do later what it refuses now: it looks at the chain now and then."""
    return error.status in _EARLY


class Desk:
    """One labeler's things about one bounty.

    Args:
        session: Whose chain, storage, vault and home.
        bounty_id: The bounty's number.
        relay: Address of the relay, where it is not one of the bounty's document.
        say: Told what happens.
        bar: Shows how far something is.
    """

    def __init__(
        self,
        session: Session,
        bounty_id: int,
        *,
        relay: str | None = None,
        say: Say = quiet,
        bar: Bar = no_bar,
    ) -> None:
        """Take the bounty; nothing is read yet."""
        self.session, self.bounty_id, self.wanted_relay = session, bounty_id, relay
        self.client = BountyClient(session)
        self.ref = self.client.ref(bounty_id)
        self.folder = LabelingFolder(session.home, self.ref)
        self.bar = bar
        self._say = say
        self._said: set[str] = set()
        self._troubles: Counter[str] = Counter()
        self._relays: dict[tuple[str, bool], relay_client.RelayClient] = {}
        self._view = BountyView(session)
        self._document: Document | None = None
        self._signed: tuple[bytes, SignedCommit] | None = None

    def close(self) -> None:
        """Close connections."""
        for relay in self._relays.values():
            relay.close()

    def tell(self, text: str, *, once: str = "") -> None:
        """Tell the person something; again only where that is news.

        Args:
            text: What happens.
            once: Under which name it is told one time; the text itself if not given.
        """
        if (once or text) not in self._said:
            self._said.add(once or text)
            self._say(text)

    def trouble(self, what: str, error: RelayError) -> None:
        """Tell of a relay's trouble, but not where it may only be a moment behind the chain.

        Args:
            what: In words, what it does not do.
            error: Why.
        """
        self._troubles[what] += 1
        if not is_early(error) or self._troubles[what] > _PATIENCE:
            self.tell(f"{what}: {error}")

    # -------------------------------------------------------------------- reading

    def look(self) -> Seen:
        """Return what the chain says of the bounty, confirmed: nothing rests on less.

        Raises:
            BountyError: It cannot be read as the board holds it: do not label.
            ChainError: The chain cannot be read.
        """
        self._view.refresh()
        seen = self._view.look([self.bounty_id])[self.bounty_id]
        if isinstance(seen, TruthmarkError):
            raise seen
        return seen

    def certain(self, seen: Seen) -> Record:
        """Return what was seen, on the word of two endpoints where there are two.

        For what cannot be taken back: one endpoint that lies, with the relay, could show a commit
        that is not there, and have labels handed out before anything binds the requester.

        Raises:
            EndpointsDisagreeError: They say different things.
            BountyError: The board holds something else.
            ChainError: The chain cannot be read.
        """
        return self._view.certain(seen)

    def document(self, terms: Terms) -> Document:
        """Return what the bounty asks, in words: from this disk, the storage, or the relay.

        Raises:
            BountyError: It is not to be had, or contradicts the terms: do not label.
        """
        if self._document is None:
            found = self.folder.find_document(terms) or offers.find_document(self.session, terms)
            if found is None and self.wanted_relay is not None:
                found = self.relay(self.wanted_relay).document(self.bounty_id, terms)
            if found is None:
                raise BountyError(
                    f"the document of bounty {self.bounty_id} is in no storage of yours; name the"
                    " relay that has it"
                )
            found.require_fits(terms)
            self.folder.keep_document(found)
            self._document = found
        return self._document

    @property
    def entry(self) -> Entry:
        """What was asked for.

        Raises:
            BountyError: Nothing was.
        """
        entry = self.folder.entry
        if entry is None:
            raise BountyError(
                f"you have not joined bounty {self.bounty_id}; `truthmark bounty join"
                f" {self.bounty_id}` does"
            )
        return entry

    # --------------------------------------------------------------------- relays

    def relay(self, url: str, *, is_named: bool = False) -> "relay_client.RelayClient":
        """Return the relay or receiver at an address.

        What documents say is a stranger's text: such an address is asked only where it is public,
        or the person's settings allow it, outside of development chains. What the person named
        themself is asked wherever it is.

        Args:
            url: The address.
            is_named: Whether the person named it.
        """
        is_named = is_named or self._is_named(url)
        if (url, is_named) not in self._relays:
            settings = self.session.settings
            if is_named or is_devnet(settings):
                client = relay_client.RelayClient(url)
            else:
                client = relay_client.open_public_relay(url, private=private_networks(settings))
            self._relays[url, is_named] = client
        return self._relays[url, is_named]

    def _is_named(self, url: str) -> bool:
        entry, named = self.folder.entry, [self.wanted_relay]
        if entry is not None and entry.is_named:
            named.append(entry.relay)
        return any(one is not None and one.rstrip("/") == url.rstrip("/") for one in named)

    def find_relay(self, terms: Terms, document: Document) -> "relay_client.RelayClient":
        """Return the relay of the terms: the first that answers and is the one.

        Args:
            terms: The bounty's terms.
            document: Of the bounty.

        Raises:
            RelayUnavailableError: None answers, of those that there are.
            BountyError: None is.
        """
        urls = [self.wanted_relay] if self.wanted_relay is not None else []
        problems, silent = [], 0
        for url in dict.fromkeys([*urls, *document.relay_urls]):
            relay = self.relay(url)
            try:
                info = relay.info()
            except RelayError as error:
                problems.append(str(error))
                silent += isinstance(error, RelayUnavailableError)
                continue
            place = info.chain_id, address_bytes(info.board), address_bytes(info.account)
            if place == (
                self.ref.chain_id,
                address_bytes(self.ref.board),
                address_bytes(terms.relay),
            ):
                return relay
            problems.append(f"{url} is not the relay {terms.relay} that the terms name")
        kind = RelayUnavailableError if silent else BountyError
        raise kind(
            f"no relay of bounty {self.bounty_id} can be reached"
            + (f": {'; '.join(problems)}" if problems else "; name one that has it")
        )

    # ----------------------------------------------------------------------- keys

    def signer(self, account: str) -> str:
        """Return the address that labels; first makes its key, where it is one of its own.

        Args:
            account: Of the home, or "" for a key of this bounty's own.

        Raises:
            KeysError: There is no such account, or the vault cannot keep the key.
        """
        if account:
            return to_checksum_address(self.session.signer_of(account).address)
        vault = self.session.vault
        if vault.find(KEY_KIND, self._key_name) is None:
            scalar = 1 + secrets.randbelow(N - 1)
            vault.put(KEY_KIND, self._key_name, {"secret": word(scalar).hex()})
        own = address_of(multiply(int.from_bytes(self.key(""), "big")))
        return to_checksum_address(own)

    def key(self, account: str) -> bytes:
        """Return the key that signs, 32 bytes.

        Raises:
            KeysError: It is not there.
            BountyError: It is damaged.
        """
        if account:
            return self.session.signer_of(account).private_key
        record = self.session.vault.get(KEY_KIND, self._key_name)
        try:
            return word(bytes.fromhex(record["secret"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BountyError("the vault's labeler key is damaged; restore a backup") from error

    def find_signed(self, record: Record) -> SignedCommit | None:
        """Return what was signed for the bounty, made again from the vault, or None."""
        entry = self.folder.entry
        if entry is None or not any(record.seed):
            return None
        if self._signed is None or self._signed[0] != record.seed:
            found = labeler.find_signed(self.session.vault, record, self.key(entry.account))
            self._signed = None if found is None else (record.seed, found)
        return None if self._signed is None else self._signed[1]

    @property
    def _key_name(self) -> str:
        ref = self.ref
        return f"{ref.chain_id}-{address_bytes(ref.board).hex()}-{ref.bounty_id}"
