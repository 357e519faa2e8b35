# SPDX-License-Identifier: Apache-2.0
"""What a bounty asks, in words: the document whose SHA-256 its terms carry (docs/bounties.md).

It comes from a stranger, so reading is strict: what is too long, of another type, or unknown is
refused. Its texts are the requester's; code that shows them must make them harmless first.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self, get_args

from truthmark.bounty.terms import MAX_WORKERS, Terms
from truthmark.cid import CID, raw_cid
from truthmark.codec.manifest import from_canonical_json, to_canonical_json
from truthmark.errors import BountyError, CodecError
from truthmark.hashing import sha256
from truthmark.labels.permutation import MAX_ITEMS
from truthmark.labels.scoring import MAX_CLASSES

FORMAT: Final = "truthmark/bounty/1"
MAX_BYTES: Final = 1 << 20
"""One block, so that the CID follows from the hash in the terms."""
MAX_EXAMPLES: Final = 3
MAX_PRACTICE: Final = 30
MAX_TITLE: Final = 200
MAX_GUIDELINES: Final = 200_000
MAX_TEXT: Final = 10_000
MAX_NAME: Final = 100
MAX_ADDRESSES: Final = 10
POST_ROWS: Final = 32
POST_SECONDS: Final = 120

Kind = Literal["text", "image", "audio", "pair", "number"]
"""What is labeled: a text, a picture, a sound, two items side by side, or a row of numbers."""

_URL: Final = re.compile(r"https?://[!-~]{1,490}")
_KEY: Final = re.compile(r"0x[0-9a-f]{64}")
_BIG_ROSTER: Final = 320


@dataclass(frozen=True, slots=True)
class LabelClass:
    """An answer that people may give.

    Attributes:
        name: What it is called, unlike any other's.
        key: The key of a keyboard that stands for it, or "" for the next digit.
    """

    name: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class ItemsInfo:
    """Where the items are (`truthmark.bounty.items`).

    Attributes:
        count: N, as in the terms.
        shown: How many more stand in the same file for everyone to read: examples and practice.
        manifest: CID of the list of offsets and hashes.
        data: CID of the file of all items.
        encrypted: Whether the first `count` open only with their keys.
    """

    count: int
    shown: int
    manifest: CID
    data: CID
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Practice:
    """An item with its answer, to learn from before joining.

    Attributes:
        item: Its place behind the items that are labeled: 0 is the first that is shown.
        answer: The class.
        explanation: Why.
    """

    item: int
    answer: int
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class WatchNode:
    """A node that posts and proves for labelers who have left.

    Attributes:
        url: Where it takes deposits.
        key: For which secrets are sealed that it may be given after the commit, 32 bytes as hex.
    """

    url: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All that the terms do not say in numbers.

    Attributes:
        title: One line.
        guidelines: What to answer when, in Markdown.
        classes: By number; none where a label is the hash of an annotation (team mode).
        kind: What an item is.
        items: Where they are.
        examples: At most three of the items that are shown.
        practice: At most thirty, answered locally and scored before joining.
        licence: What labelers grant: an SPDX expression, or the text.
        flags: Warnings of content that some do not want to see.
        relay_urls: Of the relay that the terms name.
        receiver_urls: Of the requester's receiver, where that is not at the relay.
        watch: Nodes that serve labelers of this bounty.
        post_rows: After how many commits the relay posts; None for `rows_to_post`'s.
        post_seconds: How long the relay lets a commit wait at most.
        seconds_per_item: As a pilot measured; None where nobody did.
        gold_against: Whether gold was chosen so that a model of the requester's is at chance on it.
        wave_of: The bounty whose unsure items these are.
        max_labels_each: How many labels one labeler can give at most.
    """

    title: str
    guidelines: str
    classes: tuple[LabelClass, ...]
    kind: Kind
    items: ItemsInfo
    examples: tuple[int, ...] = ()
    practice: tuple[Practice, ...] = ()
    licence: str
    flags: tuple[str, ...] = ()
    relay_urls: tuple[str, ...] = ()
    receiver_urls: tuple[str, ...] = ()
    watch: tuple[WatchNode, ...] = ()
    post_rows: int | None = None
    post_seconds: int = POST_SECONDS
    seconds_per_item: float | None = None
    gold_against: bool = False
    wave_of: int | None = None
    max_labels_each: int | None = None

    def __post_init__(self) -> None:
        """Refuse what nobody could use.

        Raises:
            BountyError: A field is too long, of another type, or contradicts another.
        """
        for name, is_fine, what in self._rules():
            if not is_fine:
                raise BountyError(f"{name} of the bounty's document {what}")

    def to_bytes(self) -> bytes:
        """Return the document as canonical JSON (RFC 8785).

        Raises:
            BountyError: It is longer than 1 MiB, or a text has no UTF-8.
        """
        value = asdict(self) | {"format": FORMAT}
        value["items"] |= {"manifest": str(self.items.manifest), "data": str(self.items.data)}
        try:
            data = to_canonical_json(value, "document")
        except CodecError as error:
            raise BountyError(str(error)) from error
        if len(data) > MAX_BYTES:
            raise BountyError(f"the bounty's document has {len(data)} bytes; shorten it to 1 MiB")
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a document.

        Raises:
            BountyError: It is none, or one of a later version.
        """
        if len(data) > MAX_BYTES:
            raise BountyError("a bounty's document has at most 1 MiB; ask for the right file")
        try:
            value = from_canonical_json(data, "document")
        except CodecError as error:
            raise BountyError(str(error)) from error
        if value.pop("format", None) != FORMAT:
            raise BountyError("this is no document of a bounty that can be read; update truthmark")
        try:
            return cls(**_fields(cls, value))
        except (CodecError, TypeError) as error:
            raise BountyError(f"the bounty's document is damaged ({error})") from error

    @property
    def hash(self) -> bytes:
        """What the terms carry, 32 bytes."""
        return sha256(self.to_bytes())

    @property
    def cid(self) -> CID:
        """Under which storage and relay have it."""
        return raw_cid(self.hash)

    def rows_to_post(self, workers: int) -> int:
        """Return after how many commits the relay posts, for a roster of so many rows."""
        if self.post_rows is not None:
            return self.post_rows
        return POST_ROWS if workers < _BIG_ROSTER else -(-workers // 4)

    def require_fits(self, terms: Terms) -> None:
        """Refuse a document that is not that of the terms, or contradicts them.

        Raises:
            BountyError: Do not label for them; the message says why.
        """
        if self.hash != terms.document:
            raise BountyError("this is not the document that the terms name; fetch it again")
        if self.items.count != terms.items:
            raise BountyError("document and terms differ in the number of items; do not label")
        if len(self.classes) != terms.classes:
            raise BountyError("document and terms differ in the classes; do not label")

    def _rules(self) -> "list[tuple[str, bool, str]]":
        names = [entry.name for entry in self.classes]
        keys = [entry.key for entry in self.classes if entry.key]
        items, shown = self.items, range(self.items.shown)
        return [
            ("title", _is_line(self.title, MAX_TITLE), f"is one line of 1 to {MAX_TITLE} letters"),
            ("guidelines", _is_text(self.guidelines, MAX_GUIDELINES), "are a text"),
            ("classes", len(names) != 1 and len(names) <= MAX_CLASSES, "are 2 to 254, or none"),
            (
                "classes",
                all(_is_line(name, MAX_NAME) for name in names) and len({*names}) == len(names),
                f"have names on one line of 1 to {MAX_NAME} letters, each its own",
            ),
            (
                "classes",
                all(len(key) == 1 and key.isprintable() and not key.isspace() for key in keys)
                and len({*keys}) == len(keys),
                "have single keys, each its own",
            ),
            ("kind", self.kind in get_args(Kind), "is text, image, audio, pair or number"),
            ("items", 0 < items.count <= MAX_ITEMS, f"are 1 to {MAX_ITEMS}"),
            (
                "items",
                0 <= items.shown <= MAX_EXAMPLES + MAX_PRACTICE,
                f"show at most {MAX_EXAMPLES + MAX_PRACTICE}",
            ),
            (
                "examples",
                len(self.examples) <= MAX_EXAMPLES and all(n in shown for n in self.examples),
                f"are at most {MAX_EXAMPLES} of the items that are shown",
            ),
            (
                "practice",
                len(self.practice) <= MAX_PRACTICE
                and all(
                    entry.item in shown
                    and 0 <= entry.answer < len(names)
                    and _is_text(entry.explanation, MAX_TEXT)
                    for entry in self.practice
                ),
                f"is at most {MAX_PRACTICE} of the items that are shown, with a class and a text",
            ),
            (
                "licence",
                _is_text(self.licence, MAX_TEXT) and bool(self.licence.strip()),
                "is an SPDX expression or a text",
            ),
            (
                "flags",
                len(self.flags) <= MAX_ADDRESSES and all(_is_line(f, MAX_NAME) for f in self.flags),
                f"are at most {MAX_ADDRESSES} lines",
            ),
            *(
                (name, len(urls) <= MAX_ADDRESSES and all(map(_URL.fullmatch, urls)), "are URLs")
                for name, urls in (
                    ("relay_urls", self.relay_urls),
                    ("receiver_urls", self.receiver_urls),
                    ("watch", tuple(node.url for node in self.watch)),
                )
            ),
            ("watch", all(_KEY.fullmatch(n.key) for n in self.watch), "has keys of 32 bytes"),
            (
                "post_rows",
                self.post_rows is None or 0 < self.post_rows <= MAX_WORKERS,
                f"is 1 to {MAX_WORKERS}",
            ),
            ("post_seconds", 0 < self.post_seconds <= 86_400, "is 1 to 86400"),
            (
                "seconds_per_item",
                self.seconds_per_item is None or 0 < self.seconds_per_item <= 86_400,
                "is at most 86400",
            ),
            ("wave_of", self.wave_of is None or self.wave_of >= 0, "is a bounty's number"),
            (
                "max_labels_each",
                self.max_labels_each is None or 0 < self.max_labels_each <= MAX_ITEMS,
                "is a number of labels",
            ),
        ]


def _is_line(text: str, limit: int) -> bool:
    return 0 < len(text) <= limit and text.isprintable() and bool(text.strip())


def _is_text(text: str, limit: int) -> bool:
    return len(text) <= limit


# ---------------------------------------------------------------------------- reading

_Read = Callable[[Any], Any]


def _fields(cls: type, value: Any) -> dict[str, Any]:
    """Return the arguments of a dataclass: exactly its fields, each of its type."""
    if not isinstance(value, Mapping) or value.keys() != {field.name for field in fields(cls)}:
        raise TypeError(f"{cls.__name__} has other fields")
    return {name: _READERS[cls][name](value[name]) for name in value}


def _exactly(kind: type) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not kind:  # a truth value is no number here
            raise TypeError(f"a {kind.__name__} is needed")
        return value

    return read


def _maybe(read: _Read) -> _Read:
    return lambda value: None if value is None else read(value)


def _many(read: _Read) -> _Read:
    def read_all(value: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError("a list is needed")
        return tuple(map(read, value))

    return read_all


def _record(cls: type) -> _Read:
    return lambda value: cls(**_fields(cls, value))


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError("a number is needed")
    return float(value)


_text, _count, _truth = _exactly(str), _exactly(int), _exactly(bool)


def _cid(value: Any) -> CID:
    return CID.parse(_text(value))


_READERS: Final[dict[type, dict[str, _Read]]] = {
    LabelClass: {"name": _text, "key": _text},
    ItemsInfo: {
        "count": _count,
        "shown": _count,
        "manifest": _cid,
        "data": _cid,
        "encrypted": _truth,
    },
    Practice: {"item": _count, "answer": _count, "explanation": _text},
    WatchNode: {"url": _text, "key": _text},
    Document: {
        "title": _text,
        "guidelines": _text,
        "classes": _many(_record(LabelClass)),
        "kind": _text,
        "items": _record(ItemsInfo),
        "examples": _many(_count),
        "practice": _many(_record(Practice)),
        "licence": _text,
        "flags": _many(_text),
        "relay_urls": _many(_text),
        "receiver_urls": _many(_text),
        "watch": _many(_record(WatchNode)),
        "post_rows": _maybe(_count),
        "post_seconds": _count,
        "seconds_per_item": _maybe(_number),
        "gold_against": _truth,
        "wave_of": _maybe(_count),
        "max_labels_each": _maybe(_count),
    },
}
