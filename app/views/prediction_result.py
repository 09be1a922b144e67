"""The result of one prediction: class, confidence, warnings, contributions, what-if and outcome."""

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
    prediction: Mapping[str, Any],
    features: Mapping[str, Any],
    package: Package,
    *,
    is_logged: bool,
    key_suffix: str,
) -> None:
    """Show the prediction for `features`; `key_suffix` separates the widgets of two predictions.

    Without `is_logged` the log does not have it, so no outcome can be recorded.
    """
    label = str(prediction["prediction"])
    target = package.schema.target
    with st.container(border=True):
        st.metric(
            formatting.escape_markdown(target.title or target.column),
            formatting.shorten(label),
            f"Confidence {percent(prediction['confidence'])}",
            delta_color="off",
            delta_arrow="off",
        )
        _show_probabilities(prediction["probabilities"], label)
        for warning in prediction["warnings"]:
            title = formatting.escape_markdown(_feature_title(package, warning["feature"]))
            st.warning(f"{title}: {formatting.escape_markdown(warning['message'])}", icon=":material/warning:")
        state = f"logged as `{prediction['prediction_id']}`" if is_logged else "not logged"
        st.caption(
            f"Version {prediction['model_version']} of {formatting.escape_markdown(prediction['model_name'])}"
            f" ({prediction['variant']}), {state}"
        )
    with st.expander("Feature contributions", expanded=True, icon=":material/lightbulb:"):
        page.error_boundary(lambda: _show_contributions(features, package))
    what_if = st.expander("What-if", icon=":material/alt_route:", key=f"what_if_{key_suffix}", on_change="rerun")
    if what_if.open:
        with what_if:
            page.error_boundary(lambda: _show_what_if(features, package, label, key_suffix))
    if not is_logged:
        return
    with st.expander("Record the actual outcome", icon=":material/rate_review:"):
        outcome_form.show_outcome_form(prediction["prediction_id"], package.classes)


def _feature_title(package: Package, name: str) -> str:
    return next((column.label for column in package.schema.columns if column.name == name), name) or "This row"


def _show_probabilities(probabilities: Mapping[str, float], label: str) -> None:
    ordered = sorted(probabilities.items(), key=lambda item: -item[1])[:_MAX_CLASSES]
    rows = [(formatting.shorten(name, 40), share, name == label) for name, share in ordered]
    chart = charts.class_probabilities(pd.DataFrame(rows, columns=["label", "probability", "is_predicted"]))
    page.show_chart(chart, alt=", ".join(f"{formatting.shorten(name, 40)} {percent(share)}" for name, share in ordered))


def _show_contributions(features: Mapping[str, Any], package: Package) -> None:
    explanation = queries.engine().explain(features)
    rows = [
        (
            formatting.shorten(_feature_title(package, item["feature"]), 40),
            item["contribution"],
            formatting.table_cell_text(features.get(item["feature"])),
        )
        for item in explanation["contributions"]
    ]
    if not rows:
        st.caption("The package has no reference values of the features.")
        return
    chart = charts.feature_contributions(pd.DataFrame(rows, columns=["name", "contribution", "value"]))
    page.show_chart(chart, alt="Contribution of each feature to the probability of the prediction")
    st.caption(
        "Change in probability when this feature alone is set to its typical training value;"
        " contributions do not add up to the prediction."
    )


def _show_what_if(features: Mapping[str, Any], package: Package, label: str, key_suffix: str) -> None:
    variations = pd.DataFrame(queries.engine().what_if(features)["variations"])
    if variations.empty:
        st.caption("The package has no reference values of the features.")
        return
    flips = variations[variations["prediction"] != label]
    if flips.empty:
        st.markdown("No single feature change flips the prediction.")
    else:
        titles = ", ".join(
            formatting.escape_markdown(_feature_title(package, name)) for name in dict.fromkeys(flips["feature"])
        )
        st.markdown(f"A change of one of these features flips the prediction: **{titles}**")
    ranges = variations.groupby("feature")["probability"].agg(lambda values: values.max() - values.min())
    names = sorted(ranges.index, key=lambda name: -ranges[name])
    name = st.selectbox(
        "Feature",
        names,
        format_func=lambda name: formatting.shorten(_feature_title(package, name)),
        key=f"vary_{key_suffix}",
    )
    chart = charts.what_if_curve(variations[variations["feature"] == name], label=formatting.shorten(label, 30))
    page.show_chart(chart, alt="Probability by value; the large point is the value of the request")
