# SPDX-License-Identifier: Apache-2.0
"""What a buyer can do about bad data, and say of any; each says first what it does."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from app import services
from app.components.account import unlock_first
from app.components.acting import account_button, act_button, carry_out
from app.components.problem import problem, shown, working
from app.components.text import count, literal
from app.remedy_views import Checked, Choices, Review, Said
from app.views import Purchase, WrongKey

_STARS: Final = "★★★★★☆☆☆☆☆"


def final_step(
    sentence: str, label: str, *, key: str, icon: str, act: Callable[[], str], busy: str
) -> None:
    """Draw what cannot be taken back: what it does, a yes, and the button.

    Args:
        sentence: What it does.
        label: Of the button.
        key: Of the button.
        icon: Name of its icon.
        act: Does it; returns what is said afterwards.
        busy: What is said meanwhile.
    """
    st.markdown(literal(sentence))
    is_agreed = st.checkbox("I know that it cannot be taken back", key=f"{key}_known")
    look = {"icon": f":material/{icon}:", "disabled": not is_agreed}
    act_button("purchase", label, act, busy, key=key, **look)


def remedies(purchase: Purchase) -> None:
    """Draw what can be done about a purchase whose key is there, and said of it."""
    choices = services.choices_of(purchase.key)
    held = f"purchase_checked_{purchase.key}"
    checked = st.session_state.get(held)
    is_wrong = isinstance(checked, Checked) and bool(checked.wrong)
    with st.expander("Is something wrong with it?", icon=":material/report:", expanded=is_wrong):
        _check(purchase, held)
        checked = st.session_state.get(held)
        if isinstance(checked, Checked):
            _found(purchase, checked, held)
        if choices.reject:
            st.divider()
            st.markdown("**It is not what was offered**")
            final_step(
                f"{choices.reject} Until {choices.reject_until}. If the key or the sealing is "
                "wrong, do not reject: a dispute brings your money back.",
                "Reject it",
                key=f"purchase_reject_{purchase.key}",
                icon="local_fire_department",
                act=lambda: f"Rejected; {services.reject(purchase.key)} are burned.",
                busy="Rejecting it",
            )
        if choices.arbiter:
            st.caption("Its arbiter may end its sale; tell them what is wrong:")
            st.code(choices.arbiter, language=None, wrap_lines=True)
    with st.expander("What was it worth?", icon=":material/rate_review:"):
        _worth(purchase, choices)


def _check(purchase: Purchase, held: str) -> None:
    st.caption("This machine opens every part of it and reads all rows. Nothing is sent.")
    key = f"purchase_check_{purchase.key}"
    if account_button("Check every part", key=key, icon=":material/fact_check:"):
        with shown(services.TruthmarkError), working("Opening every part") as progress:
            found = services.check(purchase.key, progress)
            if isinstance(found, WrongKey):  # which is drawn where opening finds it
                st.session_state[f"purchase_opened_{purchase.key}"] = found
                st.rerun()
            st.session_state[held] = found


def _found(purchase: Purchase, checked: Checked, held: str) -> None:
    if not checked.wrong:
        st.success(
            "Every part opens and can be read. Whether it is what you need, only you can say.",
            icon=":material/verified:",
        )
        return
    st.error(literal(checked.wrong), icon=":material/error:")

    def done(said: str) -> str:
        for name in (held, f"purchase_opened_{purchase.key}"):
            st.session_state.pop(name, None)
        return said

    if checked.dispute:
        final_step(
            f"A contract can see that. {checked.dispute}",
            "Dispute",
            key=f"purchase_dispute_part_{purchase.key}",
            icon="gavel",
            act=lambda: done(
                f"The dispute was right: {services.dispute_part(purchase.key)} came to you."
            ),
            busy="Proving it to the contract",
        )
    else:
        st.markdown("No contract can judge that.")
    if checked.note:
        st.caption(literal(checked.note))
    if checked.expose:
        st.divider()
        _show_to_all(purchase, checked.expose, done)


def _show_to_all(purchase: Purchase, sentence: str, done: Callable[[str], str]) -> None:
    """Draw how all are shown what is wrong, under whichever account of this machine."""
    key = f"purchase_expose_{purchase.key}"
    names, account = services.account_names(), services.account()
    own = account.name if account else ""
    chosen, passphrase = own, ""
    if len(names) > 1 and own in names:
        chosen = st.selectbox("Seen under", names, index=names.index(own), key=f"{key}_account")
    if chosen != own:
        try:
            sentence = services.expose_under(purchase.key, chosen)
        except services.TruthmarkError as error:
            problem(error)
            return
        key = f"{key}_{chosen}"  # what is agreed to for one is not for another
        if services.asks_passphrase():
            passphrase = st.text_input("Its passphrase", type="password", key=f"{key}_passphrase")
        st.caption("That account pays the gas.")

    def act() -> str:
        services.expose(purchase.key, "" if chosen == own else chosen, passphrase)
        return done("Everybody's computer can see now what is wrong with it.")

    final_step(
        f"You can show it to everybody, so that nobody buys it any more. {sentence}",
        "Show it to everybody",
        key=key,
        icon="campaign",
        act=act,
        busy="Publishing the keys",
    )


# -------------------------------------------------------------------------- reviews


def _worth(purchase: Purchase, choices: Choices) -> None:
    if choices.own is not None:
        st.caption("This is what you said:")
        _one(choices.own)
    if choices.review:
        _write(purchase, choices.review)
    if choices.review_later:
        st.caption(choices.review_later)
    if choices.confirm:
        final_step(
            choices.confirm,
            "Pay the seller now",
            key=f"purchase_confirm_{purchase.key}",
            icon="payments",
            act=lambda: _confirm(purchase),
            busy="Paying the seller",
        )


def _confirm(purchase: Purchase) -> str:
    services.confirm(purchase.key)
    return "The seller is paid. You can review it now."


def _write(purchase: Purchase, sentence: str) -> None:
    key = purchase.key
    with st.form(f"purchase_review_form_{key}", border=False):
        score = st.feedback("stars", key=f"purchase_score_{key}", persist_state="page")
        text = st.text_area(
            "What should later buyers know?",
            max_chars=500,
            key=f"purchase_text_{key}",
            persist_state="page",
        )
        st.caption(literal(sentence))
        is_asked = st.form_submit_button("Publish the review", icon=":material/send:")
    if is_asked and score is None:
        st.warning("Choose one to five stars first.", icon=":material/star:")
    elif is_asked and score is not None and unlock_first():
        stars = score + 1

        def act() -> str:
            services.review(key, stars, text.strip())
            return "Your review is published."

        carry_out("purchase", act, "Publishing it")


def reviews(said: Said) -> None:
    """Draw what buyers said of a data set, with what they paid and what faking one costs."""
    if said.rejected:
        st.warning(literal(said.rejected), icon=":material/local_fire_department:")
    if not said.reviews:
        st.caption("No buyer has reviewed it yet.")
        return
    for review in said.reviews:
        with st.container(border=True):
            _one(review)
    if said.total > len(said.reviews):
        st.caption(f"The newest {len(said.reviews)} of {count(said.total, 'review')}.")


def _one(review: Review) -> None:
    stars = _STARS[5 - review.score : 10 - review.score]
    st.markdown(f"{stars} **{review.score} of 5**")
    if review.text:
        st.text(review.text)
    st.caption(literal(f"{review.by}. {review.cost}"))


# ----------------------------------------------------------- without having bought it


def public_dispute(ref: str) -> None:
    """Draw how a part is judged whose key is public; nobody has to buy for that.

    Args:
        ref: Name of the data set.
    """
    held = f"dataset_dispute_{ref}"
    st.caption("You need not buy it to have a contract judge the parts that everybody can open.")
    look = "Look for a part to dispute"
    if account_button(look, key=f"dataset_look_{ref}", icon=":material/search:"):
        with shown(services.TruthmarkError), working("Trying what is open") as progress:
            st.session_state[held] = services.find_unsealed(ref, progress)
    if (sentence := st.session_state.get(held)) is None:
        return
    if not sentence:
        st.info(
            "All that is open to everybody is sealed as it should be: there is nothing to dispute.",
            icon=":material/info:",
        )
        return
    final_step(
        f"A part is not sealed under its own key; a contract can see that. {sentence}",
        "Dispute",
        key=f"dataset_dispute_it_{ref}",
        icon="gavel",
        act=lambda: f"The dispute was right: {services.dispute_public(ref)} came to you.",
        busy="Proving it to the contract",
    )


def arbiter_box(ref: str) -> None:
    """Draw how the arbiter of a data set rules against it.

    Args:
        ref: Name of the data set.
    """
    with st.container(border=True):
        st.markdown("##### You are its arbiter")
        rewarded = st.text_input(
            "Who gets half of the bond? The address of who showed you that it is bad",
            key=f"dataset_rewarded_{ref}",
            placeholder="0x…",
            persist_state="page",
        )
        if not rewarded.strip():
            st.caption("You can end its sale. What that does is said before you do.")
            return
        with shown(services.TruthmarkError):
            final_step(
                services.ruling(ref, rewarded),
                "End its sale",
                # What was agreed to is this address alone.
                key=f"dataset_rule_{ref}_{rewarded.strip().lower()}",
                icon="gavel",
                act=lambda: _rule(ref, rewarded),
                busy="Ending its sale",
            )


def _rule(ref: str, rewarded: str) -> str:
    services.rule(ref, rewarded)
    return "Its sale has ended, and open purchases can be taken back."
