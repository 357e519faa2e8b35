# SPDX-License-Identifier: Apache-2.0
"""A relay, asked over HTTP; nothing of what it says is believed where it can be checked.

The relay holds no power: what it invents or leaves out, the chain shows. So only sizes, hashes and
types are checked here; whether a row is on chain is read from the chain (`bounty.reader`).
"""

import io
import ipaddress
import math
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from truthmark.bounty import messages
from truthmark.bounty.document import MAX_BYTES as MAX_DOCUMENT
from truthmark.bounty.document import Document
from truthmark.bounty.items import Items, manifest_bytes
from truthmark.bounty.label_file import MAX_BYTES as MAX_FILE
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_models import (
    Acknowledgement,
    BountyStatus,
    Calls,
    CommitRequest,
    CommitState,
    DepositRequest,
    DepositState,
    FileEntry,
    Joined,
    JoinRequest,
    JoinState,
    Keys,
    KeysRequest,
    Offer,
    OfferReply,
    OfferRequest,
    Problem,
    RelayInfo,
)
from truthmark.bounty.terms import Terms
from truthmark.chain.http import proxy_for
from truthmark.chain.public_http import (
    PATIENCE,
    Networks,
    PatientTransport,
    PrivateAddressError,
    PublicTransport,
)
from truthmark.cid import cid_of_stream
from truthmark.errors import (
    BountyError,
    ConfigError,
    RelayError,
    RelayUnavailableError,
)
from truthmark.hashing import sha256
from truthmark.keys.typed import TypedData
from truthmark.text import clean
from truthmark.types import Progress

BASE: Final = "/v1"
MAX_REPLY: Final = 8 << 20
"""Bytes of an answer in JSON."""

_TIMEOUT: Final = 30.0
"""Seconds for one silence, also of what is too long for a deadline."""
_PATIENCE: Final = 60.0
"""Seconds for a question and its whole answer: who waits for a relay that drips may miss the time
to act without it."""
_PUBLIC_PATIENCE: Final = 30.0
"""Likewise, for relays that strangers name."""
_LEAST_RATE: Final = 1 << 16
"""Bytes a second, for long ones on top of that."""
_PIECE: Final = 1 << 18
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

_T = TypeVar("_T")
SignTyped = Callable[[TypedData], bytes]
"""Signs typed data, such as `session.signer.sign_typed`."""


def open_public_relay(url: str, *, private: Networks) -> "RelayClient":
    """Return a client of a relay whose address a stranger's document names.

    Args:
        url: Of the relay.
        private: Which networks may be asked that are not public.

    Raises:
        ConfigError: The address is none of HTTP.
    """
    transport = PublicTransport(_PUBLIC_PATIENCE, private=private)
    return RelayClient(url, http=httpx.Client(transport=transport))


