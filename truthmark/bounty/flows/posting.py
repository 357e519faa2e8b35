# SPDX-License-Identifier: Apache-2.0
"""From items to a bounty that people can join: read, gold, terms, agree, store, create, offer.

Repeated after a kill, at any point, it goes on where it was, and nothing is paid twice: the terms
are on disk before anything depends on them, and the journal sends one `create` for them.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import urlsplit

from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.flows.asks import Ask, Job, Posted, Proposal
from truthmark.bounty.flows.drafting import (
    Draft,
    draft_bounty,
    examples_of,
    gold_of,
    practice_names,
    practice_of,
)
from truthmark.bounty.flows.offering import offer_to
from truthmark.bounty.gold import Gold
from truthmark.bounty.items import DATA_NAME, MANIFEST_NAME
from truthmark.bounty.planning import (
    TIMES,
    Gas,
    Plan,
    Times,
    estimate,
    fees_for,
    with_times,
)
from truthmark.bounty.planning import warnings_of as warnings_of_terms
from truthmark.bounty.relays import relay_client
from truthmark.bounty.shape import ROUNDS, shape_open, shape_team
from truthmark.bounty.sources.found import ItemSource, Reading
from truthmark.bounty.team import new_code
from truthmark.bounty.terms import MAX_HASHES, Terms
from truthmark.bounty.workspace import Guest, Workspace
from truthmark.chain.replies import hex_int
from truthmark.config.hosts import is_loopback
from truthmark.errors import BountyError, ConfigError, PriceError, RelayError, did_you_mean
from truthmark.keys.abi_hash import address_bytes
from truthmark.session import Session, is_devnet
from truthmark.text import plural
from truthmark.types import Bar, Say, no_bar, quiet

_DEVNET_WORTH: Final = 3_000
"""How many test dollars the gas coin of a development chain is taken to be worth."""


_NOT_MADE_OF: Final = ("worth", "uploads", "leaves_out", "max_total", "again", "unattended")
"""What of an ask does not make another bounty."""


Agree = Callable[[Proposal], bool]
"""Asked before anything is sent; a no, or what it raises, ends the flow."""


def post_bounty(
    session: Session,
    source: ItemSource,
    ask: Ask,
    *,
    agree: Agree,
    job: Job | None = None,
    say: Say = quiet,
    bar: Bar = no_bar,
) -> Posted:
    """Create a bounty, and give it to its relay.

    Args:
        session: Of the requester.
        source: The items.
        ask: What is wanted.
        agree: Asked what it costs.
        job: Which items these are of an earlier bounty.
        say: Told what happens.
        bar: Shows how far reading and storing are.

    Raises:
        ConfigError: An amount, name or class cannot be understood.
        BountyError: Nothing can be labeled, there is too little gold, or it was not agreed to.
        PriceError: It takes more than `max_total`, or than the account has.
        ChainError: The board refuses, or the chain cannot be read.
        StorageError: Items cannot be stored.
    """
    _require_plain(ask)
    with session.exclusive("bounty-create"):
        # What an earlier run sent comes first: where it created one, nothing is paid any more.
        session.journal.resume()
        fingerprint = _fingerprint(session, source, ask, job)
        done = None if ask.again else _find_done(session, fingerprint)
        if done is not None:
            return _offer(session, done, ask, is_new=False, say=say, bar=bar)
        draft = draft_bounty(
            session,
            source,
            fingerprint,
            practice=practice_names(ask.known, ask.classes, ask.practice),
            encrypted=ask.encrypted,
            bar=bar,
        )
        workspace, client = draft.workspace, BountyClient(session)
        if workspace.has_terms and not client.has_sent(workspace.terms):
            changed = _what_changed(session, client, workspace, ask)
            if changed:
                say(f"{changed} since this was agreed to, so it is asked again")
                workspace.discard_terms()
        if workspace.has_terms:
            say(f"going on with {workspace.folder}, which was agreed to before")
        else:
            _fix(session, draft, ask, job, agree)
        terms = workspace.terms
        _store(session, workspace, bar)
        if not client.has_sent(terms):
            _require_funds(session, terms)
        bounty_id = client.create(terms)
        workspace.save_ref(client.ref(bounty_id))
        say(f"created bounty {bounty_id}")
        return _offer(session, workspace, ask, is_new=True, say=say, bar=bar)


def was_sent(session: Session, source: ItemSource, ask: Ask, job: Job | None = None) -> bool:
    """Return whether a bounty of the same is on chain, or on its way there.

    Args:
        session: Of the requester.
        source: The items.
        ask: What is wanted.
        job: Which items these are of an earlier bounty.
    """
    fingerprint, client = _fingerprint(session, source, ask, job), BountyClient(session)
    return any(
        workspace.ref is not None or (workspace.has_terms and client.has_sent(workspace.terms))
        for workspace in Workspace.all(session.home)
        if workspace.draft.get("fingerprint") == fingerprint
    )


def _offer(
    session: Session, workspace: Workspace, ask: Ask, *, is_new: bool, say: Say, bar: Bar
) -> Posted:
    """Give a bounty to the relay, if that is somebody else's; one's own comes with `run`."""
    ref, terms = workspace.ref, workspace.terms
    assert ref is not None  # it is on chain
    if not is_new:
        say(f"bounty {ref.bounty_id} was created of the same before; nothing was paid")
    is_offered = False
    workspace.save_draft(workspace.draft | {"uploads": ask.uploads})
    if ask.relay is not None:
        try:
            with relay_client.RelayClient(ask.relay) as relay:
                offer_to(relay, session, workspace, bar=bar)
            is_offered = True
        except RelayError as error:
            say(f"{error}; give the same command again to hand it over")
    return Posted(ref.bounty_id, workspace, terms, is_new, is_offered)


# ------------------------------------------------------------------- what it is made of


def _fingerprint(session: Session, source: ItemSource, ask: Ask, job: Job | None) -> dict[str, Any]:
    """Return what a bounty is made of: the same again is the same bounty."""
    wanted = {name: value for name, value in asdict(ask).items() if name not in _NOT_MADE_OF}
    text = json.dumps([wanted, asdict(job) if job else None], sort_keys=True)
    board = BountyClient(session).board.address
    return {
        "chain_id": session.profile.chain_id,
        "board": board,
        "account": session.address,
        "source": source.fingerprint,
        "kind": source.kind,
        "ask": hashlib.sha256(text.encode()).hexdigest(),
    }


def _find_done(session: Session, fingerprint: Mapping[str, Any]) -> Workspace | None:
    """Return the newest bounty on chain that was made of the same; None while one is begun."""
    same = [w for w in Workspace.all(session.home) if w.draft.get("fingerprint") == fingerprint]
    if any(workspace.ref is None for workspace in same):
        return None
    numbered = [(w.ref.bounty_id, w) for w in same if w.ref is not None]
    return max(numbered, key=lambda entry: entry[0])[1] if numbered else None


def _require_plain(ask: Ask) -> None:
    """Refuse what contradicts itself, before a large source is read for nothing."""
    if len(ask.classes) == 1:
        raise ConfigError("name what may be answered, two classes or more")
    if not ask.classes and not ask.team:
        raise ConfigError(
            "texts cannot be judged on known answers; name a team, or what may be answered"
        )
    if not ask.classes and ask.known:
        raise ConfigError("known answers are classes, and texts are asked for; leave one of them")
    if not ask.uploads and ask.relay is None:
        raise ConfigError(
            "your own relay has the items already; only somebody's relay can fetch them"
        )
    if ask.receiver_urls and ask.relay is None:
        raise ConfigError(
            "your own relay takes the files; name a receiver beside somebody's relay alone"
        )
    if ask.times not in TIMES:
        hint = did_you_mean(ask.times, TIMES)
        raise ConfigError(f"there are no times {ask.times!r}, only {', '.join(TIMES)}{hint}")
    if ask.team and (ask.against or ask.gold_count):
        raise ConfigError(
            "with a team there is no gold; leave the team out, or gold and predictions"
        )
    if ask.waves and (ask.team or ask.rounds not in (None, ask.waves[0])):
        raise ConfigError("waves are for bounties with gold, and say the labels an item themselves")
    if ask.waves and not all(2 <= rounds <= 9 for rounds in ask.waves):
        raise ConfigError("a wave has 2 to 9 labels an item; write them like 2+2+3")


# --------------------------------------------------------------------- terms, agreed to


def _fix(session: Session, draft: Draft, ask: Ask, job: Job | None, agree: Agree) -> None:
    """Make terms and document, ask, and put them on disk."""
    workspace = draft.workspace
    gold = _gold(draft, ask)
    relay, urls, asks = _relay(session, workspace, ask)
    plan, idle = plan_bounty(session, ask, items=draft.items.count, gold=len(gold), relay_asks=asks)
    token, _ = session.profile.parse_amount(ask.price)
    document = Document(
        title=ask.title,
        guidelines=ask.guidelines,
        classes=ask.classes,
        kind=draft.kind,
        items=draft.items,
        examples=examples_of(draft),
        practice=practice_of(draft, ask.known, ask.classes),
        licence=ask.licence,
        flags=ask.flags,
        relay_urls=urls,
        receiver_urls=ask.receiver_urls,
        watch=ask.watch,
        seconds_per_item=ask.seconds_per_item,
        gold_against=ask.against is not None,
        wave_of=job.before if job is not None else None,
        max_labels_each=plan.shape.most_labels,
    )
    secrets = draft.secrets
    terms = plan.terms(
        requester=session.address,
        token=token.address,
        relay=relay,
        receiver=secrets.receiver,
        gate=ask.gate,
        gold_commitment=gold.commitment(secrets.gold_salt) if len(gold) else bytes(32),
        document=document.hash,
        salt=secrets.terms_salt,
        key_x=secrets.key.x,
        key_y=secrets.key.y,
    )
    document.require_fits(terms)
    found = estimate(terms, seconds_per_item=ask.seconds_per_item)
    _require_affordable(session, terms, ask)
    _require_left_out(draft.reading, ask)
    counts = {entry.name: int((gold.answers == n).sum()) for n, entry in enumerate(ask.classes)}
    proposal = Proposal(
        terms,
        document,
        found,
        draft.reading,
        counts if len(gold) else {},
        [
            *warnings_of_terms(terms, found),
            *_later_waves(session, terms, ask),
            *_unsafe(document),
        ],
        idle,
    )
    if not agree(proposal):
        raise BountyError("nothing was created, and nothing paid")
    workspace.save_gold(gold)
    workspace.save_guests(_guests(ask))
    workspace.save_document(document)
    workspace.save_draft(
        workspace.draft
        | {
            "known": {name: asdict(entry) for name, entry in ask.known.items()},
            "waves": list(ask.waves),
            "below": ask.below,
            "job": asdict(job) if job is not None else None,
            "price": ask.price,
            "times": ask.times,
            "worth": ask.worth,
            "relay": ask.relay,
        }
    )
    # From here on nothing changes any more.
    workspace.save_terms(terms)


def plan_bounty(
    session: Session, ask: Ask, *, items: int, gold: int, relay_asks: int = 0
) -> tuple[Plan, int]:
    """Return the numbers of a bounty at today's prices, and for how many of a team no work is left.

    Args:
        session: Whose chain says what gas costs and the protocol takes.
        ask: What is wanted.
        items: N.
        gold: G; 0 with a team.
        relay_asks: What the relay wants for a worker, at least.

    Raises:
        ConfigError: The price cannot be understood, or nobody said what the token is worth.
        BountyError: There is too little gold, or there are too few people.
    """
    price = _price(session, ask)
    shape = (
        shape_team(
            items,
            people=len(ask.team),
            rounds=ask.rounds,
            batch=ask.batch,
            **({} if ask.classes else {"most": MAX_HASHES}),
        )
        if ask.team
        else shape_open(items, rounds=_rounds(ask), gold=gold, batch=ask.batch)
    )
    gas_price = int(session.chain.rpc.parsed("eth_gasPrice", (), hex_int))
    gas = Gas(gas_price, _worth(session, ask))
    plan = Plan.make(
        shape,
        classes=len(ask.classes),
        price=price,
        full=ask.full,
        fees=fees_for(shape, len(ask.classes), gas, relay_asks=relay_asks),
        fee_bps=int(BountyClient(session).board.functions.fee_bps().call()),
        times=_times(ask),
    )
    return plan, shape.idle


def _rounds(ask: Ask) -> int:
    if ask.waves:
        return ask.waves[0]
    return ROUNDS if ask.rounds is None else ask.rounds


def _times(ask: Ask) -> Times:
    return with_times(TIMES[ask.times], label=ask.label_seconds, join=ask.join_seconds)


def _price(session: Session, ask: Ask) -> int:
    _, price = session.profile.parse_amount(ask.price)
    if price <= 0:
        raise ConfigError(f"{ask.price} for a label is nothing; nobody would label")
    return price


def _worth(session: Session, ask: Ask) -> float:
    """Return what the token's smallest unit is worth in wei."""
    if ask.worth is not None:
        return ask.worth
    token, _ = session.profile.parse_amount(ask.price)
    if not is_devnet(session.settings):
        native = session.profile.native_symbol
        what = f"say what one {token.symbol} is worth, so that fees cover gas"
        raise ConfigError(
            f"{what}: --worth '0.0003 {native}'", page=f"{what}, such as 0.0003 {native}"
        )
    return float(10**18 / _DEVNET_WORTH / 10**token.decimals)


