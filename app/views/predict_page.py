"""Ask the model: by a form made from the schema, by JSON, or with a file; see why, and what would change the answer."""

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

_LAST_RESULT_KEY = "last_answer"


def render() -> None:
    """Show the page."""
    page.render_page(
        "Predict", "Ask the model that serves; every answer is logged, so that it can be watched.", _render_body
    )


def _render_body() -> None:
    allowed, why_not = page.can_operate("predict")
    if not allowed:
        st.info(why_not, icon=":material/lock:")
        return
    if queries.api_address() is not None and not (told := queries.engine().status())["is_ready"]:
        st.warning(formatting.escape_markdown(told["reason"]), icon=":material/hourglass_top:")
    model = queries.config().name
    digest = queries.current_deployment(model).digests.get("Production")
    if digest is None:
        page.empty_state("No model serves yet", "run `make run`, or promote a version on the page Models")
        return
    package = queries.load_package(digest)
    form, written, file = st.tabs(["Form", "JSON", "File"], key="predict_tab")
    with form:
        page.error_boundary(lambda: _form_tab(package))
    with written:
        page.error_boundary(lambda: _json_tab(package))
    with file:
        page.error_boundary(lambda: batch_predict.show_batch_predict(package))


def _form_tab(package: Package) -> None:
    columns = package.schema.features
    left, right = st.columns(2, gap="large")
    with left, st.form("predict", border=True):
        values: dict[str, Any] = {}
        n_across = 2 if len(columns) <= 24 else 3
        places = st.columns(n_across)
        for at, column in enumerate(columns):
            with places[at % n_across]:
                values[column.name] = form_fields.feature_input(column)
        if st.form_submit_button("Predict", type="primary", icon=":material/play_arrow:"):
            _store_result("form", values, lambda: queries.engine().predict(values))
    with right:
        _show_last_result("form", package)


def _json_tab(package: Package) -> None:
    example = {"features": {column.name: form_fields.example_value(column) for column in package.schema.features}}
    left, right = st.columns(2, gap="large")
    with left:
        st.caption("The body of `POST /predict`, read as strictly")
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
    """Keep the answer, or what is wrong, for this and the next runs of the page."""
    try:
        found = predict()
    except InvalidRequest as error:
        st.session_state[f"{_LAST_RESULT_KEY}_{source}"] = {"refused": error}
        return
    except MlopsError as error:
        st.session_state[f"{_LAST_RESULT_KEY}_{source}"] = {"failed": error}
        return
    asked = features if features is not None else json.loads(body)["features"]
    st.session_state[f"{_LAST_RESULT_KEY}_{source}"] = {"answer": found, "features": asked}


def _show_last_result(source: str, package: Package) -> None:
    kept = st.session_state.get(f"{_LAST_RESULT_KEY}_{source}")
    if kept is None:
        page.empty_state("No answer yet", "fill in what is known, and press Predict")
    elif "refused" in kept:
        _show_request_errors(kept["refused"])
    elif "failed" in kept:
        page.show_error(kept["failed"])
    else:
        prediction_result.show_prediction(kept["answer"], kept["features"], package, key_suffix=source)


def _show_request_errors(error: InvalidRequest) -> None:
    st.error(
        f"Refused for {pluralize(error.n_errors, 'problem')}; nothing was predicted or logged.", icon=":material/error:"
    )
    rows = [(one.path, one.message) for one in error.errors]
    page.show_table(pd.DataFrame(rows, columns=["Where", "What is wrong"]), row_height=60)