class RelayClient:
    """A relay at an address; may be used from several threads.

    Usage example::

        with RelayClient("https://relay.example") as relay:
            state = relay.join(7, JoinRequest(signer=..., payee=..., seats=10, signature=...))

    Args:
        url: Such as `https://relay.example`, or with the path behind which the relay is.
        http: Sends the requests; one of its own if not given.

    Raises:
        ConfigError: The address is none of HTTP.
    """

    def __init__(self, url: str, *, http: httpx.Client | None = None) -> None:
        """Prepare; nothing is asked yet."""
        try:
            parts = urllib.parse.urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            raise ConfigError(f"{clean(url, 120)} is no address of a relay; write https://HOST")
        self.url = url.rstrip("/")
        self._parts = parts
        self._http = http or httpx.Client(
            timeout=_TIMEOUT,
            transport=PatientTransport(math.inf, proxy=proxy_for(parts.scheme, host)),
        )
        self._tokens: dict[int, str] = {}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ everybody

    def info(self, requester: str | None = None) -> RelayInfo:
        """Return who answers there.

        Args:
            requester: Asks whether this one is served for less than others.

        Raises:
            RelayError: It does not, or not as a relay; so everywhere below.
        """
        return self._get("/relay" + (f"?requester={requester}" if requester else ""), RelayInfo)

    def bounties(self) -> list[BountyStatus]:
        """Return the bounties that the relay serves, the newest first."""
        return self._get("/bounties", list[BountyStatus])

    def status(self, bounty_id: int) -> BountyStatus:
        """Return how a bounty stands, as the relay sees it."""
        return self._get(f"/bounties/{bounty_id}", BountyStatus)

    def document(self, bounty_id: int, terms: Terms) -> Document:
        """Return the document that terms name.

        Args:
            bounty_id: The bounty's number.
            terms: The bounty's terms.

        Raises:
            BountyError: What the relay has is another one, or does not fit the terms.
        """
        data = self._bytes(f"/bounties/{bounty_id}/document", MAX_DOCUMENT)
        if sha256(data) != terms.document:
            raise BountyError("the relay has another document than the terms name; do not label")
        document = Document.from_bytes(data)
        document.require_fits(terms)
        return document

    def manifest(self, bounty_id: int, document: Document) -> bytes:
        """Return the list of items.

        Args:
            bounty_id: The bounty's number.
            document: Of the bounty.

        Raises:
            BountyError: The relay's is not that of the document.
        """
        info = document.items
        limit = manifest_bytes(info.count + info.shown)
        manifest = self._bytes(f"/bounties/{bounty_id}/manifest", limit)
        if cid_of_stream(io.BytesIO(manifest)) != info.manifest:
            raise BountyError("the relay has another list of items than the document names")
        return manifest

    def items(self, bounty_id: int, document: Document) -> Items:
        """Return the items, each of which is fetched, and held against its hash, when asked for.

        Args:
            bounty_id: The bounty's number.
            document: Of the bounty.

        Raises:
            BountyError: The relay's list is not that of the document.
        """
        manifest = self.manifest(bounty_id, document)
        items = Items(manifest, lambda offset, length: self.read_data(bounty_id, offset, length))
        items.require_fits(document.items)
        return items

    def item(self, bounty_id: int, number: int, items: Items) -> bytes:
        """Return one item as it is stored, held against its hash.

        Args:
            bounty_id: The bounty's number.
            number: Of the item, from 0.
            items: What the list says.

        Raises:
            IntegrityError: The relay's is another one.
        """
        _, length = items.place(number)
        return items.check(number, self._bytes(f"/bounties/{bounty_id}/items/{number}", length))

    def read_data(self, bounty_id: int, offset: int, length: int) -> bytes:
        """Return a part of the file of all items, unchecked.

        Args:
            bounty_id: The bounty's number.
            offset: Of the first byte.
            length: How many bytes.
        """
        if not length:
            return b""
        part = {"Range": f"bytes={offset}-{offset + length - 1}"}
        return self._bytes(f"/bounties/{bounty_id}/data", length, headers=part)

    def roster(self, bounty_id: int) -> Calls:
        """Return what `enroll` calls brought; check it with `Roster.from_chunks`."""
        return self._get(f"/bounties/{bounty_id}/roster", Calls)

    def commits(self, bounty_id: int) -> Calls:
        """Return what `commit` calls brought."""
        return self._get(f"/bounties/{bounty_id}/commits", Calls)

    # ------------------------------------------------------------------ requesters

    def require_private(self) -> None:
        """Refuse an address to which an offer, which holds secrets, would go for all to read.

        Raises:
            ConfigError: It is such an address.
        """
        if self._parts.scheme == "http" and not _is_near(str(self._parts.hostname)):
            raise ConfigError(
                f"{self.url} is not encrypted, and an offer holds secrets; use its https:// address"
            )

    def offer(
        self, ref: BountyRef, terms_hash: bytes, offer: Offer, sign_typed: SignTyped
    ) -> OfferReply:
        """Tell the relay to serve a bounty; a later offer with a higher number replaces it.

        Args:
            ref: The bounty.
            terms_hash: Of its terms.
            offer: Who may join, secrets, notices.
            sign_typed: Signs as the requester of the terms.

        Raises:
            ConfigError: The way there is open for all to read.
        """
        self.require_private()
        signature = sign_typed(messages.serve(ref, terms_hash, offer_hash=offer.hash))
        request = OfferRequest(terms_hash=terms_hash, offer=offer, signature=signature)
        reply = self._send("PUT", f"/bounties/{ref.bounty_id}", request, OfferReply)
        self._tokens[ref.bounty_id] = reply.upload_token
        return reply

    def put_document(self, bounty_id: int, document: Document) -> None:
        """Give the relay the document; after `offer`, as the next two.

        Args:
            bounty_id: The bounty's number.
            document: Of the bounty.
        """
        self._upload(bounty_id, "document", io.BytesIO(document.to_bytes()))

    def put_manifest(self, bounty_id: int, path: Path) -> None:
        """Give the relay the list of items; after the document.

        Args:
            bounty_id: The bounty's number.
            path: Of the list.
        """
        with path.open("rb") as file:
            self._upload(bounty_id, "manifest", file)

    def put_data(self, bounty_id: int, path: Path, progress: Progress | None = None) -> None:
        """Give the relay the file of all items; after the list.

        Args:
            bounty_id: The bounty's number.
            path: Of the file of all items.
            progress: Called with bytes done and bytes in all.
        """
        with path.open("rb") as file:
            self._upload(bounty_id, "data", file, progress)

    def is_told(self, bounty_id: int) -> bool:
        """Whether this client has offered a bounty, so that it may ask as its requester."""
        return bounty_id in self._tokens

    def joined(self, bounty_id: int) -> list[Joined]:
        """Return who was invited and who joined, with names; after `offer`."""
        return self._get(
            f"/bounties/{bounty_id}/joined", list[Joined], headers=self._rights(bounty_id)
        )

    # ------------------------------------------------------------------ labelers

    def join(self, bounty_id: int, request: JoinRequest) -> JoinState:
        """Ask for seats; the same again returns how that stands.

        Args:
            bounty_id: The bounty's number.
            request: What is asked, signed.
        """
        return self._send("POST", f"/bounties/{bounty_id}/joins", request, JoinState)

    def join_state(self, bounty_id: int, signer: str) -> JoinState:
        """Return how a signer's wish stands.

        Args:
            bounty_id: The bounty's number.
            signer: Address of the key that signs.
        """
        return self._get(f"/bounties/{bounty_id}/joins/{signer}", JoinState)

    def keys(self, bounty_id: int, request: KeysRequest) -> dict[int, bytes]:
        """Return the keys of the items of a worker's run.

        Args:
            bounty_id: The bounty's number.
            request: What is asked, signed.
        """
        return self._send("POST", f"/bounties/{bounty_id}/keys", request, Keys).keys

    def commit(self, bounty_id: int, request: CommitRequest) -> CommitState:
        """Give a signed commit to be posted; the same again returns how that stands.

        Args:
            bounty_id: The bounty's number.
            request: What is asked, signed.
        """
        return self._send("POST", f"/bounties/{bounty_id}/commits", request, CommitState)

    def commit_state(self, bounty_id: int, worker: int) -> CommitState:
        """Return how a worker's commit stands, as the relay sees it; the chain decides.

        Args:
            bounty_id: The bounty's number.
            worker: Row of the roster, from 0.
        """
        return self._get(f"/bounties/{bounty_id}/commits/{worker}", CommitState)

    def put_file(self, bounty_id: int, file: LabelFile) -> None:
        """Hand out labels; only once exactly their commit is on chain and confirmed.

        Args:
            bounty_id: The bounty's number.
            file: The sealed labels with their notes.
        """
        path = f"/bounties/{bounty_id}/files/{file.worker}"
        self._request("PUT", path, content=file.to_bytes())

    def acknowledgement(self, bounty_id: int, worker: int) -> bytes | None:
        """Return the receiver's signature for a worker's file; None while there is none.

        Whether it counts, `labeler.is_acknowledged` says.

        Args:
            bounty_id: The bounty's number.
            worker: Row of the roster, from 0.
        """
        try:
            path = f"/bounties/{bounty_id}/acknowledgements/{worker}"
            return self._get(path, Acknowledgement).signature
        except RelayError as error:
            if error.status == 404:
                return None
            raise

    def deposit(self, bounty_id: int, worker: int, request: DepositRequest) -> DepositState:
        """Leave a signed commit and a label file with a watch node.

        Args:
            bounty_id: The bounty's number.
            worker: Row of the roster, from 0.
            request: What is asked, signed.
        """
        path = f"/bounties/{bounty_id}/deposits/{worker}"
        return self._send("PUT", path, request, DepositState)

    def deposit_state(self, bounty_id: int, worker: int) -> DepositState:
        """Return what a watch node has of a worker.

        Args:
            bounty_id: The bounty's number.
            worker: Row of the roster, from 0.
        """
        return self._get(f"/bounties/{bounty_id}/deposits/{worker}", DepositState)

    # ------------------------------------------------------------------ receivers

    def files(self, bounty_id: int) -> list[FileEntry]:
        """Return which label files are there."""
        return self._get(f"/bounties/{bounty_id}/files", list[FileEntry])

    def file(self, ref: BountyRef, worker: int, commitment: bytes) -> LabelFile:
        """Return a worker's label file.

        Args:
            ref: The bounty.
            worker: Whose.
            commitment: That stands on chain for them.

        Raises:
            BountyError: The relay's is another one.
        """
        data = self._bytes(f"/bounties/{ref.bounty_id}/files/{worker}", MAX_FILE)
        file = LabelFile.from_bytes(data)
        if (file.ref, file.worker, file.run.commitment) != (ref, worker, commitment):
            raise BountyError(f"the relay's file of worker {worker} is not what they committed to")
        return file

    def put_acknowledgement(self, bounty_id: int, worker: int, signature: bytes) -> None:
        """Give the relay the receiver's word that it has a worker's file.

        Args:
            bounty_id: The bounty's number.
            worker: Row of the roster, from 0.
            signature: 65 bytes of a key, or what a contract takes.
        """
        path = f"/bounties/{bounty_id}/acknowledgements/{worker}"
        self._request("PUT", path, body=Acknowledgement(signature=signature))

    # ------------------------------------------------------------------ internals

    def _rights(self, bounty_id: int) -> dict[str, str]:
        token = self._tokens.get(bounty_id)
        if token is None:
            raise BountyError("offer the bounty to the relay first; it is only for its requester")
        return {"Authorization": f"Bearer {token}"}

    def _upload(
        self, bounty_id: int, what: str, file: BinaryIO, progress: Progress | None = None
    ) -> None:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)

        def pieces() -> Iterator[bytes]:
            done = 0
            while piece := file.read(_PIECE):
                yield piece
                done += len(piece)
                if progress is not None:
                    progress(done, size)

        headers = self._rights(bounty_id) | {"Content-Length": str(size)}
        path = f"/bounties/{bounty_id}/{what}"
        self._request("PUT", path, content=pieces(), headers=headers)

    def _get(self, path: str, kind: type[_T], headers: dict[str, str] | None = None) -> _T:
        return self._typed(self._request("GET", path, headers=headers), kind)

    def _send(self, method: str, path: str, body: BaseModel, kind: type[_T]) -> _T:
        return self._typed(self._request(method, path, body=body), kind)

    def _bytes(self, path: str, limit: int, headers: dict[str, str] | None = None) -> bytes:
        return self._request("GET", path, headers=headers, limit=limit)

    def _typed(self, data: bytes, kind: type[_T]) -> _T:
        try:
            return TypeAdapter(kind).validate_json(data)
        except ValidationError as error:
            raise RelayError(f"{self.url} does not answer as a relay; name another one") from error

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        content: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        limit: int = MAX_REPLY,
    ) -> bytes:
        headers = dict(headers or {})
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = body.model_dump_json().encode()
        elif content is not None:
            headers["Content-Type"] = "application/octet-stream"
        patience = math.inf  # pieces of what one's own relay is to have
        if content is None or isinstance(content, bytes):
            length = len(content or b"") + (0 if limit == MAX_REPLY else limit)
            patience = _PATIENCE + length / _LEAST_RATE
        with self._stream(
            method, path, content=content, headers=headers, patience=patience
        ) as reply:
            return self._read(reply, limit)

    @contextmanager
    def _stream(
        self,
        method: str,
        path: str,
        *,
        content: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        patience: float = math.inf,
    ) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(
                method,
                f"{self.url}{BASE}{path}",
                content=content,
                headers=headers,
                follow_redirects=False,
                extensions={PATIENCE: patience},
            ) as reply:
                if not reply.is_success:
                    raise self._refusal(reply)
                yield reply
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            if isinstance(error.__cause__, PrivateAddressError):
                address = error.__cause__.address
                raise RelayError(
                    f"{self.url} is in a network of its own, where a bounty's document may send"
                    " nobody; if you know it as a relay, name it: `truthmark bounty join N --relay"
                    f" {self.url}`; to allow {address} to all documents, and as a receiver:"
                    f" `truthmark init --private-host {address}`"
                ) from error
            raise RelayUnavailableError(
                f"the relay {self.url} does not answer ({type(error).__name__}); try again later"
            ) from error

    def _read(self, reply: httpx.Response, limit: int) -> bytes:
        data = bytearray()
        for piece in reply.iter_bytes():
            data += piece
            if len(data) > limit:
                raise RelayError(f"the relay {self.url} answers with more than was asked for")
        return bytes(data)

    def _refusal(self, reply: httpx.Response) -> RelayError:
        try:
            said = clean(Problem.model_validate_json(self._read(reply, 1 << 16)).error, 300)
        except (ValidationError, RelayError):
            said = f"HTTP status {reply.status_code}"
        kind = RelayUnavailableError if reply.status_code in _BUSY else RelayError
        return kind(f"the relay says: {said}", reply.status_code)


def _is_near(host: str) -> bool:
    """Whether what is sent to a host stays on this machine, or in its own network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
