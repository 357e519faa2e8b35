# SPDX-License-Identifier: Apache-2.0
"""One bounty: what it asks and pays, and after the score what became of one's own answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import streamlit as st

from app import bounty_views, views
from app.services.accounts import my_session
from app.services.bounties import KINDS, access_to, clock_at, judged_of, record_of, spread_of
from app.services.markdown import plain
from app.services.reading import board, chain_now, is_local, shared_reader
from app.services.samples import sample_of
from app.services.texts import about_of, amount_of, paragraphs_of, said_of
from app.services.wallets import proving
from truthmark.bounty import reader
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document
from truthmark.bounty.flows import paying
from truthmark.bounty.flows.judging import GoldLine, Judgement, Outcome, judgement_of
from truthmark.bounty.flows.labeling import Labeling
from truthmark.bounty.flows.offers import Offer, doubts, own_gas, require_admitted
from truthmark.bounty.flows.standing import Share, shares_of
from truthmark.bounty.lies import Knowledge, Lie, find_lies
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import Phase, phase_of
from truthmark.bounty.proofs import ProofKind
from truthmark.bounty.record import Record
from truthmark.bounty.terms import NO_ACCOUNT
from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError, ConfigError, TruthmarkError
from truthmark.market.settlement import Settlement
from truthmark.session import Session
from truthmark.text import clean, format_duration

_MOST_GOLD: Final = 400
_MOST_LIES: Final = 5
_MOST_SAMPLES: Final = 3
_SAMPLES_SECONDS: Final = 600
_PUBLIC_SECONDS: Final = 10
_UNDER_CHALLENGE: Final = (Status.SCORED, Status.SCORED_HALF)


def bounty(number: int) -> bounty_views.BountyPage:
    """Return all about a bounty, for the account of this machine if there is one.

    Raises:
        BountyError: There is no such bounty, it cannot be read as the chain holds it, or its
            description is not to be had.
        ChainError: The chain cannot be read.
    """
    if is_local():
        return _bounty(number)
    # Visitors of a server see the same; reading a large bounty takes thousands of questions.
    session = shared_reader().session
    return _public_bounty(f"{session.home} {session.profile.name}", number)


@st.cache_data(ttl=_PUBLIC_SECONDS, max_entries=256, show_spinner=False)
def _public_bounty(place: str, number: int) -> bounty_views.BountyPage:
    return _bounty(number)


def _bounty(number: int) -> bounty_views.BountyPage:
    with _labeling(number) as labeling:
        offer = labeling.offer()
        session, record, terms = labeling.session, offer.record, offer.terms
        phase = phase_of(record, offer.mark, offer.now)
        document = offer.document
        hourly = offer.hourly()
        return bounty_views.BountyPage(
            number=number,
            title=clean(document.title, 200) or "Untitled",
            guidelines=paragraphs_of(plain(document.guidelines)),
            kind=KINDS.get(document.kind, "items"),
            classes=tuple(clean(entry.name, 100) for entry in document.classes),
            flags=tuple(clean(flag, 80) for flag in document.flags[:5]),
            licence=clean(document.licence, 2_000),
            pay_rule=offer.pay_rule,
            price=amount_of(session, terms.price, terms.token),
            hourly=None if hourly is None else about_of(session, hourly, terms.token),
            seconds=document.seconds_per_item,
            spread=spread_of(terms),
            record=record_of(offer.past),
            requester=terms.requester,
            access=access_to(terms),
            gate=None if terms.gate == NO_ACCOUNT else terms.gate,
            phase=phase.name,
            items=terms.items,
            rounds=terms.rounds,
            batch=terms.batch,
            least=terms.min_run,
            most=terms.max_run,
            batches=terms.seats,
            batches_taken=int(record.roster.runs.sum()),
            batches_needed=terms.min_seats,
            times=(
                ("To label", format_duration(terms.label_seconds)),
                ("To hand it over", format_duration(terms.grace_seconds + terms.release_seconds)),
                ("Score after that", f"within {format_duration(terms.score_seconds)}"),
                ("To disprove it", format_duration(terms.challenge_seconds)),
            ),
            practice=len(document.practice),
            label_link=_label_link(document, record),
            doubts=_doubts(labeling, offer),
            own_gas=_own_gas(labeling.session, offer),
            can_pay_out=phase.name in ("over", "silent") or waits_for_payout(session, record),
            evidence=_evidence(session, record),
            is_scored=record.score is not None,
            results=_results(labeling, offer, phase),
            challenge=_challenge(labeling, offer, phase),
            kept=_kept(session, record),
            judged=judged_of(session, number, terms),
        )


def clock_of(number: int) -> bounty_views.Clock:
    """Return where a bounty is now, by the index alone.

    Raises:
        BountyError: There is no such bounty.
    """
    session = shared_reader().session
    brief, now = board(session).briefs.get(number), chain_now(session)
    if brief is None:
        raise BountyError(f"there is no bounty {number} here; look on the page of bounties")
    return clock_at(brief, now)


def samples(number: int) -> tuple[bounty_views.Sample, ...]:
    """Return a few of the items that everyone may see.

    Raises:
        RelayError: No relay has them just now.
        BountyError: They are not what the bounty names.
    """
    session = my_session() if is_local() else shared_reader().session
    return _samples(f"{session.home} {session.profile.name}", number)


@st.cache_data(ttl=_SAMPLES_SECONDS, max_entries=64, show_spinner=False)
def _samples(place: str, number: int) -> tuple[bounty_views.Sample, ...]:
    with _labeling(number) as labeling:
        offer = labeling.offer()
        document = offer.document
        places = list(document.examples) or [entry.item for entry in document.practice]
        shelf = labeling.shown_items(document)
        return tuple(sample_of(shelf.shown(place)) for place in places[:_MOST_SAMPLES])


# ------------------------------------------------------------------------------- the score


def _results(labeling: Labeling, offer: Offer, phase: Phase) -> tuple[bounty_views.MyResult, ...]:
    """Return what became of this account's part, once for each place on the roster."""
    if not is_local() or labeling.session.known_address is None:
        return ()
    record, entry = offer.record, labeling.folder.entry
    accounts = [labeling.session.known_address, *([entry.signer] if entry is not None else [])]
    shares = shares_of(record, accounts, phase, labeling.folder)
    known, note = _known(labeling, record) if shares else (Knowledge(), "")
    names = [clean(one.name, 100) for one in offer.document.classes]
    return tuple(_result(labeling, record, share, known, note, names) for share in shares)


