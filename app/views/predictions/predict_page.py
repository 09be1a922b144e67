"""The predict page: a form of the schema, a JSON body, or a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from pipeline.errors import MlopsError
from pipeline.serving import InvalidRequest
from pipeline.text import pluralize

from ... import formatting, page, queries
from ..models import override_mark
from . import batch_predict, form_fields, prediction_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.package import Package

__all__ = ["render"]

_LAST_RESULT_KEY = "last_result"


def render() -> None:
    """Show the page."""
    description = "Get a prediction from the production model. It is logged only if you select that."
    page.render_page("Predict", description, _render_body)


def _render_body() -> None:
    is_allowed, reason = page.can_operate("viewer")
    if not is_allowed:
        st.info(reason, icon=":material/lock:")
        return
    if queries.api_address() is not None and not (status := queries.engine().status())["is_ready"]:
        st.warning(formatting.escape_markdown(status["reason"]), icon=":material/hourglass_top:")
    model = queries.config().name
    package = _production_package()
    if package is None:
        return
    override_mark.show_overrides([version for version in queries.versions(model) if version.stage == "Production"])
    is_logged = _log_checkbox()
    form, body, file = st.tabs(["Form", "JSON", "File"], key="predict_tab", bind="query-params")
    with form:
        page.rerun_alone(lambda: _form_tab(is_logged=is_logged))
    with body:
        page.error_boundary(lambda: _json_tab(package, is_logged=is_logged))
    with file:
        page.error_boundary(lambda: batch_predict.show_batch_predict(package, is_logged=is_logged))


def _production_package() -> Package | None:
    """Return the package in Production; show a note and return None if there is none."""
    model = queries.config().name
    digest = queries.current_deployment(model).digests.get("Production")
    if digest is None:
        page.empty_state("No version is in Production yet", queries.production_step(model))
        return None
    return queries.load_package(digest)


def _log_checkbox() -> bool:
    """Return whether the user wants predictions to be logged, which needs the role predict."""
    may_log, reason = page.can_operate("predict")
    sources = queries.config().monitoring.sources
    counts = "count" if "app" in sources else "do not count (`monitoring.sources`)"
    is_checked = st.checkbox(
        "Log this prediction",
        key="log_prediction",
        disabled=not may_log,
        help=f"Logged predictions have the source app and {counts} as traffic." if may_log else reason,
    )
    return may_log and is_checked


def _form_tab(*, is_logged: bool) -> None:
    """Show the form and its last result; it runs without the page, so it asks anew what may have changed since."""
    package = _production_package()
    if package is None:
        return
    is_logged = is_logged and page.can_operate("predict")[0]
    columns = package.schema.features
    first_values = form_fields.values_of_address(columns, st.query_params.get_all("set"))
    left, right = st.columns(2, gap="large")
    with left, st.form("predict", border=True):
        values: dict[str, Any] = {}
        n_fields_across = 2 if len(columns) <= 24 else 3
        field_columns = st.columns(n_fields_across)
        for at, column in enumerate(columns):
            with field_columns[at % n_fields_across]:
                values[column.name] = form_fields.feature_input(column, first_values[column.name])
        if st.form_submit_button("Predict", type="primary", icon=":material/play_arrow:"):
            st.query_params["set"] = form_fields.address_values(columns, values)
            _store_result(
                "form", values, lambda: queries.engine().predict(values, is_logged=is_logged), is_logged=is_logged
            )
    with right:
        _show_last_result("form", package)


def _json_tab(package: Package, *, is_logged: bool) -> None:
    example = {"features": {column.name: form_fields.example_value(column) for column in package.schema.features}}
    left, right = st.columns(2, gap="large")
    with left:
        st.caption("Request body of `POST /predict`, validated the same way")
        body = st.text_area(
            "Body",
            json.dumps(example, indent=2, ensure_ascii=False),
            height=380,
            key="json_body",
            label_visibility="collapsed",
        )
        if st.button("Predict", type="primary", icon=":material/play_arrow:", key="json_predict"):
            encoded = body.encode("utf-8", "surrogatepass")
            _store_result(
                "json",
                None,
                lambda: queries.engine().predict_body(encoded, is_logged=is_logged),
                body=body,
                is_logged=is_logged,
            )
    with right:
        _show_last_result("json", package)


def _store_result(
    tab: str,
    features: dict[str, Any] | None,
    predict: Callable[[], dict[str, Any]],
    *,
    is_logged: bool,
    body: str = "",
) -> None:
    """Store the prediction, or the error, for this and later runs of the page."""
    try:
        prediction = predict()
    except InvalidRequest as error:
        st.session_state[f"{_LAST_RESULT_KEY}_{tab}"] = {"refused": error}
        return
    except MlopsError as error:
        st.session_state[f"{_LAST_RESULT_KEY}_{tab}"] = {"failed": error}
        return
    requested = features if features is not None else json.loads(body)["features"]
    st.session_state[f"{_LAST_RESULT_KEY}_{tab}"] = {
        "prediction": prediction,
        "features": requested,
        "is_logged": is_logged,
    }


def _show_last_result(tab: str, package: Package) -> None:
    result = st.session_state.get(f"{_LAST_RESULT_KEY}_{tab}")
    if result is None:
        page.empty_state("No prediction yet", "Fill in the form and select Predict")
    elif "refused" in result:
        _show_request_errors(result["refused"])
    elif "failed" in result:
        page.show_error(result["failed"])
    else:
        prediction_result.show_prediction(
            result["prediction"], result["features"], package, is_logged=result["is_logged"], key_suffix=tab
        )


def _show_request_errors(error: InvalidRequest) -> None:
    st.error(f"{pluralize(error.n_errors, 'error')} in the request; no prediction was made.", icon=":material/error:")
    rows = [(field.path, field.message) for field in error.errors]
    page.show_table(pd.DataFrame(rows, columns=["Field", "Error"]))
