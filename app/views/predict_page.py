"""The predict page: a form of the schema, a JSON body, or a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import form_fields, formatting, page, queries
from app.views import batch_predict, prediction_result
from pipeline.errors import MlopsError
from pipeline.serving import InvalidRequest
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.package import Package

__all__ = ["render"]

_LAST_RESULT_KEY = "last_result"


def render() -> None:
    """Show the page."""
    page.render_page("Predict", "Get a prediction from the production model. Predictions are logged.", _render_body)


def _render_body() -> None:
    is_allowed, reason = page.can_operate("predict")
    if not is_allowed:
        st.info(reason, icon=":material/lock:")
        return
    if queries.api_address() is not None and not (status := queries.engine().status())["is_ready"]:
        st.warning(formatting.escape_markdown(status["reason"]), icon=":material/hourglass_top:")
    model = queries.config().name
    digest = queries.current_deployment(model).digests.get("Production")
    if digest is None:
        page.empty_state("No version is in Production yet", "run `make run`, or promote a version on the page Models")
        return
    package = queries.load_package(digest)
    form, body, file = st.tabs(["Form", "JSON", "File"], key="predict_tab")
    with form:
        page.error_boundary(lambda: _form_tab(package))
    with body:
        page.error_boundary(lambda: _json_tab(package))
    with file:
        page.error_boundary(lambda: batch_predict.show_batch_predict(package))


def _form_tab(package: Package) -> None:
    columns = package.schema.features
    left, right = st.columns(2, gap="large")
    with left, st.form("predict", border=True):
        values: dict[str, Any] = {}
        n_fields_across = 2 if len(columns) <= 24 else 3
        field_columns = st.columns(n_fields_across)
        for at, column in enumerate(columns):
            with field_columns[at % n_fields_across]:
                values[column.name] = form_fields.feature_input(column)
        if st.form_submit_button("Predict", type="primary", icon=":material/play_arrow:"):
            _store_result("form", values, lambda: queries.engine().predict(values))
    with right:
        _show_last_result("form", package)


def _json_tab(package: Package) -> None:
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
            _store_result(
                "json", None, lambda: queries.engine().predict_body(body.encode("utf-8", "surrogatepass")), body=body
            )
    with right:
        _show_last_result("json", package)


def _store_result(
    source: str, features: dict[str, Any] | None, predict: Callable[[], dict[str, Any]], *, body: str = ""
) -> None:
    """Store the prediction, or the error, for this and later runs of the page."""
    try:
        prediction = predict()
    except InvalidRequest as error:
        st.session_state[f"{_LAST_RESULT_KEY}_{source}"] = {"refused": error}
        return
    except MlopsError as error:
        st.session_state[f"{_LAST_RESULT_KEY}_{source}"] = {"failed": error}
        return
    requested = features if features is not None else json.loads(body)["features"]
    st.session_state[f"{_LAST_RESULT_KEY}_{source}"] = {"prediction": prediction, "features": requested}


def _show_last_result(source: str, package: Package) -> None:
    result = st.session_state.get(f"{_LAST_RESULT_KEY}_{source}")
    if result is None:
        page.empty_state("No prediction yet", "Fill in the form and select Predict")
    elif "refused" in result:
        _show_request_errors(result["refused"])
    elif "failed" in result:
        page.show_error(result["failed"])
    else:
        prediction_result.show_prediction(result["prediction"], result["features"], package, key_suffix=source)


def _show_request_errors(error: InvalidRequest) -> None:
    st.error(f"{pluralize(error.n_errors, 'error')} in the request; no prediction was made.", icon=":material/error:")
    rows = [(field.path, field.message) for field in error.errors]
    page.show_table(pd.DataFrame(rows, columns=["Field", "Error"]), row_height=60)
