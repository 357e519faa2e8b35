# SPDX-License-Identifier: Apache-2.0
"""Everything about one data set, and buying it."""

import streamlit as st

from app import services
from app.components.account import unlock_first
from app.components.acting import news
from app.components.another import another
from app.components.clock import TICK_SECONDS
from app.components.head import page_head
from app.components.live import live
from app.components.problem import shown, working
from app.components.purchase import purchase_panel
from app.components.remedies import arbiter_box, public_dispute, reviews
from app.components.tables import columns_of, copyable, counts, examples_of, figures_of
from app.components.text import count, in_badge, literal, prose
from app.remedy_views import Judging
from app.views import Dataset, Drawn, Price


def show() -> None:
    """Draw the data set that the address names."""
    ref = st.query_params.get("dataset", "")[:40]
    if not ref:
        page_head("Dataset")
        st.info("Choose a data set on the market page.", icon=":material/dataset:")
        st.page_link("app_pages/market.py", label="Market", icon=":material/storefront:")
        return
    dataset = services.dataset(ref)
    _head(dataset)
    judging = services.judging_of(dataset.ref)
    left, right = st.columns([1.9, 1], gap="large")
    with left:
        _card(dataset)
        sample = _sample(dataset, judging)
        _said(dataset)
        _custody(dataset)
        _versions(dataset)
        _evidence(dataset)
    with right:
        _price(dataset, sample)
        _terms(dataset)
        if judging.is_arbiter:
            arbiter_box(dataset.ref)


def _head(dataset: Dataset) -> None:
    page_head(dataset.title)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        # On a phone the price itself stands below all that is said of the data.
        if not dataset.status:
            st.badge(literal(dataset.listed_price), icon=":material/sell:", color="green")
        st.badge(in_badge(dataset.licence), icon=":material/gavel:", color="gray")
        if dataset.bond:
            st.badge(f"{literal(dataset.bond)} bond", icon=":material/shield:", color="blue")
        st.caption(f"no. {dataset.ref} · listed {dataset.listed}", width="content")
    if dataset.status:
        st.warning(f"This version is {dataset.status}.", icon=":material/block:")
    if dataset.problem:
        st.warning(
            f"What the seller wrote about it cannot be shown: {prose(dataset.problem)}",
            icon=":material/visibility_off:",
        )
    for line in dataset.warnings:
        st.warning(literal(f"{line[:1].upper()}{line[1:]}."), icon=":material/content_copy:")


# ------------------------------------------------------------------------- what it is


def _card(dataset: Dataset) -> None:
    if dataset.description:
        st.text(dataset.description)
    _figures(dataset)
    if any(table.example_rows for table in dataset.tables):
        st.subheader("First rows")
        examples_of(dataset.tables)
    if any(table.columns for table in dataset.tables):
        st.subheader("Columns")
        columns_of(dataset.tables)
    st.caption(
        "This is what the seller says. It cannot change after listing, but only the opened data "
        "shows whether it is true."
    )


def _figures(dataset: Dataset) -> None:
    figures = [
        (name, f"{number:,}")
        for name, number in (
            ("Rows", sum(entry.rows for entry in dataset.counts)),
            ("Files", sum(entry.files for entry in dataset.counts)),
        )
        if number
    ]
    figures += [("Download", dataset.size), ("Sold", count(dataset.sold, "time"))]
    for column, (name, value) in zip(st.columns(len(figures)), figures, strict=True):
        column.metric(name, value, border=True)
    if len(dataset.counts) > 1:
        counts(dataset.counts)


def _sample(dataset: Dataset, judging: Judging) -> Drawn:
    """Draw what chance picked of it; what the seller chose stands above."""
    st.subheader("Drawn by chance, checked by this computer")
    sample = services.sample_of_dataset(dataset.ref)
    show, icon = (
        (st.success, "casino")
        if sample.is_good
        else (st.info, "visibility_off")
        if sample.needs_leave
        else (st.info, "schedule")
        if sample.is_awaited
        else (st.error, "block")
    )
    show(literal(sample.meaning), icon=f":material/{icon}:")
    for line in sample.lines:
        st.caption(literal(f"{line[:1].upper()}{line[1:]}"))
    examples_of(sample.tables)
    figures_of(sample)
    if sample.is_bad and judging.can_dispute:
        public_dispute(dataset.ref)
    return sample