def _result(
    labeling: Labeling, record: Record, share: Share, known: Knowledge, note: str, names: list[str]
) -> bounty_views.MyResult:
    session, terms = labeling.session, record.terms
    judged = None
    if record.score is not None and share.committed:
        judged = judgement_of(record, share.worker, known.opened.get(share.worker))
    payment = share.payment
    return bounty_views.MyResult(
        worker=share.worker,
        batches=share.committed,
        of_batches=share.seats,
        is_delivered=share.is_posted or share.is_acknowledged,
        mark=share.mark,
        share=None if share.score is None else f"{share.score:.1%}",
        pay=None if payment is None else amount_of(session, payment.total, terms.token),
        withheld=None
        if payment is None or not payment.withheld
        else amount_of(session, payment.withheld, terms.token),
        bond=None
        if payment is None or not payment.bond
        else amount_of(session, payment.bond, terms.token),
        is_final=record.status.has_ended,
        half="" if record.score is None or terms.is_team else record.score.verdict.half,
        is_checked=judged is not None and judged.posted == judged.computed,
        lines=() if judged is None else _lines(judged, names),
        more=0 if judged is None else max(0, len(judged.lines) - _MOST_GOLD),
        counts=() if judged is None else _counts(judged),
        note=note if judged is not None and share.worker not in known.opened else "",
        evidence=_own_evidence(record, share, judged),
    )


_OUTCOMES: Final = {
    Outcome.RIGHT: "right",
    Outcome.WRONG: "wrong",
    Outcome.SKIPPED: "skipped, counts as wrong",
    Outcome.ABSENT: "no answer, by the score",
    Outcome.UNCOUNTED: "not counted: too few answered it",
    Outcome.EXCLUDED: "not counted: most agree against the requester",
}


def _lines(judged: Judgement, names: list[str]) -> tuple[bounty_views.GoldAnswer, ...]:
    def name(code: int | None, outcome: Outcome | None = None) -> str:
        if code is None or code >= len(names):
            return "nothing" if outcome is Outcome.ABSENT else "skip"
        return names[code]

    return tuple(
        bounty_views.GoldAnswer(
            place=f"batch {line.seat + 1}, no. {line.index + 1}",
            item=line.item,
            right=name(line.answer),
            said=name(line.said, line.outcome),
            own=None if line.own is None else name(line.own),
            outcome=_OUTCOMES[line.outcome],
            is_right=line.outcome is Outcome.RIGHT,
            is_disputed=_is_disputed(line, len(names)),
        )
        for line in judged.lines[:_MOST_GOLD]
    )


