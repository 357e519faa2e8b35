# SPDX-License-Identifier: Apache-2.0
"""Packing under a fresh secret that is on disk before the packed folder is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from truthmark import codec
from truthmark.errors import KeysError
from truthmark.keys.curve import base_of, multiply, random_scalar
from truthmark.keys.vault import Vault
from truthmark.types import Point


def pack_dataset(
    source: Any,
    target: Path,
    vault: Vault,
    *,
    preview: bool = True,
    note: Callable[["codec.Manifest"], None] | None = None,
    **options: Any,
) -> "codec.Packed":
    """Pack a source under a fresh secret, which the vault keeps.

    What fails leaves nothing: neither a folder nor a secret of nothing.

    Args:
        source: As `truthmark.codec.pack` takes it.
        target: A folder that does not exist yet, or is empty.
        vault: Where the secret is written, and synced, before the folder gets its name.
        preview: Whether chance draws a sample of it once it is listed; without one it is sold
            blind.
        note: Called with the manifest once the secret is kept, before the folder gets its name.
        options: As `truthmark.codec.pack` takes them; `previous` is here a folder that was packed
            before with a secret of this vault, whose unchanged shards are taken over.

    Raises:
        CodecError: The source cannot be packed; nothing is left at `target`.
        ConfigError: An option cannot be used.
        KeysError: The vault cannot be written, or does not have the older version's secret.
    """
    previous = options.pop("previous", None)
    if previous is not None:
        folder = Path(previous)
        older = codec.read_manifest(folder).public_key
        options["previous"] = codec.Previous(folder, secret_cek(vault.seller_secret(older), older))
    vault.require_writable()  # not only after hours of packing
    secret = random_scalar()
    public_key = multiply(secret)

    def commit(manifest: "codec.Manifest") -> None:
        vault.put_seller_secret(secret)
        if note is not None:
            note(manifest)

    return codec.pack(
        source,
        target,
        cek=secret_cek(secret, public_key),
        public_key=public_key,
        preview=preview,
        commit=commit,
        **options,
    )


def seller_cek(vault: Vault, public_key: Point) -> bytes:
    """Return the content key of a version that was packed with a secret of this vault.

    Raises:
        KeysError: The vault does not have the secret.
    """
    return secret_cek(vault.seller_secret(public_key), public_key)


def secret_cek(secret: int, public_key: Point) -> bytes:
    """Return the content key that follows from s: of K = s * B.

    Raises:
        KeysError: s is not the secret of `public_key`.
    """
    if multiply(secret) != public_key:
        raise KeysError("this secret is of another version; take the one it was packed with")
    base, _ = base_of(public_key)
    return codec.cek_from_point(multiply(secret, base))