def _unsafe(document: Document) -> Iterator[str]:
    """Say at which addresses browsers of other machines show no label page."""
    for url in (*document.relay_urls, *document.receiver_urls):
        parts = urlsplit(url)
        host = str(parts.hostname)
        if parts.scheme == "http" and not is_loopback(host):
            yield (
                f"browsers on other machines label nothing at {url}, only terminals do: they want"
                f" https, for which `truthmark certificate {host}` makes what is needed"
            )


def _relay(session: Session, workspace: Workspace, ask: Ask) -> tuple[str, tuple[str, ...], int]:
    """Return account and addresses of the relay, and what it wants for a worker.

    Raises:
        BountyError: It would not serve the bounty, which nobody could label then.
        ConfigError: What it must be told would go there for all to read.
    """
    if ask.relay is None:
        return session.address, ask.relay_urls, 0
    board = BountyClient(session).board.address
    with relay_client.RelayClient(ask.relay) as relay:
        relay.require_private()
        info = relay.info(session.address)
    if (info.chain_id, address_bytes(info.board)) != (
        session.profile.chain_id,
        address_bytes(board),
    ):
        raise BountyError(f"{ask.relay} is a relay of another network; name one of this")
    if "relay" not in info.roles:
        raise BountyError(f"{ask.relay} serves no bounties; name another relay, or use your own")
    size = (workspace.folder / DATA_NAME).stat().st_size
    if info.max_bytes is not None and size > info.max_bytes:
        raise BountyError(
            f"the items have {size} bytes and {ask.relay} takes {info.max_bytes}; make them"
            " smaller, or use a relay of your own"
        )
    if not ask.uploads and not info.fetches:
        raise BountyError(f"{ask.relay} fetches no items; bring them to it")
    if info.knows_requester:
        return info.account, (ask.relay,), 0
    token, _ = session.profile.parse_amount(ask.price)
    fees = {address.lower(): fee for address, fee in info.min_fees.items()}
    least = fees.get(token.address.lower())
    if least is None:
        raise BountyError(
            f"{ask.relay} does not serve {session.address} for {token.symbol}; ask its operator,"
            " or name another relay"
        )
    return info.account, (ask.relay,), least


