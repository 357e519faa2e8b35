# SPDX-License-Identifier: Apache-2.0
"""From a file to a listing, in three steps; on one's own machine only."""

from contextlib import nullcontext
from decimal import Decimal
from typing import Final

import streamlit as st

from app import services
from app.components.account import unlock_first
from app.components.head import page_head
from app.components.live import live
from app.components.problem import shown, working
from app.components.tables import columns_of, counts, examples_of
from app.components.text import count, in_badge, literal, prose
from app.views import Packed, SellOptions

LICENCES: Final = ("CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC0-1.0", "ODbL-1.0", "Apache-2.0")
OTHER: Final = "another one"
DIRECT: Final = "I keep it and stay online"
SILENT: Final = "not all of them were seen within a day"


def show() -> None:
    """Draw the step that the seller is at."""
    page_head("Sell")
    if not services.is_local():
        st.info("This server holds no user's keys. On your own machine this puts data up for sale:")
        st.code('truthmark list ./data --price "25 USDC" --licence CC-BY-4.0', language=None)
        return
    if not unlock_first():
        return
    listed, packed = st.session_state.get("sell_listed"), st.session_state.get("sell_packed")
    left, _ = st.columns([2, 1])
    with left:
        if listed:
            _listed(listed)
        elif packed:
            _review(packed)
            _offer(packed)
        else:
            _choose()


# ---------------------------------------------------------------------------- 1. the data


def _choose() -> None:
    st.subheader("1 · Your data")
    st.markdown(
        "A table (CSV, Parquet, Arrow, JSON lines), any other file, or a whole folder. It is "
        "encrypted on this machine; nothing leaves it until you agree in the last step."
    )
    _brought()
    upload = st.file_uploader("Choose a file", key="sell_upload")
    path = st.text_input(
        "or enter the path of a file or folder on this machine",
        key="sell_path",
        placeholder="~/data/labels.csv",
        persist_state="page",
    )
    with st.form("sell_describe"):
        st.markdown("**What everyone will see**")
        title = st.text_input("Title", key="sell_title", max_chars=200, persist_state="page")
        description = st.text_area(
            "Description", key="sell_description", max_chars=20_000, persist_state="page"
        )
        licence = st.selectbox(
            "Licence", [*LICENCES, OTHER], key="sell_licence", persist_state="page"
        )
        other = st.text_input(
            "If it is another one: its name",
            key="sell_other_licence",
            placeholder="LicenseRef-my-terms",
            max_chars=256,
            persist_state="page",
        )
        examples = st.slider(
            "First rows to make public",
            0,
            100,
            0,
            key="sell_examples",
            help="Of each table.",
            persist_state="page",
        )
        preview = st.checkbox(
            "Let buyers see a sample before they pay",
            True,
            key="sell_sample",
            help="Chance picks it once the data is listed, and everyone can see it, for ever. "
            "Without one, buyers must trust you; most of them will not.",
            persist_state="page",
        )
        show_columns = st.checkbox(
            "Show names and types of columns", True, key="sell_columns", persist_state="page"
        )
        show_counts = st.checkbox(
            "Show how many rows and files", True, key="sell_counts", persist_state="page"
        )
        with st.expander("What is packed, and how"):
            raw = st.checkbox(
                "Pack table files byte for byte, like any other file",
                key="sell_raw",
                help="Buyers cannot see their columns or first rows before buying.",
                persist_state="page",
            )
            links = st.checkbox(
                "Pack what links in a folder point to", key="sell_links", persist_state="page"
            )
            hidden = st.checkbox(
                "Pack hidden files of a folder too", key="sell_hidden", persist_state="page"
            )
        is_asked = st.form_submit_button("Check", type="primary", icon=":material/fact_check:")
    if not is_asked:
        return
    named = services.uploaded(upload.name, upload.getvalue()) if upload else nullcontext(path)
    with (
        shown(services.TruthmarkError),
        named as source,
        working("Reading and encrypting") as progress,
    ):
        st.session_state.sell_packed = services.pack(
            source,
            title=title,
            description=description,
            licence=other if licence == OTHER else licence,
            examples=examples,
            show_columns=show_columns,
            show_counts=show_counts,
            preview=preview,
            raw=raw,
            follow_links=links,
            hidden=hidden,
            progress=progress,
        )
        st.rerun()


