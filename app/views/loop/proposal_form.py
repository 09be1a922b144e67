"""The forms of the loop: approve what waits for a person, stop a trial, discard a retrain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pipeline.errors import MlopsError
from pipeline.retraining.retrain_steps import approve_retrain, discard_retrain
from pipeline.state import LoopContext
from pipeline.text import timestamp
from pipeline.trials import approve_trial, stop_trial

from ... import formatting, page, queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.state import Retrain, Trial

    from ...page_queries.loop_queries import LoopOverview

__all__ = ["show_proposals", "show_stop"]

_RESULT_KEY = "loop_result"
_WAITING_STATES = ("asked", "needs_decision")


@dataclass(frozen=True, slots=True)
class _Choice:
    """One button of a decision: it makes the change, with a reason where one is needed."""

    key: str
    label: str
    icon: str
    result: str
    change: Callable[[str], object]
    needs_reason: bool


def show_proposals(overview: LoopOverview) -> None:
    """Show what waits for a person, with buttons for operators, and the result of the last decision."""
    result = st.session_state.pop(_RESULT_KEY, None)
    if result is not None:
        st.success(formatting.escape_markdown(result), icon=":material/check_circle:")
    proposed = [trial for trial in overview.trials if trial.is_open and trial.proposal]
    waiting = [retrain for retrain in overview.retrains if retrain.state in _WAITING_STATES]
    if not proposed and not waiting:
        return
    st.markdown("**Waiting for a person**")
    for trial in proposed:
        _show_proposal(_trial_text(trial), _trial_choices(trial))
    for retrain in waiting:
        _show_proposal(_retrain_text(retrain), _retrain_choices(retrain))


def show_stop(trial: Trial) -> None:
    """Show the form that stops an open trial; none to users who may not."""
    if trial.is_open and page.can_operate("operator")[0]:
        _show_choices([_stop_choice(trial, place="trial")])


def _trial_choices(trial: Trial) -> list[_Choice]:
    def approve(_reason: str) -> object:
        state, packages = queries.state(), queries.registry().packages
        return approve_trial(state, packages, queries.config().lifecycle, trial.seq, actor=queries.current_user().id)

    approval = _Choice(
        key=f"approve_{trial.seq}_{trial.proposal}",  # a click on an earlier proposal must not approve this one
        label="Approve",
        icon=":material/check:",
        result=f"Trial {trial.seq}: {trial.proposal} is approved.",
        change=approve,
        needs_reason=False,
    )
    return [approval, _stop_choice(trial, place="proposal")]


def _retrain_choices(retrain: Retrain) -> list[_Choice]:
    next_step = "trains it" if retrain.state == "asked" else "puts its candidate on trial"
    approval = _Choice(
        key=f"approve_{retrain.seq}_{retrain.state}",
        label="Approve",
        icon=":material/check:",
        result=f"Retrain {retrain.seq} is approved; the next run of the loop {next_step}.",
        change=lambda _reason: approve_retrain(_context(), retrain),
        needs_reason=False,
    )
    discard = _Choice(
        key=f"discard_{retrain.seq}_retrain",
        label="Discard",
        icon=":material/delete:",
        result=f"Retrain {retrain.seq} is discarded.",
        change=lambda reason: discard_retrain(_context(), retrain, reason=reason),
        needs_reason=True,
    )
    return [approval, discard]


def _context() -> LoopContext:
    """Return what a decision about a retrain needs, in the name of the user."""
    state = queries.state()
    return LoopContext(
        state,
        queries.config(),
        queries.project_root(),
        now=state.clock(),
        mode="act",
        actor=queries.current_user().id,
    )


def _stop_choice(trial: Trial, *, place: str) -> _Choice:
    return _Choice(
        key=f"stop_{trial.seq}_{place}",
        label="Stop",
        icon=":material/stop_circle:",
        result=f"Trial {trial.seq} is stopped; the champion stays.",
        change=lambda reason: stop_trial(queries.state(), trial.seq, actor=queries.current_user().id, reason=reason),
        needs_reason=True,
    )


def _trial_text(trial: Trial) -> str:
    proposals = {
        "canary": f"give version {trial.challenger} a share of the requests of version {trial.champion} (canary)",
        "promote": f"promote version {trial.challenger} to Production, instead of version {trial.champion}",
        "roll back": f"roll back from version {trial.champion} to version {trial.challenger}",
    }
    return f"**Trial {trial.seq}**: {proposals[str(trial.proposal)]}"


def _retrain_text(retrain: Retrain) -> str:
    state = "needs a decision" if retrain.state == "needs_decision" else "waits for approval"
    cause = formatting.escape_markdown(retrain.cause)
    asked = timestamp(retrain.asked_at, page.user_time_zone())
    reason = formatting.message_markdown(formatting.shorten(retrain.error or retrain.facts.get("reason", ""), 400))
    return f"**Retrain {retrain.seq}** {state}; cause: {cause}, asked {asked}. {reason}"


def _show_proposal(text: str, choices: list[_Choice]) -> None:
    is_allowed, denied_reason = page.can_operate("operator")
    with st.container(border=True):
        st.markdown(text)
        if is_allowed:
            _show_choices(choices)
        else:
            st.caption(denied_reason)


def _show_choices(choices: list[_Choice]) -> None:
    with st.container(horizontal=True):
        for choice in choices:
            with st.popover(choice.label, icon=choice.icon, key=f"{choice.key}_popover"):
                _decision_form(choice)


def _decision_form(choice: _Choice) -> None:
    reason = ""
    if choice.needs_reason:
        placeholder = "Recorded in the audit trail"
        reason = st.text_input("Reason (required)", key=f"{choice.key}_reason", placeholder=placeholder, max_chars=1000)
    if not st.button("Confirm", type="primary", key=f"{choice.key}_confirm"):
        return
    if choice.needs_reason and not reason.strip():
        st.error("Enter a reason; the audit trail records it.", icon=":material/edit_note:")
        return
    try:
        choice.change(reason)
    except MlopsError as error:
        page.show_error(error)
        return
    st.session_state[_RESULT_KEY] = choice.result
    st.rerun()
