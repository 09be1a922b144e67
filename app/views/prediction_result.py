"""One answer: what and how sure, warnings, why, what would change it, and what became true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import charts, formatting, page, queries
from app.views import outcome_form
from pipeline.text import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.package import Package

__all__ = ["show_prediction"]

_MAX_CLASSES = 12


def show_prediction(
    prediction: Mapping[str, Any], features: Mapping[str, Any], package: Package, *, key_suffix: str
) -> None:
    """Show an answer of the engine to `features`; `origin` keeps widgets of two answers apart."""
    label = str(prediction["prediction"])
    target = package.schema.target
    with st.container(border=True):
        st.metric(
            formatting.escape_markdown(target.title or target.column),
            formatting.shorten(label),
            f"{percent(prediction['confidence'])} sure",
            delta_color="off",
            delta_arrow="off",
        )
        _show_probabilities(prediction["probabilities"], label)
        for one in prediction["warnings"]:
            st.warning(
                f"{formatting.escape_markdown(_feature_title(package, one['feature']))}: {formatting.escape_markdown(one['message'])}",
                icon=":material/warning:",
            )
        st.caption(
            f"Version {prediction['model_version']} of {formatting.escape_markdown(prediction['model_name'])}, logged as `{prediction['prediction_id']}`"
        )
    with st.expander("Why", expanded=True, icon=":material/lightbulb:"):
        page.error_boundary(lambda: _show_contributions(features, package))
    opened = st.expander(
        "What would change the answer", icon=":material/alt_route:", key=f"what_if_{key_suffix}", on_change="rerun"
    )
    if opened.open:
        with opened:
            page.error_boundary(lambda: _show_what_if(features, package, label, key_suffix))
    with st.expander("Say what became true", icon=":material/rate_review:"):
        outcome_form.show_outcome_form(prediction["prediction_id"], package.classes)


def _feature_title(package: Package, name: str) -> str:
    return next((one.label for one in package.schema.columns if one.name == name), name) or "This row"


def _show_probabilities(probabilities: Mapping[str, float], label: str) -> None:
    ordered = sorted(probabilities.items(), key=lambda one: -one[1])[:_MAX_CLASSES]
    rows = [(formatting.shorten(name, 40), share, name == label) for name, share in ordered]
    drawn = charts.class_probabilities(pd.DataFrame(rows, columns=["label", "probability", "is_answer"]))
    page.show_chart(drawn, alt=", ".join(f"{formatting.shorten(name, 40)} {percent(share)}" for name, share in ordered))


def _show_contributions(features: Mapping[str, Any], package: Package) -> None:
    found = queries.engine().explain(features)
    rows = [
        (
            formatting.shorten(_feature_title(package, one["feature"]), 40),
            one["contribution"],
            _value_text(features.get(one["feature"])),
        )
        for one in found["contributions"]
    ]
    if not rows:
        st.caption("Nothing is known about the columns of the training rows.")
        return
    drawn = charts.feature_contributions(pd.DataFrame(rows, columns=["name", "contribution", "value"]))
    page.show_chart(drawn, alt="What each column adds to the probability of the answer")
    st.caption("Against what the column usually was in training, one column at a time; the parts need not add up.")


def _show_what_if(features: Mapping[str, Any], package: Package, label: str, key_suffix: str) -> None:
    found = pd.DataFrame(queries.engine().what_if(features)["variations"])
    if found.empty:
        st.caption("Nothing is known about the columns of the training rows.")
        return
    turning = found[found["prediction"] != label]
    if turning.empty:
        st.markdown("No change of **one** column alone turns the answer.")
    else:
        columns = ", ".join(
            formatting.escape_markdown(_feature_title(package, name)) for name in dict.fromkeys(turning["feature"])
        )
        st.markdown(f"The answer turns when one of these changes: **{columns}**")
    spread = found.groupby("feature")["probability"].agg(lambda one: one.max() - one.min())
    names = sorted(spread.index, key=lambda name: -spread[name])
    name = st.selectbox(
        "Column that changes",
        names,
        format_func=lambda one: formatting.shorten(_feature_title(package, one)),
        key=f"vary_{key_suffix}",
    )
    drawn = charts.what_if_curve(found[found["feature"] == name], label=formatting.shorten(label, 30))
    page.show_chart(drawn, alt="Probability by value; the large point is the value that was given")


def _value_text(value: Any) -> str:
    return formatting.table_cell_text(value)
