# SPDX-License-Identifier: Apache-2.0
"""What a node means by an error object: every client and provider words it in its own way.

Words are weak evidence, so only two kinds are believed at once: that a contract refused, and what
an honest node says of a transaction. Whatever else is said leads to waiting, to asking for less
or to another endpoint, each within bounds; so a wording that is taken for the wrong kind costs
time, not correctness.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from truthmark.errors import ChainError, MalformedReplyError, NodeError, RevertedError


class Kind(Enum):
    """What an error object calls for."""

    REVERTED = auto()  # a contract refused
    ANSWER = auto()  # what an honest node says of a transaction
    UNABLE = auto()  # this node lacks the state or the method; another one may have it
    TOO_MUCH = auto()  # too many questions, blocks or logs at once
    BUSY = auto()  # wait
    UNKNOWN = auto()  # ask elsewhere and again before it is believed


class RpcReplyError(NodeError):
    """The error object of a JSON-RPC answer.

    Attributes:
        node_message: As the node put it, in one line.
        code: As the node gave it; 0 where it is not an integer.
        data: Revert data as 0x text, or None.
    """

    def __init__(self, message: str, code: int = 0, data: str | None = None) -> None:
        """Keep what the node said."""
        super().__init__(f"the chain's node refuses: {message}")
        self.node_message = message
        self.code = code
        self.data = data


@dataclass(frozen=True)
class Refusal:
    """An error object, understood.

    Attributes:
        kind: What it calls for.
        error: What to raise where it is believed.
        seconds: How long the node asks to wait; 0 where it does not say.
    """

    kind: Kind
    error: ChainError
    seconds: float = 0.0


_LONGEST = 500  # characters of a message
_LONGEST_TEXT = 8192  # characters of data
_MOST_TEXTS = 50
_DEEPEST = 6

_BUSY_CODES = frozenset({429, -32005, -32007, -32009, -32016, -32029, -32097})
_SENDING = frozenset(
    {"eth_sendRawTransaction", "eth_sendTransaction", "eth_estimateGas", "eth_call"}
)
# Names of hashes in data that also holds what the contract returned.
_NO_DATA_KEYS = frozenset({"hash", "txhash", "transactionhash", "blockhash", "from", "to", "stack"})

_REVERT_DATA = re.compile(r"(?<![0-9a-f])(?:0x)?((?:08c379a0|4e487b71)[0-9a-f]{64,})", re.I)
_ANY_DATA = re.compile(r"(?:reverted )?(0x(?:[0-9a-f]{2}){4,})", re.I)
_REVERT = re.compile(
    r"\brevert(?:ed|s)?\b|vm exception|vm execution error|\bevm ?error|\bout ?of ?gas\b"
    r"|invalid ?opcode|opcode .{0,20}not defined|bad ?instruction|(?:bad|invalid) ?jump"
    r"|stack ?(?:under|over)flow|write ?protection|static ?state ?change",
    re.I,
)
_ANSWER = re.compile(
    r"nonce.{0,20}too (?:low|high)|old ?nonce|nonce gap|invalid nonce|already ?known"
    r"|known transaction|already imported|already exists|already in |existing tx|underpriced"
    r"|insufficient ?(?:funds|balance)|(?:lack of|enough) funds|intrinsic ?gas"
    r"|exceeds block gas limit|gas required exceeds|gas limit (?:is )?too"
    r"|(?:fee|tip|gas ?price).{0,60}(?:too ?low|less than|higher than|below|lower|cap\b)"
    r"|fee ?cap|fee ?too ?low|configured cap|init ?code|invalid (?:sender|signature)",
    re.I,
)
_RATE = re.compile(
    r"\brate|per second|per minute|/second|/sec\b|too many request|request(?:s|) ?(?:count|limit)"
    r"|\brps\b|compute unit|throttl",
    re.I,
)
_TOO_MUCH = re.compile(
    r"\bbatch|\branges?\b|too (?:large|big|wide|long)|oversized"
    r"|more than [\d,.]+ ?k? ?(?:results|logs|blocks|events)"
    r"|too many (?:results|logs|blocks|events|addresses|topics)"
    r"|(?:response|result|query|payload|request|body).{0,30}(?:size|limit|exceed)"
    r"|size (?:limit )?exceed|exceeds? (?:the |defined |a )?(?:max|limit)|limit exceeded"
    r"|(?:max|maximum|up to|limited to|at most|only).{0,20}(?:results|logs|blocks)"
    r"|query returned|logs?.{0,20}(?:exceed|limit)|timed? ?out|narrow|getlogs",
    re.I,
)
_BUSY = re.compile(
    r"too many|\blimit|quota|capacity|per (?:day|hour|month)|try again|retry|\blater\b|\bbusy\b"
    r"|overload|credits?\b|exceeded|exhausted|slow down|temporar|unavailable|upstream|gateway"
    r"|no (?:available|healthy)|maintenance|back ?off|bandwidth|\bplan\b|upgrade|cool ?down",
    re.I,
)
_UNABLE = re.compile(
    r"method.{0,60}(?:not|does).{0,12}(?:found|support|available|exist|allowed|whitelisted)"
    r"|not supported|unsupported|missing trie node|header.{0,12} not found"
    r"|(?:unknown|invalid) block|block.{0,20} not found|no state|state.{0,40}(?:not|un) ?available"
    r"|not available|pruned|archive|historical|resource not found|invalid (?:param|argument)"
    r"|unauthori[sz]ed|authenticat|api[ -]?key|forbidden",
    re.I,
)
_UNABLE_CODES = frozenset({-32601, -32602, -32604, -32001, -32004})
_WAIT = re.compile(
    r"(?:retry|try[ _]again|back ?off|wait)[a-z_ -]{0,20}[\"':= ]{1,4}(?:in |after |for )?"
    r"([0-9]{1,6}(?:\.[0-9]{1,9})?) ?(ms|min|m(?![a-z]))?",
    re.I,
)

_SPOKEN = (
    re.compile(r"revert(?:ed)? with reason string (['\"])(?P<why>.*)\1", re.I),
    re.compile(r"revert(?:ed)? with (?:an? )?(?P<why>(?:unrecognized )?custom error.*)", re.I),
    re.compile(r"revert reason=\[(?:Error\()?(?P<why>.*?)\)?\](?:, |\)|$)", re.I),
    re.compile(r"revert(?:ed)?(?: reason)?[:=] ?(?P<why>.+)", re.I),
    re.compile(r"execution reverted \((?P<why>.+)\)", re.I),
    re.compile(r"(?:transaction: |^)revert(?:ed)? (?!without |with |opcode )(?P<why>.+)", re.I),
)
_PANIC = re.compile(r"panic code (0x[0-9a-f]{1,4}|[0-9]{1,3})", re.I)
_REPEATED = re.compile(r"(?:execution )?revert(?:ed)?: ?(?=\S)", re.I)
_FAULTS = (
    (re.compile(r"out ?of ?gas", re.I), "the call ran out of gas"),
    (re.compile(r"invalid ?opcode|bad ?instruction|not defined", re.I), "invalid instruction"),
    (re.compile(r"stack ?(?:under|over)flow|(?:bad|invalid) ?jump", re.I), "damaged code"),
)
_NO_REASON = "the contract refuses and gives no reason"


def read_error(error: object, method: str = "eth_call") -> Refusal:
    """Understand the error of a JSON-RPC answer.

    Args:
        error: An object with code, message and data, as far as the node keeps to that; or text.
        method: What was asked.

    Raises:
        MalformedReplyError: It is neither.
    """
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, Mapping):
        raise MalformedReplyError("a chain endpoint's error is not JSON-RPC; try another one")
    code = _code(error.get("code"))
    message = one_line(str(error.get("message") or "no reason given")[:_LONGEST])
    texts = list(_texts({key: value for key, value in error.items() if key != "code"}))
    said = " ".join(one_line(text[:_LONGEST]) for _, text in texts)
    if _is_revert(code, said, texts):
        return Refusal(Kind.REVERTED, RevertedError(revert_reason(error)))
    seconds = _seconds(" ".join(f"{key}: {text[:_LONGEST]}" for key, text in texts))
    data = next((text for key, text in texts if key == "data" and text.startswith("0x")), None)
    answer = RpcReplyError(message, code, data)
    if method in _SENDING and _ANSWER.search(said):
        return Refusal(Kind.ANSWER, answer)
    return Refusal(_kind(code, said), answer, seconds)


def _is_revert(code: int, said: str, texts: list[tuple[str, str]]) -> bool:
    if any(_REVERT_DATA.search(text) for _, text in texts) or _REVERT.search(said):
        return True
    return code == 3 and not (_RATE.search(said) or _BUSY.search(said))


def _kind(code: int, said: str) -> Kind:
    if _RATE.search(said) and not re.search(r"\bbatch", said, re.I):
        return Kind.BUSY
    if _TOO_MUCH.search(said):
        return Kind.TOO_MUCH
    if code in _BUSY_CODES:
        return Kind.BUSY
    if _UNABLE.search(said):
        return Kind.UNABLE
    if _BUSY.search(said):
        return Kind.BUSY
    return Kind.UNABLE if code in _UNABLE_CODES else Kind.UNKNOWN


def revert_reason(error: Mapping[str, Any]) -> str:
    """Return the contract's own words from an error object, or say that it gave none."""
    texts = list(_texts({key: value for key, value in error.items() if key != "code"}))
    blobs = [match[1] for _, text in texts for match in _REVERT_DATA.finditer(text)]
    for blob in sorted(blobs):  # Error(string) before Panic(uint256)
        if words := _decoded(bytes.fromhex(blob[: len(blob) // 2 * 2])):
            return words
    for wanted in ("reason", "message", "data", ""):
        for key, text in texts:
            if wanted and key != wanted:
                continue
            if words := _spoken(text, is_reason=key == "reason"):
                return words
    said = " ".join(text for _, text in texts)
    if match := _PANIC.search(said):
        return f"panic {int(match[1], 0):#04x} in the contract"
    for key, text in texts:
        match = _ANY_DATA.fullmatch(text.strip()) if key not in _NO_DATA_KEYS else None
        if match:
            return f"the contract refuses with unknown data {match[1][:74]}"
    for pattern, words in _FAULTS:
        if pattern.search(said):
            return words
    return _plain(error, texts) or _NO_REASON


def _decoded(raw: bytes) -> str:
    """Return the words of `Error(string)` or `Panic(uint256)`."""
    if raw[:4] == b"\x4e\x48\x7b\x71":
        return f"panic {int.from_bytes(raw[4:36], 'big'):#04x} in the contract"
    if len(raw) < 68:
        return ""
    length = int.from_bytes(raw[36:68], "big")
    return one_line(raw[68 : 68 + min(length, 1024)].decode(errors="replace"))


def _spoken(text: str, *, is_reason: bool) -> str:
    """Return the reason that a sentence such as "execution reverted: late" tells."""
    line = one_line(text[:2048]).strip()
    for pattern in _SPOKEN:
        if match := pattern.search(line):
            words = _unquoted(_REPEATED.sub("", match["why"].strip(), count=1))
            # Data is read as such, and some say "revert:" with nothing behind it.
            return "" if words.lower().startswith("0x") else words
    return _unquoted(line) if is_reason and not line.startswith("0x") else ""


def _plain(error: Mapping[str, Any], texts: list[tuple[str, str]]) -> str:
    """Return words that stand where others put data, or where code 3 says all."""
    for key, text in texts:
        if key == "data" and " " in text.strip() and not _REVERT.search(text):
            return one_line(text[:_LONGEST]).strip()
    message = one_line(str(error.get("message") or "")[:_LONGEST]).strip()
    return message if _code(error.get("code")) == 3 and not _REVERT.search(message) else ""


def _unquoted(words: str) -> str:
    words = words.strip()
    if len(words) > 1 and words[0] == words[-1] and words[0] in "'\"`":
        return words[1:-1]
    return words


def _code(value: object) -> int:
    if isinstance(value, bool):
        return 0
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        return int(value)
    return value if isinstance(value, int) else 0


def _seconds(said: str) -> float:
    match = _WAIT.search(said)
    if not match:
        return 0.0
    unit = {"ms": 0.001, "m": 60.0, "min": 60.0}.get((match[2] or "").lower(), 1.0)
    return float(match[1]) * unit


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Yield key and text of each leaf, those of shallow objects first, up to some limit."""
    level: list[tuple[str, Any]] = [("", value)]
    left = _MOST_TEXTS
    for _ in range(_DEEPEST):
        deeper: list[tuple[str, Any]] = []
        for key, entry in level:
            if isinstance(entry, str) and entry.startswith("{"):
                entry = _parsed(entry)
            if isinstance(entry, Mapping):
                deeper += [(str(name).lower(), part) for name, part in entry.items()]
            elif isinstance(entry, list):
                deeper += [(key, part) for part in entry]
            elif isinstance(entry, str | int | float) and left and entry != "":
                left -= 1
                yield key, str(entry)[:_LONGEST_TEXT]
        level = deeper[: 4 * _MOST_TEXTS]


def _parsed(text: str) -> Any:
    """Return the object that some gateways put into a text; the text where it is none."""
    try:
        return json.loads(text[:_LONGEST_TEXT])
    except (ValueError, RecursionError):
        return text


def one_line(text: str) -> str:
    """Keep what strangers say from breaking lines or steering a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
