# SPDX-License-Identifier: Apache-2.0
"""From items to a bounty in five steps, on one's own machine; elsewhere what it would cost."""

from dataclasses import replace
from typing import Final

import streamlit as st

from app import services
from app.ask_views import AskForm, Items
from app.components.account import unlock_first
from app.components.ask_payment import check_and_pay, go_on, link_to_asked
from app.components.ask_step import buttons, keep, ways
from app.components.cost import cost_table
from app.components.elsewhere import elsewhere
from app.components.head import page_head
from app.components.item import item_row
from app.components.knowing import knowing_panel
from app.components.label_page import label_preview
from app.components.problem import problem, shown, working
from app.components.text import count, literal
from app.components.tracker import tracker
from app.services import asking, drafts, funding, knowing, purchased, shelves
from app.views import Mark, Step

STEPS: Final = ("Items", "Question", "People", "Price", "Check and pay")
KINDS: Final = {
    "": "found out",
    "text": "texts",
    "image": "pictures",
    "audio": "sounds",
    "pair": "pairs",
    "number": "rows of numbers",
}
HERE: Final = "A folder or table of this machine"
DROPPED: Final = "Files that I drop here"
BOUGHT: Final = "Data that I bought"
PEOPLE: Final = "People I know"
ANYONE: Final = "Anyone"
PREVIEW: Final = 6


def show() -> None:
    """Draw the step that the requester is at."""
    page_head("New bounty")
    if not services.is_local():
        elsewhere()
        return
    if not unlock_first():
        return
    form = _form()
    if form is None:
        _begin()
        return
    if form.bounty:
        link_to_asked(form.bounty)
        return
    offer = funding.offer_of(form)
    if offer is not None and offer.was_sent:
        go_on(form)
        return
    _way(form)
    (_items, _question, _people, _price, check_and_pay)[form.step - 1](form)


# ---------------------------------------------------------------------- which one it is


def _form() -> AskForm | None:
    key = st.query_params.get("ask")
    if not key:
        return None
    try:
        return drafts.find_form(key)
    except services.TruthmarkError as error:
        problem(error)
        return None


def _begin() -> None:
    st.markdown(
        "You have pictures, texts, sounds, pairs or rows of numbers, and want a label for each. "
        "You name the answers and a price; people or programs label; a rule that everybody can "
        "check pays them, and you get a table."
    )
    if st.button("Begin", type="primary", icon=":material/add:", key="ask_begin"):
        form = drafts.new_form()
        with shown(services.TruthmarkError):
            keep(form)
            st.query_params["ask"] = form.key
            st.rerun()
    begun = drafts.forms()
    if begun:
        st.subheader("Begun, and not paid for")
    for form in begun:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            title = form.title or form.path or "without a name"
            st.markdown(f"**{literal(title)}** · {STEPS[form.step - 1]}", width="stretch")
            if st.button("Go on", key=f"ask_open_{form.key}", icon=":material/arrow_forward:"):
                st.query_params["ask"] = form.key
                st.rerun()
            if st.button("Delete", key=f"ask_drop_{form.key}", icon=":material/delete:"):
                drafts.drop_form(form)
                st.rerun()


def _way(form: AskForm) -> None:
    marks = [
        Mark.DONE if n < form.step else Mark.NOW if n == form.step else Mark.TODO
        for n in range(1, len(STEPS) + 1)
    ]
    tracker([Step(name, mark) for name, mark in zip(STEPS, marks, strict=True)])
    st.subheader(f"{form.step} · {STEPS[form.step - 1]}")


# --------------------------------------------------------------------------- 1. items


