# SPDX-License-Identifier: Apache-2.0
"""The requester's page: how far a bounty is, what it brought, and what can be done with that."""

from typing import Final

import pandas as pd
import streamlit as st

from app import services
from app.ask_views import Invitation, Progress, Quality
from app.components.account import unlock_first
from app.components.another import another
from app.components.charts import confusion_chart, margin_chart
from app.components.cost import cost_table
from app.components.giving_back import giving_back
from app.components.head import page_head
from app.components.knowing import knowing_panel
from app.components.live import live, trouble
from app.components.on_note import on_note
from app.components.problem import shown, working
from app.components.sample import sample
from app.components.text import count, literal
from app.components.tracker import tracker
from app.services import asked, labels, waves
from app.views import Mark, Step

MARKS: Final = {"done": Mark.DONE, "now": Mark.NOW, "todo": Mark.TODO}
PARTS: Final = ("Labels", "Labelers", "Unclear items", "Use them")
ROUNDS: Final = 3
LIVE_SECONDS: Final = 5.0  # between looks, each of which reads all of a bounty


def show() -> None:
    """Draw the list of the account's bounties, or one of them."""
    number = st.query_params.get("bounty", "")
    if not services.is_local():
        page_head("Asked")
        st.info(
            "This server holds no user's keys. On your own machine, where a bounty was asked, "
            "these show how far it is and what it brought:"
        )
        st.code("truthmark bounty status 1\ntruthmark bounty result 1 --to labels", language=None)
        return
    if not number.isdecimal():
        page_head("Asked")
        _list()
        return
    try:
        progress = asked.progress(int(number[:18]))
    except services.TruthmarkError as error:
        page_head("Asked")
        trouble(error)
        _to_list()
        return
    page_head(progress.title or f"Bounty {progress.number}", progress.number)
    _one(progress)


# ---------------------------------------------------------------------------- all of them


def _list() -> None:
    if services.account() is None:
        unlock_first()
        return
    found = asked.asked()
    if not found:
        st.markdown("You have not asked anything yet.")
    for entry in found:
        with st.container(border=True):
            left, right = st.columns([4, 1], vertical_alignment="center")
            left.markdown(f"**{literal(entry.title)}** · no. {entry.number}")
            left.caption(literal(entry.phase + (f" · until {entry.until}" if entry.until else "")))
            with right:
                another(
                    *("Look", "bounty", str(entry.number)),
                    key=f"asked_look_{entry.number}",
                    icon=":material/check_circle:" if entry.is_over else ":material/pending:",
                )
    st.page_link("app_pages/new_bounty.py", label="New bounty", icon=":material/add:")
    giving_back()


def _to_list() -> None:
    another("All that I asked", "bounty", "", key="asked_all", icon=":material/arrow_back:")


# ------------------------------------------------------------------------------- one


def _one(progress: Progress) -> None:
    _to_list()
    if st.session_state.pop("ask_done", None) == progress.number:
        st.success(f"It is paid in, as bounty {progress.number}.", icon=":material/check_circle:")
    if progress.wave_of:
        st.caption(f"It asks again what was unsure in bounty {progress.wave_of}.")
    live(_live, every=None if progress.is_over else LIVE_SECONDS)(progress)
    if progress.is_team and progress.is_open:
        _invitations(progress.number)
    if progress.has_labels:
        _labels(progress)
    elif not progress.is_over:
        st.caption("What the labels are like is shown here as soon as the first have come.")
    if progress.is_over:
        giving_back()
    else:
        _backup()


def _live(before: Progress) -> None:
    """Draw how far it is; the rest of the page is drawn again where that has changed."""
    now = before
    if not before.is_over:
        with shown(services.TruthmarkError):
            now = asked.progress(before.number)
        if (now.phase, now.has_labels, now.is_over) != (
            before.phase,
            before.has_labels,
            before.is_over,
        ):
            st.rerun()
    tracker([Step(name, MARKS[mark]) for name, mark in now.steps])
    until = f" until **{literal(now.until)}**" if now.until else ""
    st.markdown(
        f"{literal(now.says)}{until}." + (f" Then: {literal(now.then)}." if now.then else "")
    )
    with st.container(horizontal=True, gap="medium"):
        for name, value in now.figures:
            st.metric(name, value, width="content")
    on_note(now.must_be_on)
    with shown(services.TruthmarkError):
        _run(now)


def _run(progress: Progress) -> None:
    run = asked.run_state(progress.number)
    if run.state == "done" or (progress.is_paid and run.state not in ("running", "starting")):
        return
    with st.container(border=True):
        if run.state in ("running", "starting"):
            st.markdown(f":green[:material/play_circle:] {literal(run.says)}")
        else:
            st.markdown(f":orange[:material/pause_circle:] {literal(run.says)}")
            account = services.account()
            if account is not None and account.is_locked:
                unlock_first()
            elif st.button(
                "Run it now", key=f"asked_run_{progress.number}", icon=":material/play_arrow:"
            ):
                asked.run(progress.number)
                st.rerun()
        if run.lines:
            with st.expander("What it tells"):
                st.code("\n".join(run.lines), language=None, wrap_lines=True)
                st.caption(literal(f"All of it: {run.log}"))


