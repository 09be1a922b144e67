"""The page of one logged prediction: inputs beside training values, contributions, what-if, and its outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.package.training_values import training_values
from pipeline.schema.feature_labels import FeatureLabels
from pipeline.text import percent, timestamp

from ... import charts, formatting, links, page, queries
from ...html_table import Badge
from ...page_queries import prediction_queries
from . import form_fields, outcome_form, what_if_panel

if TYPE_CHECKING:
    from pipeline.serving.prediction_explainer import PredictionExplainer
    from pipeline.state import LoggedPrediction

    from ...page_queries.prediction_queries import PredictionHistory

__all__ = ["render"]

_MARKS = {
    True: ":green-badge[:material/check: Right]",
    False: ":red-badge[:material/close: Wrong]",
    None: ":gray-badge[Without outcome]",
}
_MAX_CLASSES = 12


def render() -> None:
    """Show the prediction that the address names."""
    prediction_id = st.query_params.get("prediction_id", "")
    history = prediction_queries.find_prediction_history(prediction_id)
    if history is None:
        st.button("Back to History", icon=":material/arrow_back:", key="prediction_back", on_click=_go_back)
        page.empty_state(
            f"The log has no prediction {formatting.shorten(prediction_id, 60)}",
            "It was not logged, or it was removed by the retention or by the erasure of its subject. Check the ID.",
        )
        return
    _show_navigation(history)
    prediction = history.prediction
    explainer = _explainer_or_error(prediction)
    _show_summary(prediction, explainer)
    left, right = st.columns([3, 2], gap="large")
    with left:
        page.error_boundary(lambda: _show_inputs(prediction, explainer))
    with right:
        _show_probabilities(prediction)
        page.error_boundary(lambda: _show_outcomes(history, explainer))
    if explainer is not None:
        page.error_boundary(lambda: _show_what_if(prediction, explainer))
    with st.expander("Link to this prediction", icon=":material/link:"):
        address = (st.context.url or "").partition("?")[0]
        st.code(links.page_address(address, prediction_id=prediction_id), language=None, wrap_lines=True)


def _go_back() -> None:
    """Show the search again, whose filters the address still has."""
    st.query_params.pop("prediction_id", None)


def _open(prediction_id: str) -> None:
    st.query_params["prediction_id"] = prediction_id


def _show_navigation(history: PredictionHistory) -> None:
    with st.container(horizontal=True):
        st.button("Back to History", icon=":material/arrow_back:", key="prediction_back", on_click=_go_back)
        for label, icon, neighbor in (
            ("Earlier", "chevron_left", history.earlier_id),
            ("Later", "chevron_right", history.later_id),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"prediction_{label.lower()}",
                disabled=neighbor is None,
                help="The neighboring prediction of this model in time",
                on_click=_open,
                args=(neighbor,),
            )


def _show_summary(prediction: LoggedPrediction, explainer: PredictionExplainer | None) -> None:
    with st.container(border=True):
        label = formatting.escape_markdown(prediction.prediction)
        st.markdown(f"### {label}, confidence {percent(prediction.confidence)} {_MARKS[prediction.is_right]}")
        at = timestamp(prediction.predicted_at, page.user_time_zone(), with_milliseconds=True)
        latency = f", latency {prediction.latency_us / 1000:.2f} ms" if prediction.latency_us else ""
        st.caption(
            f"{formatting.escape_markdown(at)}, source {formatting.escape_markdown(prediction.source)}{latency}"
            f"  \nPrediction ID `{formatting.shorten(prediction.prediction_id).replace('`', '')}`"
        )
        served_by = "" if prediction.served_by == "production" else f", {prediction.served_by.replace('_', ' ')}"
        with st.container(horizontal=True):
            links.show_link(
                f"Version {prediction.version} ({prediction.variant}{served_by})",
                "models",
                icon="deployed_code",
                version=prediction.version,
            )
            if explainer is not None:
                values = form_fields.address_values(explainer.package.schema.features, prediction.features)
                links.show_link("Try other values", "predict", icon="tune", set=values or None)


def _explainer_or_error(prediction: LoggedPrediction) -> PredictionExplainer | None:
    found: list[PredictionExplainer] = []
    page.error_boundary(
        lambda: found.append(queries.prediction_explainer(prediction.digest, served_by=prediction.served_by))
    )
    return found[0] if found else None


def _show_inputs(prediction: LoggedPrediction, explainer: PredictionExplainer | None) -> None:
    st.subheader("Inputs")
    if explainer is None:
        rows = [(formatting.humanize(name), _text(value)) for name, value in prediction.features.items()]
        page.show_table(pd.DataFrame(rows, columns=["Feature", "Value"]), caption="Inputs of the prediction")
        return
    package = explainer.package
    labels = FeatureLabels.from_schema(package.schema)
    contributions = _contributions(prediction, explainer)
    bins_by_name = {bins.name: bins for bins in package.reference.columns if bins.measure is None}
    names = [*contributions, *(name for name in package.schema.feature_names if name not in contributions)]
    table = []
    for name in names:
        value = prediction.features.get(name)
        column = package.schema.column(name)
        row: dict[str, Any] = {"Feature": labels.label(name), "Value": _text(value) or "missing"}
        if column.is_private or name not in bins_by_name:
            row |= {"Training values": f"not shown (store: {column.store})" if column.is_private else "", "": None}
        else:
            known = training_values(bins_by_name[name], value)
            row |= {"Training values": known.text, "": _outside_badge(known.outside_reason)}
        if contributions:
            share = contributions.get(name)
            row["Contribution"] = None if share is None else f"{100 * share:+.1f}"
        table.append(row)
    if not any(row[""] for row in table):
        for row in table:
            del row[""]
    page.show_table(table, caption="Inputs of the prediction beside the values of the training rows")
    st.caption(
        f"Contribution: change of the probability in percentage points when this feature alone is set to its typical"
        f" training value, computed with version {prediction.version}. Contributions do not add up to the prediction."
        if contributions
        else "Training values are those of the version that made the prediction."
    )


def _outside_badge(reason: str) -> Badge | None:
    return Badge(f"{reason} training" if reason in ("below", "above") else reason, "orange") if reason else None


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return formatting.table_cell_text(value)


def _contributions(prediction: LoggedPrediction, explainer: PredictionExplainer) -> dict[str, float]:
    """Return the contributions, empty if the log does not hold what they need; the page names the reason."""
    found: dict[str, float] = {}

    def compute() -> None:
        explanation = explainer.explain(explainer.parse_logged(prediction.features))
        if explanation.prediction == prediction.prediction:
            found.update(explanation.contributions)
        else:
            st.warning("The package predicts another class for the logged inputs, so nothing is explained.")

    page.error_boundary(compute)
    return found


def _show_probabilities(prediction: LoggedPrediction) -> None:
    st.subheader("Probabilities")
    ordered = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:_MAX_CLASSES]
    rows = [(formatting.shorten(name, 40), share, name == prediction.prediction) for name, share in ordered]
    page.show_chart(
        charts.class_probabilities(pd.DataFrame(rows, columns=["label", "probability", "is_predicted"])),
        alt=", ".join(f"{formatting.shorten(name, 40)} {percent(share)}" for name, share in ordered),
    )


def _show_outcomes(history: PredictionHistory, explainer: PredictionExplainer | None) -> None:
    st.subheader("Outcome")
    prediction = history.prediction
    classes = explainer.package.classes if explainer is not None else tuple(prediction.probabilities)
    outcome_form.show_outcome_form(prediction.prediction_id, classes, recorded_outcome=prediction.outcome)
    if not history.outcomes:
        return
    rows = [
        {
            "Recorded": timestamp(each.received_at, page.user_time_zone()),
            "Outcome": each.outcome,
            "Source": each.source,
            "By": each.caller or "-",
        }
        for each in reversed(history.outcomes)
    ]
    page.show_table(rows, caption="Outcomes of the prediction, newest first", marked=[0])
    if len(rows) > 1:
        st.caption("The newest outcome counts.")


def _show_what_if(prediction: LoggedPrediction, explainer: PredictionExplainer) -> None:
    package = explainer.package
    if prediction.prediction not in package.classes or any(column.is_private for column in package.schema.features):
        return
    st.subheader("What-if")
    what_if_panel.show_what_if(
        explainer,
        explainer.parse_logged(prediction.features),
        label=prediction.prediction,
        labels=FeatureLabels.from_schema(explainer.package.schema),
        key_suffix="logged",
    )