def _brought() -> None:
    """Say of which bounty the data is, if it is of one."""
    number = st.session_state.get("sell_from")
    if not number:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"What bounty {number} brought, with a share for those who labeled it.")
        if st.button("Sell something else", key="sell_other", icon=":material/close:"):
            for name in ("sell_from", "sell_path", "sell_title"):
                st.session_state.pop(name, None)
            st.rerun()


# ------------------------------------------------------------- 2. what becomes public


def _review(packed: Packed) -> None:
    st.subheader("2 · This becomes public")
    st.markdown(
        "Everyone can see this, for ever, once you list it. Everything else stays encrypted."
    )
    with st.container(border=True):
        st.markdown(f"##### {literal(packed.title)}")
        if packed.description:
            st.text(packed.description)
        with st.container(horizontal=True):
            st.badge(in_badge(packed.licence), icon=":material/gavel:", color="gray")
            st.badge(f"{packed.size} encrypted", icon=":material/lock:", color="gray")
        counts(packed.counts)
        if any(table.example_rows for table in packed.tables):
            st.caption("first rows")
            examples_of(packed.tables)
        if any(table.columns for table in packed.tables):
            st.caption("columns")
            columns_of(packed.tables)
        st.caption("sample")
        for line in packed.sample or ("None: no one but you will have seen this data before.",):
            st.markdown(f"- {literal(line)}")
    if packed.skipped:
        st.caption(f"{count(packed.skipped, 'hidden file')} left out.")
    for note in packed.notes:
        st.caption(prose(note))
    if st.button("Change it", key="sell_back", icon=":material/arrow_back:"):
        with shown(services.TruthmarkError):
            services.discard(packed)
            del st.session_state.sell_packed
            st.rerun()


# ---------------------------------------------------------------------- 3. price and keys


def _offer(packed: Packed) -> None:
    st.subheader("3 · Price, and who keeps the key")
    if packed.needs_backup and not st.session_state.get("sell_backed_up"):
        _back_up()
        return
    options = services.sell_options()
    ways = _ways(options)
    with st.form("sell_offer"):
        price, token = st.columns([2, 1])
        amount = price.number_input(
            "Price", min_value=0.0, value=10.0, key="sell_price", persist_state="page"
        )
        symbol = token.selectbox("Token", options.tokens, key="sell_token", persist_state="page")
        way = st.selectbox("Who keeps the key", list(ways), key="sell_way", persist_state="page")
        days = st.number_input(
            "For how many days", 1, 365, 90, key="sell_days", persist_state="page"
        )
        windows = st.selectbox(
            "Time limits",
            [name for name, _ in options.windows],
            index=len(options.windows) - 1,
            format_func=dict(options.windows).__getitem__,
            key="sell_windows",
            persist_state="page",
        )
        royalty = _royalty()
        bond = st.number_input(
            "Bond",
            min_value=0.0,
            value=0.0,
            key="sell_bond",
            help="It comes back when you stop selling. You lose it if your key is proved wrong.",
            persist_state="page",
        )
        guarantee = st.number_input(
            "Guarantee, per cent of the price",
            min_value=0.0,
            max_value=100.0,
            value=0.0,
            key="sell_guarantee",
            help="What a buyer who finds it bad can have burned. Nobody gets it. 0 is a choice "
            "too, and everyone sees it.",
            persist_state="page",
        )
        arbiter = st.text_input(
            "Arbiter (may be empty)",
            key="sell_arbiter",
            help="The address of somebody who may end the sale of bad data at their own "
            "judgement, and take the bond. None is a choice too, and everyone sees it.",
            persist_state="page",
        )
        deals_again = st.checkbox(
            "If a custodian does not accept within 10 minutes, give the key to others, for no more",
            True,
            key="sell_deals_again",
            help="At most twice, while this page is open. What was paid for keeping comes back "
            "first.",
            persist_state="page",
        )
        # The key names the account, too: a click on a button of one never lists as another.
        account = services.account()
        is_asked = account is not None and st.form_submit_button(
            f"List it as {literal(account.name)}",
            key=f"sell_list_{account.address}",
            type="primary",
            icon=":material/sell:",
        )
    if not is_asked:
        return
    custodians, threshold = ways[way]
    with shown(services.TruthmarkError), working("Storing and listing") as progress:
        st.session_state.sell_listed = services.list_packed(
            packed,
            price=Decimal(str(amount)),
            token=symbol,
            windows=windows,
            custodians=custodians,
            threshold=threshold,
            days=int(days),
            bond=Decimal(str(bond)),
            deals_again=deals_again,
            guarantee=Decimal(str(guarantee)),
            arbiter=arbiter,
            royalty=royalty,
            progress=progress,
        )
        st.session_state.sell_agreed = deals_again
        st.rerun()