def _said(dataset: Dataset) -> None:
    st.subheader("What buyers say")
    reviews(services.said_of_dataset(dataset.ref))


def _custody(dataset: Dataset) -> None:
    st.subheader("Who keeps the key")
    live(_custodians, every=TICK_SECONDS)(dataset)


def _custodians(dataset: Dataset) -> None:
    """Draw who keeps the key, again and again: the time left is told from chain time."""
    custodies = services.custody_of(dataset.ref)
    told = [(custody.headline, custody.is_good) for custody in dataset.custody]
    if [(custody.headline, custody.is_good) for custody in custodies] != told:
        st.rerun()  # what it costs, or why it cannot be bought, is another now
    for custody in custodies:
        with st.container(border=True):
            icon = "check_circle" if custody.is_good else "schedule"
            colour = "green" if custody.is_good else "gray"
            st.markdown(f":{colour}[:material/{icon}:] **{literal(custody.headline)}**")
            for line in custody.details:
                st.caption(prose(line))
            if custody.custodians:
                with st.expander("Their addresses"):
                    for address in custody.custodians:
                        st.code(address, language=None)


def _versions(dataset: Dataset) -> None:
    if len(dataset.versions) < 2:
        return
    st.subheader("Versions")
    for version in dataset.versions:
        with st.container(horizontal=True, vertical_alignment="center"):
            another(
                *(f"no. {version.ref}", "dataset", version.ref),
                key=f"dataset_version_{version.ref}",
                disabled=version.ref == dataset.ref,
            )
            st.caption(
                f"{literal(version.price)} · {version.status} · {version.listed}", width="content"
            )


def _evidence(dataset: Dataset) -> None:
    with st.expander("How do I know this?", icon=":material/fact_check:"):
        st.markdown(
            """
- **Title, description, columns, counts, first rows, licence**: what the seller says. The manifest
  has their hash, and the hash of the manifest is on the chain, so they cannot change.
- **Price, bond, windows, versions, who keeps the key**: from event logs of the registry contract.
- **The bytes**: before you pay, every shard is hashed and compared with the root on the chain.
- **The key**: each custodian's part has a proof, which the market contract checks before the part
  counts; the joined key is checked against the key hash in every leaf before anything opens.
- **Times sold**: from the event logs of the market contract. Sellers can buy from themselves.
"""
        )
        for name, value in dataset.evidence:
            copyable(literal(name), value)


# --------------------------------------------------------------------------- buying it


def _price(dataset: Dataset, sample: Drawn) -> None:
    can_act = services.is_local() and services.account() is not None
    purchase = services.purchase_of(dataset.ref) if can_act else None
    is_mine = purchase is not None and (purchase.can_open or not purchase.is_over)
    with st.container(border=True):
        st.markdown(f"## {literal(dataset.listed_price)}")
        news("purchase")
        if purchase is not None:
            _line("**You paid**", f"**{literal(purchase.paid)}**")
            purchase_panel(purchase)
        # What was asked for and would be paid now, else what it would cost.
        prepared = services.prepared(dataset.ref) if can_act else None
        if not is_mine:
            _fees(dataset, prepared)
        if not can_act and dataset.price is not None:
            st.caption("Buy it from your own machine, where your keys are:")
        elif not is_mine and dataset.price is not None:
            _buy(dataset, prepared, sample)
        if is_mine or dataset.price is not None:
            if can_act:
                st.caption("or in a terminal:")
            st.code(f"truthmark get {dataset.ref} ./data", language=None)
        with st.expander("Its full name, for Python or to share"):
            st.code(dataset.uri, language=None, wrap_lines=True)