def _items(form: AskForm) -> None:
    way = st.radio("Where are they?", (HERE, DROPPED, BOUGHT), key="ask_where")
    with st.form("ask_items"):
        path, files, bought = form.path, [], ""
        if way == HERE:
            path = st.text_input(
                "Path of a folder, or of a table (CSV, TSV, JSON lines, Parquet, Arrow)",
                form.path,
                key="ask_path",
                placeholder="~/photos",
            )
        elif way == DROPPED:
            files = st.file_uploader(
                "Pictures, sounds, texts, or one table; for many large ones give their folder",
                accept_multiple_files=True,
                key="ask_files",
            )
        else:
            owned = purchased.opened()
            bought = st.selectbox(
                "A purchase whose key is there",
                list(owned),
                format_func=lambda key: owned[key],
                key="ask_bought",
                placeholder="Nothing that you bought can be opened yet",
            )
        with st.expander("If it is a table, or not found out rightly"):
            column = st.text_input(
                "Column of what is labeled; two with a comma for pairs",
                form.column,
                key="ask_column",
            )
            names = st.text_input("Column that names rows", form.names, key="ask_names")
            kind = st.selectbox(
                "What an item is",
                list(KINDS),
                index=list(KINDS).index(form.kind),
                format_func=KINDS.__getitem__,
                key="ask_kind",
            )
        is_read = st.form_submit_button(
            "Read", icon=":material/fact_check:", key="ask_read", type="secondary"
        )
    st.caption(
        "Labelers get copies alone: pictures upright, small, and without what a camera writes "
        "into them. Nothing leaves this machine before you pay."
    )
    if is_read:
        with shown(services.TruthmarkError), working("Reading") as progress:
            if way == DROPPED:
                path = drafts.keep_files(form, [(f.name, f.getvalue()) for f in files or ()])
            elif way == BOUGHT:
                path = purchased.unpack(bought, drafts.folder_of(form.key), progress)
            form = keep(form, path=path, column=column, names=names, kind=kind)
            shelves.read_items(form, progress)
    found = shelves.items_of(form)
    if found is not None:
        _read(form, found)


def _read(form: AskForm, found: Items) -> None:
    st.success(f"{count(found.count, 'item')}: {KINDS[found.kind]}.", icon=":material/check:")
    for line in found.lines:
        st.caption(literal(line))
    item_row(range(min(PREVIEW, found.count)), lambda number: shelves.item(form, number))
    leaves_out = form.leaves_out
    if found.left_out:
        leaves_out = st.checkbox(
            f"Leave out the {count(found.left_out, 'item')} that cannot be used or are there twice",
            form.leaves_out,
            key="ask_leave_out",
        )
    if st.button(
        "Next",
        type="primary",
        icon=":material/arrow_forward:",
        key="ask_next",
        disabled=bool(found.left_out and not leaves_out),
    ):
        with shown(services.TruthmarkError):
            keep(form, leaves_out=leaves_out, step=2)
            st.rerun()


# ------------------------------------------------------------------------ 2. question


def _question(form: AskForm) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        title = st.text_input("Title", form.title, key="ask_title", max_chars=200)
        answers = st.text_area(
            "What may be answered: one a line",
            "\n".join(f"{name} = {key}" if key else name for name, key in form.classes),
            key="ask_classes",
            height=130,
            placeholder="cat\ndog\nneither = n",
            help="`= n` gives an answer the key n; the others get 1, 2, 3 and so on.",
        )
    with right:
        guidelines = st.text_area(
            "What to answer when",
            form.guidelines,
            key="ask_guidelines",
            height=216,
            max_chars=20_000,
            placeholder="It is a cat if its face can be seen.",
        )
    st.caption(
        "One question an item, with a choice of answers. Several questions, boxes and parts "
        "of a text are not possible yet."
    )
    new = replace(form, title=title, guidelines=guidelines, classes=asking.classes_in(answers))
    if new != form:
        form = keep(new)
    if ways(form):
        with shown(services.TruthmarkError):
            asking.require_classes(form)
            keep(form, step=3)
            st.rerun()
    _preview(form)


def _preview(form: AskForm) -> None:
    st.markdown("**As labelers will see it**")
    try:
        asking.require_classes(form)
    except services.TruthmarkError:
        st.caption("Write at least two answers above; then you can try the page on your items.")
        return
    with shown(services.TruthmarkError), st.container(border=True):
        label_preview(shelves.preview(form), f"ask_preview_{form.key}")


# -------------------------------------------------------------------------- 3. people


def _people(form: AskForm) -> None:
    who = st.radio(
        "Who labels?",
        (PEOPLE, ANYONE),
        index=0 if form.is_team else 1,
        key="ask_who",
        captions=(
            "You send each a link. All whose labels arrive are paid in full.",
            "Strangers are paid by how often they are right where you know the answer.",
        ),
    )
    if (who == PEOPLE) != form.is_team:
        form = keep(form, is_team=who == PEOPLE)
    if form.is_team:
        _team(form)
    else:
        _strangers(form)


def _team(form: AskForm) -> None:
    with st.form("ask_team"):
        people = st.text_area(
            "Their names, one a line",
            form.people,
            key="ask_people",
            height=130,
            placeholder="Ann\nBob",
            help="Or the address of an account, for who has one.",
        )
        url = _relay(form)
        is_back, is_next = buttons(form)
    if is_back or is_next:
        with shown(services.TruthmarkError):
            form = keep(form, people=people, relay_url=url)
            if is_next:
                asking.require_people(form)
            keep(form, step=form.step + (1 if is_next else -1))
            st.rerun()
    with st.expander("Label a few yourself, to learn how long one takes and to teach the others"):
        knowing_panel(knowing.FormDesk(form))


