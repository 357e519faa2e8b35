# SPDX-License-Identifier: Apache-2.0
"""Secrets for watch nodes: they open for one node, one bounty and one worker."""

from dataclasses import replace

import pytest

from truthmark.bounty.reference import BountyRef
from truthmark.bounty.watching import (
    SEALED_BYTES,
    derive_watch_key,
    open_secret,
    seal_secret,
)
from truthmark.errors import KeysError
from truthmark.keys.curve import N
from truthmark.keys.sealing import SUITE, encryption_public_key
from truthmark.keys.typed import sign

REF = BountyRef(31337, "0x" + "b0" * 20, 7)
PRIVATE = b"\x11" * 32
KEY = encryption_public_key(PRIVATE)


def test_seal_secret__opened_by_the_node__is_the_secret() -> None:
    sealed = seal_secret(KEY, REF, 3, N - 1)
    assert len(sealed) == SEALED_BYTES and sealed != seal_secret(KEY, REF, 3, N - 1)
    assert open_secret(PRIVATE, REF, 3, sealed) == N - 1


@pytest.mark.parametrize("what", ["key", "worker", "bounty", "board", "bytes"])
def test_open_secret__anything_else__is_refused(what: str) -> None:
    sealed = seal_secret(KEY, REF, 3, 5)
    private = b"\x12" * 32 if what == "key" else PRIVATE
    ref = replace(REF, bounty_id=8) if what == "bounty" else REF
    ref = replace(ref, board="0x" + "b1" * 20) if what == "board" else ref
    sealed = sealed[:-1] + bytes([sealed[-1] ^ 1]) if what == "bytes" else sealed
    with pytest.raises(KeysError, match="does not open"):
        open_secret(private, ref, 4 if what == "worker" else 3, sealed)


def test_seal_secret__key_of_small_order__is_refused() -> None:
    for key in (bytes(32), b"short"):
        with pytest.raises(KeysError, match="no usable X25519 key"):
            seal_secret(key, REF, 3, 5)


def test_open_secret__no_scalar__is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    from truthmark.bounty import watching

    public = X25519PublicKey.from_public_bytes(KEY)
    for plain in (bytes(32), b"\xff" * 32, b"x"):
        sealed = SUITE.encrypt(plain, public, watching._info(REF, 3))
        with pytest.raises(KeysError, match="no secret"):
            open_secret(PRIVATE, REF, 3, sealed)


def test_derive_watch_key__another_account_board_or_chain__is_another() -> None:
    def of(key: bytes, board: str = REF.board, chain_id: int = 1) -> bytes:
        return derive_watch_key(lambda m: sign(m, key), chain_id=chain_id, board=board)

    mine, other = b"\x07" * 32, b"\x08" * 32
    assert len({of(mine), of(other), of(mine, "0x" + "b1" * 20), of(mine, chain_id=2)}) == 4
    assert of(mine) == of(mine)