def _backup() -> None:
    with st.expander("Keep your secrets safe"):
        st.markdown(
            "Without them nobody can be scored, and everybody is paid in full. Make a backup on "
            "another disk once this bounty is asked:"
        )
        st.code("truthmark wallet backup /media/stick/truthmark.tmkb", language=None)


# ------------------------------------------------------------------------- invitations


def _invitations(number: int) -> None:
    st.subheader("Invitations")
    st.caption("Send each their own link, as you like. It counts for the first who opens it.")
    with shown(services.TruthmarkError):
        for entry in asked.invitations(number):
            _invitation(number, entry)
    with (
        st.expander("Invite somebody else, for a place that is free"),
        st.form(f"asked_invite_{number}", border=False, clear_on_submit=True),
    ):
        name = st.text_input(
            "Name, or address of an account",
            key=f"asked_invite_name_{number}",
            persist_state="page",
        )
        is_asked = st.form_submit_button("Invite", icon=":material/person_add:")
    if is_asked and unlock_first():
        with shown(services.TruthmarkError):
            asked.invite(number, name)
            st.rerun()


def _invitation(number: int, entry: Invitation) -> None:
    with st.container(border=True, gap="small"):
        came = (
            f" :green[:material/check:] joined, and signs as {entry.signer}" if entry.signer else ""
        )
        st.markdown(f"**{literal(entry.name)}**{came}")
        st.code(entry.link, language=None, wrap_lines=True)
        with st.container(horizontal=True, gap="xsmall"):
            with st.popover("In a terminal", icon=":material/terminal:"):
                st.code(entry.command, language=None, wrap_lines=True)
            if not entry.is_by_account and st.button(
                "New link", key=f"asked_again_{number}_{entry.name}", icon=":material/refresh:"
            ):
                with shown(services.TruthmarkError):
                    asked.invite_again(number, entry.name)
                    st.rerun()
            if st.button(
                "Take back",
                key=f"asked_revoke_{number}_{entry.name}",
                icon=":material/person_remove:",
            ):
                with shown(services.TruthmarkError):
                    asked.revoke(number, entry.name)
                    st.rerun()


# ------------------------------------------------------------------------------ labels


def _labels(progress: Progress) -> None:
    st.subheader("What came")
    with shown(services.TruthmarkError):
        with working("Opening and checking") as report:
            found = labels.quality(progress.number, report)
        for line in found.problems:
            st.error(literal(line), icon=":material/error:")
        if not progress.is_over:
            st.caption("As far as labels are here; it becomes final when everybody is paid.")
        part = st.segmented_control(
            "Show",
            PARTS,
            default=PARTS[0],
            key="asked_part",
            label_visibility="collapsed",
            persist_state="page",
        )
        draw = {"Labelers": _labelers, "Unclear items": _unclear, "Use them": _use}.get(
            part or PARTS[0], _figures
        )
        draw(progress, found)


def _figures(progress: Progress, found: Quality) -> None:
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Agreement (alpha)",
            "–" if found.alpha is None else f"{found.alpha:.2f}",
            help="Krippendorff's: 1 where all agree, 0 where they do as by chance.",
            width="content",
        )
        for name, value in found.summary[:2]:
            st.metric(name, value, width="content")
    st.caption(literal(found.summary[2][1]))
    for line in found.warnings:
        st.warning(literal(line[:1].upper() + line[1:]), icon=":material/warning:")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**What was taken for what**, against {found.against}")
        confusion_chart(found.confusion, f"by {found.against}")
    with right:
        st.markdown("**How sure the labels are**")
        margin_chart(found.margins, 0 if progress.is_team else waves.usual_margin(progress.number))


def _labelers(progress: Progress, found: Quality) -> None:
    st.caption(
        f"Right: how often they agree with {found.against}; from and to: where that lies in 95 of "
        "100 cases."
    )
    percent = st.column_config.NumberColumn(format="%d %%")
    frame = pd.DataFrame(list(found.workers))
    st.dataframe(
        frame,
        hide_index=True,
        # What is long comes last: a phone shows two columns beside it.
        column_order=sorted(frame.columns, key=lambda name: name == "address"),
        column_config={
            "agrees with others": percent,
            "right": st.column_config.ProgressColumn(format="%d %%", min_value=0, max_value=100),
            "from": percent,
            "to": percent,
        },
    )