def _relay(form: AskForm) -> str:
    with st.expander("How labelers reach this computer"):
        return st.text_input(
            "Address",
            form.relay_url,
            key="ask_relay",
            help="On other machines it is an address of this one that they can open; in a browser "
            "it must begin with https, for which `truthmark certificate` makes what is needed.",
        )


def _strangers(form: AskForm) -> None:
    with (
        st.expander(
            "Answers that you have, or a model's", expanded=bool(form.given or form.predictions)
        ),
        st.form("ask_model", border=False),
    ):
        given = st.text_input(
            "Path of a CSV with the columns item and answer: what you know already",
            form.given,
            key="ask_given",
        )
        predictions = st.text_input(
            "The same of a model: as many of each class are asked of you",
            form.predictions,
            key="ask_predictions",
        )
        is_against = st.checkbox(
            "Judge people where the model is no better than chance",
            form.is_against,
            key="ask_against",
            help="Accounts that answer as this model does are then paid as if they guessed.",
        )
        is_used = st.form_submit_button("Use them", key="ask_use_model")
    if is_used:
        with shown(services.TruthmarkError):
            new = replace(form, given=given, predictions=predictions, is_against=is_against)
            knowing.require_answers(new)
            form = keep(new)
    st.markdown(
        "**Label some yourself.** Nobody is told which ones: people are judged by them. A few "
        "become practice."
    )
    knowing_panel(knowing.FormDesk(form))
    with st.form("ask_open"):
        gate = st.text_input(
            "Contract that admits labelers, if not everybody may come",
            form.gate,
            key="ask_gate",
            placeholder="0x…",
        )
        url = _relay(form)
        is_back, is_next = buttons(form)
    if is_back or is_next:
        with shown(services.TruthmarkError):
            step = form.step + (1 if is_next else -1)
            keep(form, gate=gate, relay_url=url, step=step)
            st.rerun()


# --------------------------------------------------------------------------- 4. price


def _price(form: AskForm) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        new = _terms(form)
        if new != form:
            form = keep(new)
        is_next = ways(form)
    with right, shown(services.TruthmarkError):
        cost = asking.cost(form)
        cost_table(cost)
        if is_next:
            keep(form, step=5)
            st.rerun()


def _terms(form: AskForm) -> AskForm:
    tokens = services.tokens()
    price = st.text_input("Price of a label", form.price, key="ask_price")
    token = st.selectbox(
        "Token",
        tokens,
        index=tokens.index(form.token) if form.token in tokens else 0,
        key="ask_token",
    )
    with shown(services.TruthmarkError):
        if (seconds := knowing.seconds_of(form)) is not None:
            hourly = st.text_input(
                f"What an hour is to pay, at {seconds:g} seconds an item as you took",
                form.hourly,
                key="ask_hourly",
                placeholder="15",
            )
            if hourly and hourly != form.hourly:
                form = replace(form, hourly=hourly)
                found = knowing.suggestion(form)
                st.caption(f"That is {literal(found)} a label.")
                price = found
    names = dict(asking.times())
    rounds = st.select_slider(
        "Labels an item",
        list(range(10)),
        form.rounds,
        format_func=lambda number: "as advised" if number == 0 else str(number),
        key="ask_rounds",
    )
    times = st.selectbox(
        "How long the steps take", list(names), index=list(names).index(form.times), key="ask_times"
    )
    st.caption(names[times])
    with st.expander("More"):
        in_waves = form.waves
        if not form.is_team:
            in_waves = st.text_input(
                "Labels an item in waves, instead of the above",
                form.waves,
                key="ask_waves",
                placeholder="2+2+3",
                help="Later waves ask only what is unsure by then. They follow by themselves.",
            )
        hours = st.number_input(
            "Hours to label; 0: as above", 0, 1_000, form.label_hours, key="ask_hours"
        )
        worth = st.text_input(
            "What one token is worth in what gas is paid in",
            form.worth,
            key="ask_worth",
            placeholder="0.0003",
            help="So that fees cover gas; known on a development network.",
        )
    return replace(
        form,
        price=price,
        token=token,
        rounds=rounds,
        waves=in_waves,
        times=times,
        label_hours=int(hours),
        worth=worth,
    )


show()
