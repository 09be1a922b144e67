"""The panel of decisions: what each run of the loop did or why it did nothing, with the evidence of one run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipeline.errors import UsageError
from pipeline.text import pluralize, timestamp

from ... import address, formatting, html_table, links, page
from ...page_queries import loop_queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.state import LoopDecision, LoopRun

    from ...page_queries.loop_queries import LoopOverview

__all__ = ["select_decisions", "show_timeline", "subject_cell"]

_ALL = "all"
_MAX_ROWS = 200
_SUBJECT = re.compile(r"(trial|retrain) (\d+)")
_TABS = {"trial": "Trials", "retrain": "Retrains"}
_VERSION_FACTS = ("version", "challenger", "candidate")


def show_timeline(overview: LoopOverview, model: str) -> None:
    """Show the run of the address or the last one, then all decisions, filtered by subject and action."""
    requested = _requested_run()
    run = overview.last_run if requested is None else requested
    if run is not None:
        _show_run(run, is_requested=requested is not None)
    shown = _choose(
        {"actions": "What happened", "everything": "Every run, with the reason where nothing happened"},
        "show",
        default="actions",
        label="Decisions",
    )
    runs = overview.runs if shown == "actions" else loop_queries.recent_runs(model)
    decided = [
        (run, decision) for run in runs for decision in run.decisions if decision.is_action or shown == "everything"
    ]
    _show_decisions(_filtered(decided), is_idle=shown == "everything")


def _requested_run() -> LoopRun | None:
    text = st.query_params.get("run", "")
    if not text.isdecimal() or len(text) > 12:
        return None
    try:
        return loop_queries.find_loop_run(int(text))
    except UsageError as error:
        page.show_error(error)
        return None


def _show_run(run: LoopRun, *, is_requested: bool) -> None:
    """Show every decision of a run with its reason and its evidence; where nothing happened, why."""
    with st.container(border=True):
        title, close = st.columns([6, 1], vertical_alignment="center")
        name = f"Run {run.seq}" if is_requested else f"Last run ({run.seq})"
        title.markdown(f"**{name}**, {page.timestamp(run.recorded_at)}: {_count_actions(run)}")
        if is_requested:
            close.button("Close", icon=":material/close:", key="close_loop_run", on_click=_forget_run)
        for decision in run.decisions:
            _show_decision(decision)
            if decision.facts:
                with st.expander(f"Evidence: {formatting.escape_markdown(decision.subject)}"):
                    page.show_facts(decision.facts)


def _forget_run() -> None:
    st.query_params.pop("run", None)


def _run_address(run: LoopRun) -> str:
    return links.page_address("loop", run=run.seq)


def _count_actions(run: LoopRun) -> str:
    n = sum(decision.is_action for decision in run.decisions)
    return pluralize(n, "action") if n else "nothing happened, because"


def _show_decision(decision: LoopDecision) -> None:
    later = "" if decision.next_at is None else f" Next look: {timestamp(decision.next_at, page.user_time_zone())}."
    text = formatting.message_markdown(formatting.shorten(decision.reason, 400)).removesuffix(".")
    color = "red" if decision.error else "green" if decision.is_action else "gray"
    action = f" **{formatting.escape_markdown(decision.action)}**:" if decision.is_action else ""
    st.markdown(f":{color}-badge[{formatting.escape_markdown(decision.subject)}]{action} {text}.{later}")


def _choose(labels: Mapping[str, str], parameter: str, *, default: str, label: str) -> str:
    return address.choose(
        st.segmented_control,
        list(labels),
        parameter=parameter,
        key=f"loop_{parameter}",
        default=default,
        format_func=labels.__getitem__,
        label=label,
        label_visibility="collapsed",
    )


def _filtered(decided: Sequence[tuple[LoopRun, LoopDecision]]) -> list[tuple[LoopRun, LoopDecision]]:
    """Show the filters, and return the decisions that they select."""
    subjects = _ordered(name for _, decision in decided for name in _subject_names(decision.subject))
    actions = _ordered(decision.action for _, decision in decided)
    left, right = st.columns(2)
    subject = _select(left, subjects, "subject", "Subject")
    action = _select(right, actions, "action", "Action")
    return select_decisions(decided, subject=subject, action=action)


def select_decisions(
    decided: Sequence[tuple[LoopRun, LoopDecision]], *, subject: str, action: str
) -> list[tuple[LoopRun, LoopDecision]]:
    """Return the decisions about a subject with an action; `all` is any, and `trial` is every trial."""
    return [
        (run, decision)
        for run, decision in decided
        if subject in (_ALL, *_subject_names(decision.subject)) and action in (_ALL, decision.action)
    ]


def _subject_names(subject: str) -> tuple[str, ...]:
    """Return the kind of a subject and the subject itself."""
    kind = subject.partition(" ")[0]
    return (subject,) if kind == subject else (kind, subject)


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=lambda name: [(0, int(part), "") if part.isdecimal() else (1, 0, part)
                                                for part in name.split()])  # fmt: skip


def _select(box: Any, names: list[str], parameter: str, label: str) -> str:
    return address.choose(
        box.selectbox,
        [_ALL, *names],
        parameter=parameter,
        key=f"loop_{parameter}",
        default=_ALL,
        format_func=lambda name: f"All {label.lower()}s" if name == _ALL else name,
        label=label,
    )


def _show_decisions(decided: list[tuple[LoopRun, LoopDecision]], *, is_idle: bool) -> None:
    if not decided:
        page.empty_state("No decision matches", "select another subject or action, or every run")
        return
    page.show_table(
        [_decision_row(run, decision) for run, decision in decided[:_MAX_ROWS]], caption="Decisions of the loop"
    )
    if len(decided) > _MAX_ROWS or is_idle:
        st.caption(f"The newest {min(len(decided), _MAX_ROWS)} decisions; `mlops loop list --all` lists more.")


def _decision_row(run: LoopRun, decision: LoopDecision) -> dict[str, object]:
    version = _version_of(decision.facts)
    return {
        "Time": timestamp(run.recorded_at, page.user_time_zone()),
        "Run": html_table.Link(f"Run {run.seq}", _run_address(run)),
        "Subject": subject_cell(decision.subject),
        "Action": decision.action if decision.is_action else html_table.Badge("none", "gray"),
        "Reason": decision.reason,
        "Version": "" if version is None else html_table.Link(f"Version {version}", _version_address(version)),
    }


def _version_address(version: int) -> str:
    return links.page_address("models", version=version)


def _version_of(facts: Mapping[str, Any]) -> int | None:
    return next((facts[name] for name in _VERSION_FACTS if isinstance(facts.get(name), int)), None)


def subject_cell(subject: str) -> html_table.Link | str:
    """Return the link of a trial or retrain, or the subject as text."""
    match = _SUBJECT.fullmatch(subject)
    if match is None:
        return subject
    kind, number = match.groups()
    return html_table.Link(subject, links.page_address("loop", loop_tab=_TABS[kind], **{kind: number}))