def _gold(draft: Draft, ask: Ask) -> Gold:
    if ask.team:
        return Gold.parse(b"")
    # What later waves ask again is judged on gold of its own.
    part = 1 / len(ask.waves) if ask.waves else 1.0
    return gold_of(
        draft, ask.known, ask.classes, count=ask.gold_count, against=ask.against, part=part
    )


def _later_waves(session: Session, terms: Terms, ask: Ask) -> list[str]:
    """Say what later waves may cost, which `bounty run` posts without asking again."""
    if len(ask.waves) < 2:
        return []
    most = session.profile.amount(sum(ask.waves[1:]) * terms.items * terms.price, terms.token)
    return [
        f"later waves ask again only what is unsure, for {most} more in labels at the very most"
    ]


def _guests(ask: Ask) -> list[Guest]:
    return [
        Guest(member.name, member.account, "" if member.account else new_code())
        for member in ask.team
    ]


def _require_left_out(reading: Reading, ask: Ask) -> None:
    """Refuse to leave items out where nobody can agree to that."""
    if reading.left_out and ask.unattended and not ask.leaves_out:
        count = plural(reading.left_out, "item")
        if reading.broken:
            why = "cannot be used, such as {} ({})".format(*reading.broken[0])
        else:
            why = "are there before, such as {}, which equals {}".format(*reading.equal[0])
        what = f"{count} of the source {why}; mend the source"
        raise BountyError(f"{what}, or add --leave-out", page=f"{what}, or leave them out")