def _royalty() -> tuple[int, Decimal]:
    """Return of which bounty the data is, and the part of each sale for those who labeled it."""
    number = st.session_state.get("sell_from", 0)
    if not number:
        return 0, Decimal(0)
    part = st.number_input(
        f"Per cent of each sale for those who labeled bounty {number}",
        min_value=0.0,
        max_value=50.0,
        value=5.0,
        key="sell_royalty",
        help="Shared by what each one's labels earned. It cannot be changed later.",
        persist_state="page",
    )
    return number, Decimal(str(part))


def _ways(options: SellOptions) -> dict[str, tuple[int, int]]:
    """Return who may keep the key: in words, and as numbers of custodians and of parts needed."""
    ways: dict[str, tuple[int, int]] = {}
    for custodians, threshold in ((4, 2), (3, 2), (5, 3), (1, 1)):
        if custodians <= options.custodians:
            noun = "custodian keeps" if custodians == 1 else "custodians keep"
            ways[f"{custodians} {noun} it, any {threshold} deliver it; I may go offline"] = (
                custodians,
                threshold,
            )
    ways[DIRECT] = (0, 1)
    if options.custodians < 3 <= options.custodians + options.silent:
        # They may never accept, so nobody gets them without having chosen them.
        ways[f"3 custodians keep it, any 2 deliver it; {SILENT}"] = (3, 2)
    return ways


def _back_up() -> None:
    st.warning(
        "Make a backup of the key first: without it you could never deliver or renew what you "
        "sell.",
        icon=":material/warning:",
    )
    with st.form("sell_backup", clear_on_submit=True):
        file = st.text_input("New file for the backup", placeholder="/media/stick/truthmark.tmkb")
        passphrase = st.text_input("Passphrase of the backup", type="password")
        again = st.text_input("Repeat the passphrase", type="password")
        is_asked = st.form_submit_button("Make a backup", type="primary", icon=":material/save:")
    if not is_asked:
        return
    if passphrase != again:
        st.error("The two passphrases differ; type them again.")
        return
    with shown(services.TruthmarkError):
        services.back_up(file, passphrase)
        st.session_state.sell_backed_up = True
        st.rerun()


# ------------------------------------------------------------------------- it is listed


def _listed(ref: str) -> None:
    state = services.acceptance(ref)
    is_open = st.session_state.get("sell_open") == ref
    is_waiting = not (state.is_live or state.problem) or not is_open
    live(_acceptance, every=1.0 if is_waiting else None)(ref, is_waiting)
    st.page_link(
        "app_pages/dataset.py",
        label="Show its page",
        icon=":material/dataset:",
        query_params={"dataset": ref},
    )
    if st.button("Sell something else", key="sell_again", icon=":material/add:"):
        for name in {str(name) for name in st.session_state} - {"sell_again"}:
            if name.startswith("sell_"):  # what was typed, too
                del st.session_state[name]
        st.rerun()


def _sample(ref: str) -> bool:
    """Open what chance picks, and whether it is still awaited."""
    if st.session_state.get("sell_open") == ref:
        return False
    with shown(services.TruthmarkError):
        if awaited := services.open_sample(ref):
            st.info(
                literal(f"Buyers wait until its sample is open: {awaited}."),
                icon=":material/casino:",
            )
            return True
        st.session_state.sell_open = ref
    return False


def _acceptance(ref: str, was_waiting: bool) -> None:
    state = services.acceptance(ref)
    is_waiting = _sample(ref)
    if was_waiting and not is_waiting and (state.is_live or state.problem):
        st.rerun()
    if state.can_deal_again and st.session_state.get("sell_agreed"):
        with shown(services.TruthmarkError), st.spinner("Giving the key to others"):
            services.deal_again(ref)
            st.rerun()
    if state.problem:
        st.error(prose(state.problem), icon=":material/error:")
    elif not state.is_live:
        st.progress(
            state.accepted / state.count,
            text=f"Listed as no. {ref}; {state.accepted} of {state.count} custodians accepted. "
            "It can be bought once all have.",
        )
        st.caption(literal(f"Until {state.until}. Not yet: {', '.join(state.missing)}"))
    else:
        st.success(f"For sale as no. {ref}.", icon=":material/check_circle:")
    if state.is_direct:
        st.markdown(
            "Keep this running; if a key is not delivered in time, the buyer gets the money back:"
        )
        st.code("truthmark deliver --follow", language=None)


show()
