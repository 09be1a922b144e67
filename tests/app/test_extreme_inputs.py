"""Pages show extreme rows, names and numbers of rows."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from pipeline import state as store
from pipeline.files import read_json, write_json
from pipeline.monitoring import roll_up
from tests.app.conftest import app_page, errors_of, text_of
from tests.fixtures.proof import proof_rounds
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, hours_us, production_package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.workspace import Workspace

pytestmark = pytest.mark.xdist_group("app")

# `--proof=long` writes a million rows.
N_LOGGED = proof_rounds(2000, long=1000000)
NAMES = ("'quoted' \"twice\"", "<b>bold</b><script>alert(1)</script>", "emoji 😀 **x**", "שלום עולם", "a.b[0]:c\\d $e$")
MONITORING_PAGES = ("overview", "monitoring", "history")
OTHER_PAGES = ("predict", "models", "experiments", "configuration", "data")


@pytest.fixture
def own_copy(project: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished project as the current folder."""
    copied = project.copy(tmp_path / "own")
    for path in (copied.root / "state").glob("state.db-shm"):
        path.unlink()
    monkeypatch.chdir(copied.root)
    return copied.root


def log_predictions(root: Path, n: int, **values: Any) -> None:
    """Log n predictions of the last day; features without a value in `values` are missing."""
    package, version = production_package(root)
    first, other = package.classes
    features = json.dumps({name: values.get(name) for name in package.schema.feature_names})
    now = time.time_ns() // 1000
    state = store.open_state(root)
    writer = store.PredictionWriter(state)
    for start in range(0, n, 50_000):
        writer.write(
            [
                store.PredictionRow(
                    f"hard-{at}", now - hours_us(20) * at // n, MODEL_NAME, version, package.digest, 1, features, first,
                    json.dumps({first: 0.75, other: 0.25}), 0.75, "production", "champion", "api", 900, 1.0, None, None,
                )
                for at in range(start, min(start + 50_000, n))
            ]
        )  # fmt: skip
        roll_up(state, MODEL_NAME, lambda _: package)
    writer.close()
    state.close()


def clear_log(root: Path) -> None:
    state = store.open_state(root)
    with state.writing() as connection:
        store.remove_predictions(connection, before=2**62, limit=10**6)
        store.clear_rollups(connection, MODEL_NAME)
    state.close()


def render_pages(*names: str) -> dict[str, AppTest]:
    return {name: app_page(name).run() for name in names}


@pytest.mark.parametrize("n", [1, N_LOGGED], ids=["one row", "many rows"])
def test_pages_show_rows_without_values_and_of_one_class(n: int, own_copy: Path) -> None:
    clear_log(own_copy)
    log_predictions(own_copy, n)
    pages = render_pages(*MONITORING_PAGES, *OTHER_PAGES)
    assert {name: errors_of(at) for name, at in pages.items()} == {
        name: [] for name in (*MONITORING_PAGES, *OTHER_PAGES)
    }
    cards = {metric.label: metric.value for metric in pages["overview"].metric}
    confidence = "75%" if n == N_LOGGED else "-"  # one row is no evidence
    assert (cards["Predictions, 24 h"], cards["Mean confidence, 24 h"]) == (f"{n:,}", confidence)


def test_the_data_page_shows_500_empty_columns_of_any_name(own_copy: Path) -> None:
    path = own_copy / "reports/validation.json"
    report = read_json(path)
    distribution = next(iter(report["distributions"].values()))
    no_values = {"n_missing": distribution["n_rows"], "n_distinct": 0, "bars": [], "quantiles": {}}
    empty = {**distribution, **no_values, "low": None, "mean": None, "high": None}
    report["distributions"] = dict.fromkeys([*NAMES, *(f"column {at}" for at in range(495))], empty)
    report["class_balance"] = {NAMES[1]: {"rows": 1, "share": 1.0}}
    finding = {"level": "warning", "cause": "<i>", "examples": [{"row": 0, "value": "<u>"}]}
    report["findings"] = [{**finding, "rule": "range", "column": name, "message": name} for name in NAMES]
    write_json(path, report)
    at = app_page("data").run()
    assert (errors_of(at), len(at.selectbox(key="data_column").options)) == ([], 500)
    for name in NAMES:
        at.selectbox(key="data_column").set_value(name).run()
        assert errors_of(at) == []
    assert "<script>" not in text_of(at).replace("\\<script\\>", "")


def _wide_form() -> None:
    from app.views.predictions import form_fields
    from pipeline.schema import Column
    from tests.app.test_extreme_inputs import NAMES

    kinds = ("integer", "float", "boolean", "category", "text", "datetime")
    for at, name in enumerate([*NAMES, *(f"column {at}" for at in range(495))]):
        kind = kinds[at % len(kinds)]
        words = NAMES if kind == "category" else ()
        column = Column(name, kind, "string", nullable=True, title=name, unit="<i>", categories=words)
        form_fields.feature_input(column, form_fields.example_value(column))


def test_a_form_has_a_field_for_each_of_500_columns_of_any_name_and_kind() -> None:
    at = AppTest.from_function(_wide_form, default_timeout=60).run()
    fields = [*at.number_input, *at.selectbox, *at.text_input]
    assert (errors_of(at), len(fields)) == ([], 500)
    assert not any("<script>" in field.label.replace("\\<script\\>", "") for field in fields)
