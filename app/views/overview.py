"""How it stands: what serves, how it does, what happened last, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import access, frame, watching, words
from app.views import glance, hourly
from pipeline import paths
from pipeline.errors import MlopsError
from pipeline.words import counted

if TYPE_CHECKING:
    from pipeline.state import Version

__all__ = ["render"]

_SHOWN = ("log_loss", "roc_auc", "accuracy", "ece")


def render() -> None:
    """Show the page."""
    frame.page("Overview", "What serves, how it does, what happened last, and what to do next.", _body)


def _body() -> None:
    model = access.config().name
    versions = access.versions(model)
    if not versions:
        _begin()
        return
    serving = next((one for one in versions if one.stage == "Production"), None)
    _cards(model, serving)
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        frame.edge(lambda: _traffic(model))
    with right, st.container(border=True):
        st.markdown("**What to do next**")
        for step in _steps(versions, serving):
            st.markdown(f"- {step}")
    if serving is not None:
        frame.edge(lambda: glance.show(serving))
    left, right = st.columns([3, 2])
    with left, st.container(border=True):
        frame.edge(lambda: _last(model))
    with right, st.container(border=True):
        frame.edge(lambda: _quality(serving))


def _begin() -> None:
    frame.empty("No version is registered yet", "Run `make run` in the project's folder, then look here again.")
    st.markdown("It runs the graph once: rows, checks, model, figures, gates. The first candidate that passes serves.")


def _cards(model: str, serving: Version | None) -> None:
    cards = st.columns(5)
    now = access.served(model)
    cards[0].metric(
        "Version serving",
        str(serving.version) if serving is not None else "none",
        border=True,
        help=_about(serving, now.generation),
    )
    healthy, why = _health(serving)
    cards[1].metric("Engine", "ready" if healthy else "not ready", border=True, help=why)
    day = watching.by_hour(model, 24).answers
    rows = sum(one.n_answers for one in day)
    cards[2].metric("Last 24 hours", f"{rows:,.0f}", border=True, help="Predictions, in whole hours")
    mean = sum(one.confidence * one.n_answers for one in day) / rows if rows else None
    cards[3].metric("Confidence", "-" if mean is None else f"{mean:.1%}", border=True, help="Mean of the last 24 hours")

    open_ = watching.incidents(model)
    newest = words.plain(open_[0].title) if open_ else "The monitor has raised nothing that is still open"
    cards[4].metric("Open alerts", len(open_), border=True, help=newest)


def _about(serving: Version | None, generation: int) -> str:
    if serving is None:
        return "Promote a version on the page Models"
    return words.plain(
        f"{serving.model} {serving.semver}, {serving.tags.get('model', '')}, registered {frame.when(serving.registered_at)};"
        f" generation {generation}: each decision adds one"
    )


def _health(serving: Version | None) -> tuple[bool, str]:
    if serving is None:
        return False, "Nothing is in Production"
    try:
        status = access.engine().status()
    except MlopsError as error:
        return False, words.plain(error)
    return bool(status["is_ready"]), words.plain(status["reason"] or "It answers, and logs what it answers")


def _traffic(model: str) -> None:
    st.markdown("**Predictions by hour**")
    hours = st.segmented_control(
        "Span", [24, 72, 168], default=24, format_func=_span, key="span", label_visibility="collapsed"
    )
    found = watching.by_hour(model, hours or 24)
    if not found.answers:
        st.caption("No prediction in this span. Make one on the page Predict.")
        return
    hourly.answers(found, hours or 24)
    hourly.confidence(found)


def _span(hours: int) -> str:
    return f"{hours} hours" if hours == 24 else f"{hours // 24} days"


def _steps(versions: list[Version], serving: Version | None) -> list[str]:
    """Return what to do next, the most urgent first."""
    steps = []
    open_ = watching.incidents(versions[0].model)
    if open_:
        steps.append(
            f"{counted(len(open_), 'open alert')}, the newest: {words.plain(open_[0].title.removeprefix(versions[0].model).removeprefix(': '))}; act on the page **Monitoring**."
        )
    newest = versions[-1]
    verdict = (newest.tags.get("gates") or {}).get("verdict")
    if serving is None:
        steps.append("Nothing serves: promote a version on the page **Models**.")
    elif newest.version != serving.version and newest.stage == "Staging":
        steps.append(
            f"Version {newest.version} waits in Staging: look at its gates and promote it on the page **Models**."
        )
    elif newest.version != serving.version and verdict not in (None, "promote"):
        steps.append(f"Version {newest.version} did not pass its gates; the page **Models** says why.")
    rules = _warnings()
    if rules:
        steps.append(
            f"The rows raised {counted(len(rules), 'warning')} ({words.plain(', '.join(rules))}); see the page **Data**."
        )
    steps += ["Try the model on the page **Predict**.", "Try another model: `dvc exp run -S model=random_forest`"]
    return steps


def _warnings() -> list[str]:
    try:
        found = access.report(paths.VALIDATION)["findings"]
    except MlopsError:
        return []
    return list(dict.fromkeys(words.spoken(one["rule"]) for one in found if one["level"] != "ok"))


def _last(model: str) -> None:
    st.markdown("**What happened last**")
    entries = access.history(model, limit=6)
    for one in entries:
        version = f" version {one.version}" if one.version is not None else ""
        why = f": {words.plain(one.reason)}" if one.reason else ""
        st.markdown(f"- **{words.plain(one.action)}**{version} by {words.plain(one.actor)}{why}")
        st.caption(frame.when(one.at), help=words.plain(words.moment(one.at)))


def _quality(serving: Version | None) -> None:
    st.markdown("**How good it is on rows that it never saw**")
    found = None if serving is None else access.evaluation_of(serving.digest)
    if found is None:
        st.caption("The evaluation of the version that serves is not at hand; see the page Models.")
        return
    metrics: dict[str, Any] = found.report["metrics"]
    shown = [name for name in _SHOWN if name in metrics] or list(metrics)[:4]
    rows = [
        {
            "Figure": f"{words.spoken(name)} {'↑' if metrics[name]['higher_is_better'] else '↓'}",
            "Value": words.number(metrics[name]["value"]),
            "Interval": f"{words.number(metrics[name]['low'])} to {words.number(metrics[name]['high'])}",
        }
        for name in shown
    ]
    frame.table(pd.DataFrame(rows))
    st.caption("↑ higher is better, ↓ lower is better; the page Models has all of them")