def _fees(dataset: Dataset, prepared: Price | None) -> None:
    if dataset.price is None:
        st.warning(prose(dataset.why_not), icon=":material/block:")
        return
    price = prepared or dataset.price
    _line("Price", literal(price.price))
    if price.fee:
        _line(f"{price.custodians} custodians, {literal(price.fee)} each", literal(price.fees))
    _line("**You pay**", f"**{literal(price.total)}**")
    if price.protocol_fee:
        st.caption(f"Of the price, {literal(price.protocol_fee)} goes to the protocol.")
    st.markdown(f"The key is kept by **{literal(price.custodians_text)}**.")
    if price.warning:
        live(_silence, every=TICK_SECONDS)(dataset.ref)


def _silence(ref: str) -> None:
    """Warn of a seller who seems to be gone, for as long as they do."""
    if warning := services.silence_of(ref):
        st.warning(literal(warning), icon=":material/person_off:")


def _line(name: str, amount: str) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.markdown(name, width="content")
        st.markdown(amount, width="content")


def _buy(dataset: Dataset, prepared: Price | None, sample: Drawn) -> None:
    if prepared is None or not (sample.is_good or sample.needs_leave):
        _check(dataset, sample)
    else:
        _pay(dataset, prepared)


def _check(dataset: Dataset, sample: Drawn) -> None:
    if not (sample.is_good or sample.needs_leave):
        st.caption("It is not sold from here as long as that is so.")
        return
    blind = sample.needs_leave and st.checkbox(
        "Buy it although hardly anyone but the seller has seen it",
        key=f"dataset_blind_{dataset.ref}",
    )
    if st.button(
        "Buy",
        # The key names the data set: a click that was meant for one never counts for another.
        key=f"dataset_buy_{dataset.ref}",
        type="primary",
        icon=":material/shopping_cart:",
        width="stretch",
    ):
        with (
            shown(services.TruthmarkError),
            working("Fetching it and checking every byte; nothing is paid yet") as progress,
        ):
            services.prepare(dataset.ref, progress, blind=blind)
            st.rerun()
    st.caption("Fetches and checks it first, then asks.")


def _pay(dataset: Dataset, price: Price) -> None:
    st.success(
        "Fetched and checked: every byte matches what the seller committed to.",
        icon=":material/verified:",
    )
    again = services.may_be_paid_already(dataset.ref)
    if again:
        st.warning(
            "This account bought it before, and it is not certain that the money came back: two "
            "endpoints of the chain disagree, or there is only one. Nothing has been paid now.",
            icon=":material/warning:",
        )
        again = st.checkbox(
            "Pay again, although it may be paid already", key=f"dataset_again_{dataset.ref}"
        )
    # The key names the data set and the account: a click on a button of one never pays as another.
    account = services.account()
    is_agreed = account is not None and st.button(
        f"Pay {literal(price.total)} as {literal(account.name)}",
        key=f"dataset_pay_{dataset.ref}_{account.address}",
        type="primary",
        icon=":material/payments:",
        width="stretch",
    )
    st.button("Not now", key="dataset_forget", on_click=services.forget_price, width="stretch")
    if is_agreed and unlock_first():
        with shown(services.TruthmarkError), st.spinner("Paying"):
            services.pay(dataset.ref, again=again)
            st.rerun()


def _terms(dataset: Dataset) -> None:
    st.markdown("##### If something goes wrong")
    st.markdown(
        f"- If the key does not come within **{dataset.delivery}**, you get your money back."
    )
    st.markdown(
        f"- Then you have **{dataset.inspection}** to check it. One transaction proves that the "
        "key is wrong, or that a part is not sealed under its own key, and then all waiting buyers "
        "get their money back."
    )
    if dataset.bond:
        st.markdown(
            f"- The seller put up **{literal(dataset.bond)}**. If the key is wrong, they lose it, "
            "and half goes to the buyer who proves it."
        )
    else:
        st.markdown("- The seller put up no bond.")
    for line in dataset.assurance:
        st.markdown(f"- {literal(line[:1].upper() + line[1:])}.")
    if dataset.gate:
        st.markdown("- This account must admit each buyer:")
        st.code(dataset.gate, language=None)
    if dataset.royalty:
        st.markdown(f"- {literal(dataset.royalty)}")
    for line in dataset.provenance:
        st.markdown(f"- {literal(line[:1].upper() + line[1:])}.")
    st.markdown("- Nobody but you can say whether the data is what you need.")
    copyable("Seller", dataset.seller)


show()
