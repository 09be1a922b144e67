"""What-if: the predictions when one feature alone has another value, and where the predicted class flips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.text import percent

from ... import formatting, page
from ...page_charts import what_if_charts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.schema import Column
    from pipeline.schema.feature_labels import FeatureLabels
    from pipeline.serving.flip_points import Flip
    from pipeline.serving.prediction_explainer import PredictionExplainer
    from pipeline.serving.what_if import WhatIf

__all__ = ["flips_markdown", "show_what_if"]

_MAX_FLIPS = 6


def show_what_if(
    explainer: PredictionExplainer,
    features: Mapping[str, Any],
    *,
    label: str,
    labels: FeatureLabels,
    key_suffix: str,
) -> None:
    """Show the flips as sentences, and the probability by value for one feature.

    Parameters
    ----------
    explainer : PredictionExplainer
        Of the package that made the prediction.
    features : mapping
        Parsed features of the prediction.
    label : str
        The predicted class.
    labels : FeatureLabels
    key_suffix : str
        Separates the widgets of two predictions.
    """
    result = explainer.what_if(features, label=label)
    if not result.variations:
        st.caption("The package has no reference values of the features.")
        return
    st.markdown(flips_markdown(result.flips, labels))
    by_feature: dict[str, list[WhatIf]] = {}
    for variation in result.variations:
        by_feature.setdefault(variation.feature, []).append(variation)
    flipping = {flip.feature for flip in result.flips}
    names = sorted(by_feature, key=lambda name: (name not in flipping, -_spread(by_feature[name])))
    name = st.selectbox("Feature", names, format_func=labels.label, key=f"vary_{key_suffix}")
    column = explainer.package.schema.column(name)
    flips = [flip for flip in result.flips if flip.feature == name]
    _show_curve(column, by_feature[name], flips, label=label, labels=labels)


def flips_markdown(flips: Sequence[Flip], labels: FeatureLabels) -> str:
    """Return one sentence about the values that flip the prediction."""
    if not flips:
        return "No single feature change flips the prediction."
    lines = [
        f"The prediction flips if **{formatting.escape_markdown(labels.label(flip.feature))}**"
        f" is {formatting.escape_markdown(_flip_text(flip))}."
        for flip in flips[:_MAX_FLIPS]
    ]
    n_more = len(flips) - _MAX_FLIPS
    return "  \n".join([*lines, *([f"{n_more} more changes flip it; select a feature below."] if n_more > 0 else [])])


def _flip_text(flip: Flip) -> str:
    if flip.kind == "words":
        words = [*map(formatting.shorten, flip.points), *([f"{flip.n_more} more values"] if flip.n_more else [])]
        return " or ".join(words)
    numbers = [f"{value:.15g}" for value in flip.points]
    return f"from {numbers[0]} to {numbers[1]}" if flip.kind == "between" else f"{numbers[0]} {flip.kind}"


def _spread(variations: Sequence[WhatIf]) -> float:
    probabilities = [variation.probability for variation in variations]
    return max(probabilities) - min(probabilities)


def _show_curve(
    column: Column, variations: Sequence[WhatIf], flips: Sequence[Flip], *, label: str, labels: FeatureLabels
) -> None:
    short = formatting.shorten(label, 30)
    numbers = [each for each in variations if column.is_numeric and each.raw is not None]
    if not numbers:
        rows = [(formatting.shorten(each.value, 40), *_row(each)) for each in variations]
        chart = what_if_charts.what_if_bars(_frame(rows), label=short)
        page.show_chart(chart, alt=f"Probability of {short} by value; the orange point is the value of the request")
        return
    rows = [(each.raw, *_row(each)) for each in numbers]
    bounds = [value for flip in flips if flip.kind != "words" for value in flip.points]
    chart = what_if_charts.what_if_line(_frame(rows), feature=labels.label(column.name), label=short, flips=bounds)
    page.show_chart(
        chart,
        alt=f"Probability of {short} by value; the orange point is the value of the request, dashed lines are flips",
    )
    for missing in (each for each in variations if each.raw is None):
        st.caption(f"Missing: probability {percent(missing.probability)}.")


def _row(variation: WhatIf) -> tuple[float, str, bool]:
    return variation.probability, formatting.shorten(variation.prediction, 40), variation.is_present


def _frame(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["value", "probability", "prediction", "is_present"])
