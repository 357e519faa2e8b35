# SPDX-License-Identifier: Apache-2.0
"""A permit is signed only where the token's own words say that it would be taken."""

from types import SimpleNamespace
from typing import Any

import pytest

from truthmark.errors import ChainError, ChainUnavailableError
from truthmark.market.permits import sign_permit

ACCOUNT = "0x" + "11" * 20


def asked(separator: bytes | Exception) -> Any:
    """Sign for a token that reports this as its domain's separator."""

    def answer(value: Any) -> Any:
        def call() -> Any:
            if isinstance(value, Exception):
                raise value
            return value

        return lambda *_: SimpleNamespace(call=call)

    functions = SimpleNamespace(
        name=answer("Dollar"), DOMAIN_SEPARATOR=answer(separator), nonces=answer(0)
    )
    token: Any = SimpleNamespace(functions=functions, address=ACCOUNT)
    session: Any = SimpleNamespace(address=ACCOUNT, profile=SimpleNamespace(chain_id=1))
    return sign_permit(session, token, ACCOUNT, 1)


def test_sign_permit__domain_is_none_that_we_know__signs_nothing() -> None:
    assert asked(bytes(32)) is None


def test_sign_permit__token_has_no_permits__signs_nothing() -> None:
    assert asked(ChainError("no such function")) is None


def test_sign_permit__chain_cannot_be_read__says_so() -> None:
    with pytest.raises(ChainUnavailableError):
        asked(ChainUnavailableError("nobody answers"))
