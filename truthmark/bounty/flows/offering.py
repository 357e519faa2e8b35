# SPDX-License-Identifier: Apache-2.0
"""A bounty given to the relay that its terms name: who may join, and all that labelers fetch."""

import time

from truthmark.bounty.items import DATA_NAME, MANIFEST_NAME
from truthmark.bounty.relays import relay_client, relay_models
from truthmark.bounty.secrets import RequesterSecrets, find_secrets
from truthmark.bounty.workspace import Workspace
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session
from truthmark.types import Bar, no_bar


def offer_of(
    workspace: Workspace, secrets: RequesterSecrets, number: int = 0
) -> "relay_models.Offer":
    """Return what the relay is told of a bounty.

    Args:
        workspace: Whose guests may join; everybody if there are none.
        secrets: Of the bounty.
        number: Higher than that of the offer before.
    """
    guests = workspace.guests
    is_encrypted = workspace.document.items.encrypted
    return relay_models.Offer(
        number=number,
        items_secret=secrets.items_secret if is_encrypted else None,
        invited=[relay_models.Invited(account=g.account, name=g.name) for g in guests if g.account],
        invitations=[
            relay_models.Invitation(code_hash=relay_models.code_hash(g.code), name=g.name)
            for g in guests
            if g.code
        ],
        webhooks=list(workspace.webhooks),
    )


def has_to_offer(workspace: Workspace, secrets: RequesterSecrets, url: str) -> bool:
    """Return whether a relay was not told yet, or something else than what holds now.

    Args:
        workspace: The requester's folder of the bounty.
        secrets: Of the bounty, which are part of an offer.
        url: Of the relay.
    """
    told: dict[str, str] = workspace.progress.get("offered", {})
    return told.get(url) != offer_of(workspace, secrets).hash.hex()


def offer_to(
    relay: "relay_client.RelayClient", session: Session, workspace: Workspace, *, bar: Bar = no_bar
) -> None:
    """Tell a relay to serve a bounty, and bring what it lacks; the same again changes nothing.

    Args:
        relay: Of the terms.
        session: Of the requester, who signs.
        workspace: Of the bounty, which is on chain.
        bar: Shows how far the items are.

    Raises:
        BountyError: It is another relay than the terms name, or refuses.
        ConfigError: The way there is open for all to read.
        KeysError: The vault does not have the bounty's secrets.
    """
    ref, terms = workspace.ref, workspace.terms
    if ref is None:
        raise BountyError(
            f"{workspace.folder} is of no bounty on chain yet; finish `truthmark bounty create`"
        )
    account = relay.info().account
    if address_bytes(account) != address_bytes(terms.relay):
        raise BountyError(
            f"{relay.url} is the relay {account}, and the terms name {terms.relay}; start that one"
        )
    secrets = find_secrets(session.vault, terms.key)
    offer = offer_of(workspace, secrets, int(time.time()))
    lacks = relay.offer(ref, terms.hash, offer, session.signer.sign_typed).missing
    if not workspace.draft.get("uploads", True):
        lacks = []  # it fetches them by their names
    if "document" in lacks:
        relay.put_document(ref.bounty_id, workspace.document)
    if "manifest" in lacks:
        relay.put_manifest(ref.bounty_id, workspace.folder / MANIFEST_NAME)
    if "data" in lacks:
        with bar("handing the items to the relay", "bytes") as progress:
            relay.put_data(ref.bounty_id, workspace.folder / DATA_NAME, progress)
    told = workspace.progress.get("offered", {})
    told[relay.url] = offer_of(workspace, secrets).hash.hex()
    workspace.save_progress(workspace.progress | {"offered": told})
