"""One answer: what and how sure, warnings, why, what would change it, and what became true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import access, charts, frame, words
from app.views import feedback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.package import Package

__all__ = ["show"]

_MAX_CLASSES = 12


def show(answer: Mapping[str, Any], features: Mapping[str, Any], package: Package, *, origin: str) -> None:
    """Show an answer of the engine to `features`; `origin` keeps widgets of two answers apart."""
    label = str(answer["prediction"])
    target = package.schema.target
    with st.container(border=True):
        st.metric(
            words.plain(target.title or target.column),
            words.short(label),
            f"{answer['confidence']:.1%} sure",
            delta_color="off",
            delta_arrow="off",
        )
        _bars(answer["probabilities"], label)
        for one in answer["warnings"]:
            st.warning(
                f"{words.plain(_title(package, one['column']))}: {words.plain(one['message'])}",
                icon=":material/warning:",
            )
        st.caption(
            f"Version {answer['model_version']} of {words.plain(answer['model_name'])}, logged as `{answer['prediction_id']}`"
        )
    with st.expander("Why", expanded=True, icon=":material/lightbulb:"):
        frame.edge(lambda: _why(features, package))
    opened = st.expander(
        "What would change the answer", icon=":material/alt_route:", key=f"what_if_{origin}", on_change="rerun"
    )
    if opened.open:
        with opened:
            frame.edge(lambda: _what_if(features, package, label, origin))
    with st.expander("Say what became true", icon=":material/rate_review:"):
        feedback.ask(answer["prediction_id"], package.classes)


def _title(package: Package, name: str) -> str:
    return next((one.label for one in package.schema.columns if one.name == name), name) or "This row"


def _bars(probabilities: Mapping[str, float], label: str) -> None:
    ordered = sorted(probabilities.items(), key=lambda one: -one[1])[:_MAX_CLASSES]
    rows = [(words.short(name, 40), share, name == label) for name, share in ordered]
    drawn = charts.probabilities(pd.DataFrame(rows, columns=["label", "probability", "is_answer"]))
    frame.chart(drawn, alt=", ".join(f"{words.short(name, 40)} {share:.1%}" for name, share in ordered))


def _why(features: Mapping[str, Any], package: Package) -> None:
    found = access.engine().explain(features)
    rows = [
        (words.short(_title(package, one["feature"]), 40), one["contribution"], _shown(features.get(one["feature"])))
        for one in found["contributions"]
    ]
    if not rows:
        st.caption("Nothing is known about the columns of the training rows.")
        return
    drawn = charts.contributions(pd.DataFrame(rows, columns=["name", "contribution", "value"]))
    frame.chart(drawn, alt="What each column adds to the probability of the answer")
    st.caption("Against what the column usually was in training, one column at a time; the parts need not add up.")


def _what_if(features: Mapping[str, Any], package: Package, label: str, origin: str) -> None:
    found = pd.DataFrame(access.engine().vary(features)["variations"])
    if found.empty:
        st.caption("Nothing is known about the columns of the training rows.")
        return
    turning = found[found["prediction"] != label]
    if turning.empty:
        st.markdown("No change of **one** column alone turns the answer.")
    else:
        columns = ", ".join(words.plain(_title(package, name)) for name in dict.fromkeys(turning["column"]))
        st.markdown(f"The answer turns when one of these changes: **{columns}**")
    spread = found.groupby("column")["probability"].agg(lambda one: one.max() - one.min())
    names = sorted(spread.index, key=lambda name: -spread[name])
    name = st.selectbox(
        "Column that changes", names, format_func=lambda one: words.short(_title(package, one)), key=f"vary_{origin}"
    )
    drawn = charts.variation(found[found["column"] == name], label=words.short(label, 30))
    frame.chart(drawn, alt="Probability by value; the large point is the value that was given")


def _shown(value: Any) -> str:
    return words.cell_text(value)
