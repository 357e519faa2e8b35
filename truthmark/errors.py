# SPDX-License-Identifier: Apache-2.0
"""The one error tree of Truthmark.

Every message is one line that says what is wrong and what to do about it. The CLI turns an
error into its class's `exit_code`, so scripts can tell the classes apart without reading text.
"""

from collections.abc import Iterable
from typing import ClassVar


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for what may have been mistyped, or nothing."""
    from difflib import get_close_matches

    spelled = {name.lower(): name for name in known}
    found = get_close_matches(text.lower()[:100], spelled, n=1)
    return f"; did you mean {spelled[found[0]]}?" if found else ""


class TruthmarkError(Exception):
    """Root of everything Truthmark raises on purpose.

    Args:
        args: The message.
        page: The same for readers of the app's pages, who have no options of the command line to
            give. Only where the message names some.
    """

    exit_code: ClassVar[int] = 1
    page: str = ""

    def __init__(self, *args: object, page: str = "") -> None:
        """Keep both wordings."""
        super().__init__(*args)
        if page:
            self.page = page


class ConfigError(TruthmarkError, ValueError):
    """A setting, profile or argument cannot be used."""

    exit_code = 3


class NoContractError(ConfigError, AttributeError):
    """A network has no contract for what is asked."""


class CodecError(TruthmarkError, ValueError):
    """A container, index, manifest or input file cannot be used."""

    exit_code = 4


class MalformedError(CodecError):
    """Bytes from outside do not follow the format."""


class IntegrityError(CodecError):
    """Bytes differ from what was committed to."""


class WrongKeyError(CodecError):
    """A key does not open what it is said to open."""


class LimitError(CodecError):
    """Something from outside is larger than it declared or than is allowed."""


class UnableError(TruthmarkError, RuntimeError):
    """This computer lacks memory, time or a program; of what it was given that says nothing."""

    exit_code = 10


class StorageError(TruthmarkError, OSError):
    """Blocks cannot be stored or read."""

    exit_code = 5


class BlockNotFoundError(StorageError):
    """No configured storage holds a block."""


class BlockMismatchError(StorageError):
    """A storage answered with bytes that are not those of the CID."""


class StorageUnavailableError(StorageError, ConnectionError):
    """A storage does not answer."""


class ChainError(TruthmarkError):
    """The chain cannot be read or written."""

    exit_code = 6


class ChainUnavailableError(ChainError, ConnectionError):
    """No chain endpoint answers."""


class ChainMismatchError(ChainError):
    """The chain or a contract on it is not the one that the profile names."""


class LateError(ChainError):
    """A transaction would come too late, so it is not sent."""


class RevertedError(ChainError):
    """A contract refused a call; the message is the contract's own reason."""


class GasError(ChainError):
    """Gas costs more than the account holds or the settings allow."""


class NodeError(ChainError):
    """A chain endpoint answers with an error of its own."""


class MalformedReplyError(ChainError, ValueError):
    """A chain endpoint answers with something that does not answer what was asked."""


class EndpointsDisagreeError(ChainError):
    """Two chain endpoints say different things."""


class TransactionPendingError(ChainError, TimeoutError):
    """A transaction is on its way but not confirmed yet; asking again sends nothing twice."""


class KeysError(TruthmarkError, ValueError):
    """A key, share, proof or keystore file cannot be used."""

    exit_code = 7


class ProofError(KeysError):
    """A proof does not hold."""


class PassphraseError(KeysError):
    """A passphrase does not open a file."""


class UnrepeatableSignatureError(KeysError):
    """A wallet's signatures cannot be asked for again, so no secret may hang on one."""


class MarketError(TruthmarkError):
    """A sale cannot go on."""

    exit_code = 8


class PriceError(MarketError):
    """The price is above what the buyer allowed."""


class NotForSaleError(MarketError):
    """Nothing can be bought there now."""


class UnsampledError(MarketError):
    """Too little of a version could be seen before paying, and nobody agreed to that."""


class BoughtBeforeError(MarketError):
    """A version was paid for before, and it is not sure that the money came back."""


class DeliveryError(MarketError):
    """The key was not delivered, or what was delivered does not open the data."""


class BountyError(TruthmarkError):
    """A bounty cannot go on, or its papers do not fit."""

    exit_code = 9


class NothingToAskError(BountyError):
    """No wave can follow a bounty: nothing is unsure, or nothing is left to judge answers by."""


class RelayError(BountyError):
    """A relay refuses something, or answers what cannot be.

    Attributes:
        status: Of HTTP; 0 where there was no usable answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        """Keep what the relay said."""
        super().__init__(message)
        self.status = status


class RelayUnavailableError(RelayError, ConnectionError):
    """A relay does not answer, or cannot just now; asking again later may help."""


class AgentError(BountyError):
    """A program that labels gives no answer, or one that is none."""