def _is_disputed(line: GoldLine, classes: int) -> bool:
    """Whether the score claims another answer than the one that was given."""
    if line.own is None:
        return False
    own = line.own if line.own < classes else None
    return line.outcome is Outcome.ABSENT or own != line.said


def _counts(judged: Judgement) -> tuple[tuple[str, int], ...]:
    kinds = (Outcome.RIGHT, Outcome.WRONG, Outcome.SKIPPED)
    found = [line.outcome for line in judged.lines]
    rest = sum(outcome not in kinds for outcome in found)
    counted = [(kind.value, found.count(kind)) for kind in kinds]
    return (*counted, *((("not counted", rest),) if rest else ()))


def _known(labeling: Labeling, record: Record) -> tuple[Knowledge, str]:
    """Return what this machine knows, and why it knows no answers where it should."""
    try:
        known = labeling.knowledge(record)
    except (ConfigError, TruthmarkError) as error:
        return Knowledge(), said_of(error)
    return known, "" if known.opened else "your answers are not on this machine to compare with"


# ---------------------------------------------------------------------------- disproving


def challenge_of(number: int) -> bounty_views.Challenge | None:
    """Return what can be proven wrong in a score now; None where none stands under challenge.

    Without an account only that which the chain alone proves.

    Raises:
        BountyError: The bounty cannot be read as the chain holds it.
        ChainError: The chain cannot be read.
    """
    with _labeling(number) as labeling:
        offer = labeling.offer()
        return _challenge(labeling, offer, phase_of(offer.record, offer.mark, offer.now))


def _challenge(labeling: Labeling, offer: Offer, phase: Phase) -> bounty_views.Challenge | None:
    if phase.name != "challenge" or phase.until is None:
        return None
    terms = offer.terms
    return bounty_views.Challenge(
        number=offer.record.ref.bounty_id,
        until=phase.until,
        now=offer.now,
        wrongs=tuple(_in_words(lie, offer) for lie in _lies(labeling, offer.record)),
        reward=amount_of(labeling.session, terms.reward, terms.token),
    )


def disprove(number: int) -> str:
    """Prove what is wrong in a score to the contract; returns the reward.

    Raises:
        BountyError: Nothing can be proven wrong any more.
        ChainError: It was refused, somebody else was faster, or there is no gas.
        ConfigError: The account is locked.
    """
    with _labeling(number) as labeling:
        session = labeling.session
        session.require_account()
        record = BountyClient(session).read(number)
        lies = _lies(labeling, record) if record.status in _UNDER_CHALLENGE else ()
        if not lies:
            raise BountyError(f"nothing can be proven wrong in the score of bounty {number} now")
        BountyClient(session).prove(record, lies[0])
        return amount_of(session, record.terms.reward, record.terms.token)


def disproving(number: int, payer: str) -> tuple[views.WalletAction, ...]:
    """Return what proves in a wallet of the browser that a score is wrong; nothing if it is right.

    The proof shows what this server knows: on somebody else's no labeler's own answers.

    Args:
        number: The bounty's.
        payer: The wallet's account; empty where none is connected yet.

    Raises:
        BountyError: The bounty cannot be read as the chain holds it.
        ChainError: The chain cannot be read.
        ConfigError: The payer is no address.
    """
    if not payer:
        return ()
    with _labeling(number) as labeling:
        record = labeling.offer().record
        lies = _lies(labeling, record) if record.status in _UNDER_CHALLENGE else ()
        return tuple(proving(labeling.session, record, lie, payer) for lie in lies[:1])


def _kept(session: Session, record: Record) -> bounty_views.Kept | None:
    """Return the reward of who disproved a score, as long as the board keeps it for them."""
    if record.status is not Status.PROVEN or not record.terms.reward:
        return None
    number, token = record.ref.bounty_id, record.terms.token
    events = session.follower.index.events(reader.BOARD, "LieProven", bounty_id=number)
    if not events:  # the index is behind
        return None
    prover = to_checksum_address(events[-1].args["challenger"])
    units = Settlement(session).credits(token, prover).get(reader.BOARD, 0)
    return bounty_views.Kept(number, prover, amount_of(session, units, token)) if units else None


def _lies(labeling: Labeling, record: Record) -> tuple[Lie, ...]:
    known = _known(labeling, record)[0] if is_local() else Knowledge()
    found = []
    for lie in find_lies(record, known):
        found.append(lie)
        if len(found) == _MOST_LIES:
            break
    return tuple(found)


