"""The live rows: how far they moved from training, how well the model does, and how it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import access, charts, frame, words

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["render"]

_SPANS = {1: "1 hour", 24: "1 day", 168: "7 days", 720: "30 days"}
_VERDICTS = {
    "stable": "stable",
    "watch": "watch",
    "drift": "drift",
    "not_enough_data": "few rows",
    "not_evaluated": "not evaluated",
}


def render() -> None:
    """Show the page."""
    frame.page("Monitoring", "Whether live rows still look like those of training, and how well the model does.", _body)


def _body() -> None:
    model = access.config().name
    if "Production" not in access.served(model).versions:
        frame.empty(
            "Nothing serves yet",
            "run `make run`, or promote a version on the page Models; then there is something to watch",
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        hours = st.segmented_control(
            "Window",
            list(_SPANS),
            default=24,
            format_func=_SPANS.__getitem__,
            key="window",
            label_visibility="collapsed",
        )
        is_live = st.toggle("Live", value=False, key="monitoring_live", help="Looks again every 15 seconds")
    _again(15 if is_live else None, lambda: _window(model, hours or 24))


def _again(every_s: int | None, show: Callable[[], None]) -> None:
    @st.fragment(run_every=every_s)
    def look() -> None:
        frame.edge(show)

    look()


def _window(model: str, hours: int) -> None:
    found = access.monitoring(model, hours)
    traffic, drift, performance = found["dashboard"], found["drift"], found["performance"]
    _cards(traffic, drift, performance)
    if not traffic["total_predictions"]:
        frame.empty("No prediction in this window", "choose a longer one, or make a prediction on the page Predict")
        return
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        _drift(drift)
    with right, st.container(border=True):
        _answers(traffic)
    with st.container(border=True):
        _performance(performance, found["degradation"])


def _cards(traffic: dict[str, Any], drift: dict[str, Any], performance: dict[str, Any]) -> None:
    cards = st.columns(5)
    cards[0].metric(
        "Drift", _VERDICTS[drift["verdict"]], border=True, help=words.plain(words.short(drift["summary"], 300))
    )
    cards[1].metric("Predictions", f"{traffic['total_predictions']:,}", border=True)
    coverage = performance["coverage"]
    cards[2].metric(
        "Outcomes", f"{traffic['n_outcomes']:,}", border=True, help=f"Known for {coverage or 0:.1%} of the predictions"
    )
    mean = traffic["average_confidence"]
    cards[3].metric("Confidence", "-" if mean is None else f"{mean:.1%}", border=True, help="Mean of the window")
    latency = traffic["latency_ms"].get("95")
    cards[4].metric(
        "Latency",
        "-" if latency is None else f"{latency:.1f} ms",
        border=True,
        help="95 of 100 answers took at most this",
    )


def _drift(drift: dict[str, Any]) -> None:
    st.markdown(
        "**How far each column moved**",
        help="A verdict needs a change above its limit and beyond chance; the line is the limit",
    )
    st.caption(words.sentence(drift["summary"]))
    titles = {one.name: one.label for one in _columns()}
    rows = [
        {
            "name": words.short(titles.get(one["column"], one["column"]), 40),
            "ratio": one["value"] / one["limit"] if one["value"] is not None and one["limit"] else 0.0,
            "verdict": _VERDICTS[one["verdict"]],
            "words": words.short(one["words"], 200),
        }
        for one in drift["findings"]
    ]
    found = pd.DataFrame(rows, columns=["name", "ratio", "verdict", "words"])
    frame.chart(charts.effects(found), alt="Size of the change by column")
    with st.expander("In words"):
        frame.table(found[["name", "verdict", "words"]].set_axis(["Column", "Verdict", "How it moved"], axis=1))


def _columns() -> tuple[Any, ...]:
    digest = access.served(access.config().name).digests["Production"]
    return access.package_of(digest).schema.columns


def _answers(traffic: dict[str, Any]) -> None:
    st.markdown("**What it answered**")
    total = traffic["total_predictions"]
    rows = [(words.short(name), n / total) for name, n in traffic["predictions_by_class"].items()]
    frame.chart(
        charts.shares(pd.DataFrame(rows, columns=["name", "share"]), title="Share of the answers"),
        alt="Answers by class",
    )
    versions = ", ".join(f"version {name}: {n:,}" for name, n in traffic["predictions_by_version"].items())
    st.caption(f"By {versions}")


def _performance(performance: dict[str, Any], degradation: dict[str, Any]) -> None:
    st.markdown(
        "**How well it does**",
        help="From outcomes where they are known; expected from its own probabilities without them",
    )
    if degradation["degradation_detected"]:
        worse = ", ".join(words.spoken(name) for name in degradation["degraded_metrics"])
        st.error(f"Worse than in training, beyond chance: {words.plain(worse)}", icon=":material/trending_down:")
    if not performance["n_outcomes"]:
        st.caption(
            "No outcome is known yet: what follows is what the model expects of itself. Say what became true on the page History."
        )
    rows = [
        {
            "Figure": words.spoken(name),
            "From outcomes": words.number(performance.get(name)),
            "Interval": _interval(performance["intervals"].get(name)),
            "Expected": words.number(one["value"]),
        }
        for name, one in performance["expected"].items()
    ]
    frame.table(pd.DataFrame(rows))


def _interval(given: list[float | None] | None) -> str:
    if given is None or given[0] is None:
        return "-"
    return f"{words.number(given[0])} to {words.number(given[1])}"
