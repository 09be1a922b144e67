"""The panel of trials: the gain of the challenger with its interval, what decides, and the missing outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.metrics.metric_labels import metric_label
from pipeline.text import percent, pluralize, timestamp

from ... import address, formatting, html_table, links, page
from ...page_charts import loop_charts
from ...page_queries import loop_queries
from . import canary_panel, proposal_form, timeline_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.state import Retrain, Trial

    from ...page_queries.loop_queries import TrialComparison

__all__ = ["show_trials"]

_STATE_COLORS = {
    "comparing": "blue", "canary": "blue", "split": "blue", "won": "green", "lost": "orange", "undecided": "gray",
    "void": "gray", "harmful": "red", "aborted": "red",
}  # fmt: skip
_METHODS = {
    "replay": "the challenger scores the logged rows again",
    "live": "the challenger scores beside each response, and no caller gets its prediction",
    "split": "the challenger responds to a share of the requests",
}


def show_trials(trials: Sequence[Trial], retrains: Sequence[Retrain]) -> None:
    """Show all trials, and one of them: its comparison, its traffic, and the retrain that made its challenger."""
    if not trials:
        page.empty_state("No trial yet", "open one with `mlops trial start VERSION`")
        return
    page.show_table([_trial_row(trial) for trial in trials], caption="Trials, newest first")
    by_number = {trial.seq: trial for trial in trials}
    number = address.choose(
        st.selectbox,
        list(by_number),
        parameter="trial",
        key="loop_trial",
        default=trials[0].seq,
        format_func=lambda number: _trial_label(by_number[number]),
        label="Trial",
    )
    trial = by_number[number]
    color = _STATE_COLORS.get(trial.state, "gray")
    st.markdown(f"### Trial {trial.seq} :{color}-badge[{trial.state}]")
    stop_reason = trial.evidence.get("traffic", {}).get("stop_reason")
    if stop_reason:
        st.warning(formatting.message_markdown(f"Stopped: {stop_reason}."), icon=":material/stop_circle:")
    _show_links(trial, retrains)
    page.error_boundary(lambda: _show_comparison(trial, loop_queries.trial_comparison(trial)))
    page.error_boundary(lambda: canary_panel.show_canary(loop_queries.hourly_traffic(trial.seq)))
    proposal_form.show_stop(trial)
    if trial.evidence:
        with st.expander("Evidence of the last decision"):
            page.show_facts(trial.evidence)


def _show_links(trial: Trial, retrains: Sequence[Retrain]) -> None:
    """Link what a trial is about: its versions, their comparison, its retrain and its decisions."""
    subject = f"trial {trial.seq}"
    origin = next((retrain for retrain in retrains if retrain.trial == trial.seq), None)
    compared = links.page_address("compare", first=trial.champion, second=trial.challenger)
    row = {
        "Challenger": _version_cell(trial.challenger),
        "Champion": _version_cell(trial.champion),
        "Comparison": html_table.Link("Both versions", compared),
        "Origin": "by hand" if origin is None else timeline_panel.subject_cell(f"retrain {origin.seq}"),
        "Decisions": html_table.Link(
            f"All of {subject}", links.page_address("loop", show="everything", subject=subject)
        ),
    }
    page.show_table([row], caption=f"What {subject} is about")


def _trial_row(trial: Trial) -> dict[str, object]:
    return {
        "Trial": timeline_panel.subject_cell(f"trial {trial.seq}"),
        "State": html_table.Badge(trial.state, _STATE_COLORS.get(trial.state, "gray")),
        "Challenger": _version_cell(trial.challenger),
        "Champion": _version_cell(trial.champion),
        "Purpose": trial.purpose,
        "Method": trial.method,
        "Share": percent(trial.share),
        "Opened": timestamp(trial.opened_at, page.user_time_zone()),
        "Opened by": trial.opened_by,
        "Proposal": trial.proposal or "",
    }


def _version_cell(version: int) -> html_table.Link:
    return html_table.Link(f"Version {version}", links.page_address("models", version=version))


def _trial_label(trial: Trial) -> str:
    return f"Trial {trial.seq}: version {trial.challenger} against {trial.champion}, {trial.state}"


def _show_comparison(trial: Trial, compared: TrialComparison) -> None:
    settings, verdict = trial.settings["trial"], compared.verdict
    metric = metric_label(verdict.metric)
    metric = metric[0].lower() + metric[1:]
    gain, outcomes, missing, disagreement = st.columns(4)
    gain.metric(f"Gain in {metric}", "-" if verdict.gain is None else f"{verdict.gain:+.4f}")
    outcomes.metric("Outcomes so far", f"{verdict.n_outcomes:,}")
    is_known = trial.is_open and verdict.n_more_outcomes is not None
    missing.metric("Outcomes still needed", f"{verdict.n_more_outcomes:,}" if is_known else "-")
    disagreement.metric("Rows with another class", percent(verdict.disagreement))
    summary = verdict.summary
    st.caption(formatting.message_markdown(f"{summary[0].upper()}{summary[1:]}."))
    if compared.band:
        frame = pd.DataFrame([{name: getattr(point, name) for name in point.__slots__} for point in compared.band])
        chart = loop_charts.gain_over_outcomes(
            frame, metric=metric, min_outcomes=settings["min_outcomes"], decides_at=_decisive_gain(settings)
        )
        page.show_chart(chart, alt=f"Gain of the challenger in {metric} with its interval over the outcomes")
    else:
        st.caption("The band appears as soon as outcomes arrived in two hours.")
    for line in _deciding_lines(trial, verdict.alpha):
        st.caption(line)


def _decisive_gain(settings: Mapping[str, Any]) -> float:
    """Return the gain above which the challenger wins: 0, or the margin below it for non-inferiority."""
    return -float(settings["margin"]) if settings["test"] == "non_inferiority" else 0.0


def _deciding_lines(trial: Trial, alpha: float) -> list[str]:
    """Return what decides the trial, and from which predictions."""
    settings = trial.settings["trial"]
    floors = (
        f"{pluralize(settings['min_outcomes'], 'outcome')} and {pluralize(settings['min_units'], settings['unit'])}"
    )
    at = f"{_decisive_gain(settings):g}"
    rule = (
        f"It wins when the whole band is above {at}, and loses when it is below {at}; both need at least {floors}."
        f" The chance of a false decision is at most {percent(alpha)}, however often one looks."
    )
    period = (
        f"Predictions count from {timestamp(trial.fresh_from, page.user_time_zone())} on. After"
        f" {settings['max_days']:g} days without a decision, the champion stays."
    )
    lines = [f"Method {trial.method}: {_METHODS[trial.method]}.", rule, period]
    if trial.state == "canary":
        steps = trial.settings["canary"]["steps"]
        lines.append(f"Canary step {trial.step} of {len(steps)}: {percent(trial.share)} of the requests.")
    return lines