def _in_words(lie: Lie, offer: Offer) -> str:
    names = [clean(one.name, 100) for one in offer.document.classes]
    if lie.kind is not ProofKind.ANSWER:
        text = lie.says
        return text[:1].upper() + text[1:]
    gold, round_ = int(lie.evidence["gold"]), int(lie.evidence["round_"])
    score = offer.record.require_score()
    entry = int(score.entries[gold, round_])
    said = names[entry] if entry < len(names) else "no answer or a skip"
    item = int(score.gold.items[gold])
    return f"Item {item}: the score says that labeler {lie.worker} said {said}, which is not so"


# ------------------------------------------------------------------------------- being paid


def pay_out(number: int) -> str:
    """Credit everyone whose labels count, and pay the account what it is owed; returns that.

    Raises:
        BountyError: It has not ended, or did not take place.
        ChainError: It was refused.
        ConfigError: The account is locked.
    """
    session = my_session()
    session.require_account()
    paid = paying.pay_all(session, number, payees=[session.address])
    units = paid.amounts.get(session.address, 0)
    return amount_of(session, units, paid.token) if units else ""


# ------------------------------------------------------------------------------- internals


@contextmanager
def _labeling(number: int) -> Iterator[Labeling]:
    """Give a labeler's view of a bounty: the account's, or on somebody's server that of nobody.

    What strangers' documents name is asked as strangers' addresses are: nothing of this machine's
    own network, outside of a development chain.
    """
    session = my_session() if is_local() else shared_reader().session
    with Labeling(session, number) as labeling:
        yield labeling


def waits_for_payout(session: Session, record: Record) -> bool:
    """Whether a bounty has ended, and somebody who labeled is not credited yet."""
    if not record.status.has_ended or record.status is Status.REFUNDED:
        return False
    events = session.follower.index.events
    payouts = events(reader.BOARD, "PaidOut", bounty_id=record.ref.bounty_id)
    return sum(int(row.args["workers"]) for row in payouts) < len(record.commits.standing)


def _doubts(labeling: Labeling, offer: Offer) -> tuple[str, ...]:
    """Return what speaks against labeling here, while one still can."""
    if offer.record.status is not Status.OPEN:
        return ()
    session, found = labeling.session, []
    if offer.doubled:
        found.append("a labeler stands on the list twice, so the draw is not fair; do not label")
    found += doubts(session, offer, seats=offer.terms.max_run)
    if is_local() and session.known_address is not None:
        try:
            client = BountyClient(session)
            require_admitted(client, offer.record.ref.bounty_id, offer.terms, session.known_address)
        except BountyError as error:
            found.append(said_of(error))
    return tuple(clean(doubt, 400) for doubt in found)


def _own_gas(session: Session, offer: Offer) -> str:
    """Return whether the account could pay for what may have to be sent; nothing on a server."""
    if offer.record.status is not Status.OPEN or not is_local():
        return ""
    text = clean(own_gas(session, offer.record, offer.terms.max_run), 400)
    return f"{text[:1].upper()}{text[1:]}."


def _label_link(document: Document, record: Record) -> str:
    """Return the page of this server on which one labels, and sees what became of it."""
    if record.status is Status.REFUNDED or not document.relay_urls:
        return ""
    return f"/label/{record.ref.bounty_id}"


def _evidence(session: Session, record: Record) -> tuple[tuple[str, str], ...]:
    ref, terms = record.ref, record.terms
    found = [
        ("Board contract", ref.board),
        ("Hash of the terms", "0x" + terms.hash.hex()),
        ("SHA-256 of the description", "0x" + terms.document.hex()),
    ]
    if not terms.is_team:
        found.append(("Commitment to the gold", "0x" + terms.gold_commitment.hex()))
    if any(record.seed):
        found.append(("Seed of the draw", "0x" + record.seed.hex()))
    events = session.follower.index.events(reader.BOARD, "Scored", bounty_id=ref.bounty_id)
    if record.score is not None and events:
        found += [
            ("Hash of the score", "0x" + record.score.hash.hex()),
            ("Transaction of the score", events[-1].tx_hash),
        ]
    return tuple(found)


def _own_evidence(
    record: Record, share: Share, judged: Judgement | None
) -> tuple[tuple[str, str], ...]:
    found = [("Row of the roster", str(share.worker))]
    standing = record.commits.standing.get(share.worker)
    if standing is not None:
        found.append(("Commitment to your labels, on chain", "0x" + standing.commitment.hex()))
    if judged is not None and judged.posted is not None:
        found.append(("Posted, in millionths", f"{judged.posted:,}"))
    if judged is not None and judged.computed is not None:
        found.append(("Computed here from gold and answers", f"{judged.computed:,}"))
    return tuple(found)
