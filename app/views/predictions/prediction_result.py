"""The result of one prediction: class, confidence, warnings, contributions, what-if and outcome."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.schema.feature_labels import FeatureLabels
from pipeline.text import percent

from ... import charts, formatting, links, page, queries
from ...page_queries import prediction_queries
from . import outcome_form, what_if_panel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.package import Package
    from pipeline.serving.prediction_explainer import PredictionExplainer

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
    with st.container(border=True):
        _show_summary(prediction, package, is_logged=is_logged)
    explainer = queries.prediction_explainer(prediction["model_digest"], served_by=prediction["served_by"])
    parsed = explainer.parse_request(features)
    with st.expander("Feature contributions", expanded=True, icon=":material/lightbulb:"):
        page.error_boundary(lambda: _show_contributions(parsed, explainer))
    what_if = st.expander("What-if", icon=":material/alt_route:", key=f"what_if_{key_suffix}", on_change="rerun")
    if what_if.open:
        labels = FeatureLabels.from_schema(explainer.package.schema)
        with what_if:
            page.error_boundary(
                lambda: what_if_panel.show_what_if(explainer, parsed, label=label, labels=labels, key_suffix=key_suffix)
            )
    if not is_logged:
        return
    with st.expander("Record the actual outcome", icon=":material/rate_review:"):
        recorded = prediction_queries.last_outcome(prediction["prediction_id"])
        outcome_form.show_outcome_form(prediction["prediction_id"], package.classes, recorded_outcome=recorded)


def _show_summary(prediction: Mapping[str, Any], package: Package, *, is_logged: bool) -> None:
    label = str(prediction["prediction"])
    target = package.schema.target
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
    if is_logged:
        links.show_link("Open this prediction", "history", icon="history", prediction_id=prediction["prediction_id"])


def _feature_title(package: Package, name: str) -> str:
    return next((column.label for column in package.schema.columns if column.name == name), name) or "This row"


def _show_probabilities(probabilities: Mapping[str, float], label: str) -> None:
    ordered = sorted(probabilities.items(), key=lambda item: -item[1])[:_MAX_CLASSES]
    rows = [(formatting.shorten(name, 40), share, name == label) for name, share in ordered]
    chart = partial(charts.class_probabilities, pd.DataFrame(rows, columns=["label", "probability", "is_predicted"]))
    page.show_chart(chart, alt=", ".join(f"{formatting.shorten(name, 40)} {percent(share)}" for name, share in ordered))


def _show_contributions(features: Mapping[str, Any], explainer: PredictionExplainer) -> None:
    contributions = explainer.explain(features).contributions
    rows = [
        (
            formatting.shorten(_feature_title(explainer.package, name), 40),
            contribution,
            formatting.table_cell_text(features.get(name)),
        )
        for name, contribution in contributions.items()
    ]
    if not rows:
        st.caption("The package has no reference values of the features.")
        return
    chart = partial(charts.feature_contributions, pd.DataFrame(rows, columns=["name", "contribution", "value"]))
    page.show_chart(chart, alt="Contribution of each feature to the probability of the prediction")
    st.caption(
        "Change in probability when this feature alone is set to its typical training value;"
        " contributions do not add up to the prediction."
    )