def _unclear(progress: Progress, found: Quality) -> None:
    if not found.items:
        st.caption("All items are known.")
        return
    frame = pd.DataFrame(list(found.items))
    st.caption("The least sure first. Choose a row to see the item.")
    event = st.dataframe(
        frame,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"asked_items_{progress.number}",
        height=min(420, 38 * (len(frame) + 1)),
        column_config={
            "confidence": st.column_config.NumberColumn(format="%d %%"),
            "agreement": st.column_config.NumberColumn(format="%d %%"),
        },
    )
    rows = event.selection.rows
    chosen = int(frame.iloc[rows[0] if rows and rows[0] < len(frame) else 0]["item"])
    with st.container(border=True):
        st.caption(f"Item {chosen}")
        with shown(services.TruthmarkError):
            sample(labels.item_of(progress.number, chosen).sample)
    if found.flags:
        st.markdown("**What labelers remarked**")
        st.dataframe(pd.DataFrame(list(found.flags)), hide_index=True)
    _again(progress)


# ---------------------------------------------------------------------------- ask again


def _again(progress: Progress) -> None:
    st.markdown("**Ask again what is unsure**")
    if progress.is_team:
        st.caption(
            "Items of a team are asked again as a new bounty: there is no gold to judge a second "
            "wave by."
        )
        return
    if not progress.can_follow:
        st.caption("What is unsure is known once it is scored.")
        return
    number = progress.number
    with st.form(f"asked_wave_form_{number}"):
        below = st.number_input(
            "Items that lead by less than",
            1,
            1_000_000,
            waves.usual_margin(number),
            key=f"asked_below_{number}",
            persist_state="page",
        )
        rounds = st.number_input(
            "Labels an item", 2, 9, ROUNDS, key=f"asked_rounds_{number}", persist_state="page"
        )
        given = st.text_input(
            "Path of a CSV with the columns item and answer: more that you know",
            key=f"asked_given_{number}",
            help="A wave is judged by answers that were not used before.",
            persist_state="page",
        )
        is_asked = st.form_submit_button("What would it cost?", icon=":material/fact_check:")
    with st.expander("Answer some of these yourself: labelers of the wave are judged by them"):
        knowing_panel(waves.WaveDesk(number, int(below)))
    held = f"asked_wave_{number}"
    if is_asked and unlock_first():
        st.session_state.pop(held, None)
        with working("Making copies of the items") as report:
            wave, mark = (int(below), int(rounds), given), waves.own_mark(number)
            offer = waves.review_wave(number, *wave, report)
            st.session_state[held] = wave, offer, mark
    if held not in st.session_state:
        return
    wave, offer, mark = st.session_state[held]
    if mark != waves.own_mark(number):
        st.info("You have answered since: ask again what it costs.", icon=":material/update:")
        return
    st.markdown(f"{count(offer.items, 'item')}, {wave[1]} labels each.")
    cost_table(offer.cost)
    account = services.account()
    if account is not None and st.button(
        f"Pay {literal(offer.cost.total)} in as {literal(account.name)}",
        type="primary",
        key=f"asked_fund_{number}_{account.address}",
        icon=":material/payments:",
    ):
        with working("Storing and paying in") as report:
            made = waves.fund_wave(number, wave[0], wave[1], wave[2], offer.cost.total, report)
        del st.session_state[held]
        st.session_state.ask_done = made
        st.query_params["bounty"] = str(made)
        st.rerun()


# ------------------------------------------------------------------------------ use them


def _use(progress: Progress, found: Quality) -> None:
    number = progress.number
    with working("Making the table") as report:
        table = labels.table_of(number, report)
    st.download_button(
        "Download the items with their labels (CSV)",
        table,
        file_name=f"bounty-{number}.csv",
        mime="text/csv",
        icon=":material/download:",
        key=f"asked_download_{number}",
    )
    with st.form(f"asked_export_{number}"):
        folder = st.text_input(
            "Or write all of it into a folder of this machine",
            key=f"asked_folder_{number}",
            placeholder="~/labels",
            persist_state="page",
        )
        formats = st.multiselect(
            "Formats",
            found.formats,
            default=["parquet"],
            key=f"asked_formats_{number}",
            persist_state="page",
        )
        is_asked = st.form_submit_button("Write", icon=":material/save:")
    if is_asked:
        with working("Writing") as report:
            written = labels.export(number, folder, formats, report)
        st.success(literal(f"Written: {', '.join(written)}"), icon=":material/check_circle:")
        st.caption("Anyone to whom you give `result.json` can check every label and payment.")
    st.markdown("**Sell this**, with a share of each sale for those who labeled it.")
    if not progress.is_over:
        st.caption("Once everybody is paid.")
    elif (
        st.button("Sell this", key=f"asked_sell_{number}", icon=":material/sell:")
        and unlock_first()
    ):
        with working("Writing") as report:
            path = labels.to_sell(number, report)
        for name in ("sell_listed", "sell_packed", "sell_backed_up", "sell_agreed"):
            st.session_state.pop(name, None)
        st.session_state.sell_from = number
        st.session_state.sell_path, st.session_state.sell_title = path, progress.title
        st.switch_page("app_pages/sell.py")


show()