def _require_affordable(session: Session, terms: Terms, ask: Ask) -> None:
    if ask.max_total is not None:
        limit = session.profile.read_amount(ask.max_total, terms.token)
        total = terms.pot + terms.bond
        if total > limit:
            shown = session.profile.amount(total, terms.token)
            raise PriceError(
                f"it takes {shown}, more than {ask.max_total}; allow more, or ask less"
            )
    _require_funds(session, terms)


def _require_funds(session: Session, terms: Terms) -> None:
    total, held = terms.pot + terms.bond, session.held(terms.token)
    if held < total:
        show = session.profile.amount
        raise PriceError(
            f"it takes {show(total, terms.token)} and {session.address} has"
            f" {show(held, terms.token)}; pay in more, or ask for less"
        )


# ------------------------------------------------------------------------------ sending


def _what_changed(
    session: Session, client: BountyClient, workspace: Workspace, ask: Ask
) -> str | None:
    """Return why board or relay would refuse terms that were agreed to and never sent."""
    terms = workspace.terms
    if int(client.board.functions.fee_bps().call()) != terms.fee_bps:
        return "the protocol's fee has changed"
    if ask.relay is not None:
        account, _, least = _relay(session, workspace, ask)
        if address_bytes(account) != address_bytes(terms.relay) or terms.relay_fee < least:
            return "the relay's account or fee has changed"
    return None


def _store(session: Session, workspace: Workspace, bar: Bar) -> None:
    """Put document and items into the storage; what is there already is not stored again."""
    document = workspace.document
    storage = session.storage
    if storage.put(document.to_bytes()) != document.cid:
        raise BountyError("the storage gives the document another name than the terms; use another")
    with bar("storing", "bytes") as progress:
        for name, cid in (
            (MANIFEST_NAME, document.items.manifest),
            (DATA_NAME, document.items.data),
        ):
            if storage.put(workspace.folder / name, progress=progress) != cid:
                raise BountyError(
                    f"{workspace.folder / name} is not what the terms name any more; restore it"
                )
