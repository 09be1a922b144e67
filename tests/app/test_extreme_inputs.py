"""No page breaks on rows, names and numbers of rows that nobody expects: one model with all of them at once."""

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

# `--proof=long` writes a million; few are enough to see whether a page breaks.
N_LOGGED = proof_rounds(2000, long=1000000)
NAMES = ("'quoted' \"twice\"", "<b>bold</b><script>alert(1)</script>", "emoji 😀 **x**", "שלום עולם", "a.b[0]:c\\d $e$")
MONITORING_PAGES = ("overview", "monitoring", "history")
OTHER_PAGES = ("predict", "models", "experiments", "configuration", "data")


@pytest.fixture
def own(project: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished project, which is the present folder."""
    copied = project.copy(tmp_path / "own")
    for path in (copied.root / "state").glob("state.db-shm"):
        path.unlink()
    monkeypatch.chdir(copied.root)
    return copied.root


def log_predictions(root: Path, n: int, **values: Any) -> None:
    """Log n answers of the last day; `values` go into the first columns, all others are missing."""
    package, version = production_package(root)
    first, other = package.classes
    features = json.dumps({name: values.get(name) for name in package.schema.feature_names})
    now = time.time_ns() // 1000
    state = store.open_state(root)
    journal = store.PredictionWriter(state)
    for start in range(0, n, 50_000):
        journal.write(
            [
                store.PredictionRow(
                    f"hard-{at}", now - hours_us(20) * at // n, MODEL_NAME, version, package.digest, 1, features, first,
                    json.dumps({first: 0.75, other: 0.25}), 0.75, "production", "api", 900, 1.0, None, None,
                )
                for at in range(start, min(start + 50_000, n))
            ]
        )  # fmt: skip
        roll_up(state, MODEL_NAME, lambda _: package)
    journal.close()
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
def test_pages_that_watch_show_rows_that_miss_everything_and_have_one_answer(n: int, own: Path) -> None:
    clear_log(own)
    log_predictions(own, n)
    found = render_pages(*MONITORING_PAGES, *OTHER_PAGES)
    assert {name: errors_of(one) for name, one in found.items()} == {
        name: [] for name in (*MONITORING_PAGES, *OTHER_PAGES)
    }
    cards = {one.label: one.value for one in found["overview"].metric}
    assert (cards["Last 24 hours"], cards["Confidence"]) == (f"{n:,}", "75.0%")


def test_the_data_page_shows_500_columns_of_any_name_of_which_none_has_a_value(own: Path) -> None:
    path = own / "reports/validation.json"
    report = read_json(path)
    like = next(iter(report["distributions"].values()))
    nothing = {"n_missing": like["n_rows"], "n_distinct": 0, "bars": [], "quantiles": {}}
    empty = {**like, **nothing, "low": None, "mean": None, "high": None}
    report["distributions"] = dict.fromkeys([*NAMES, *(f"column {at}" for at in range(495))], empty)
    report["class_balance"] = {NAMES[1]: {"rows": 1, "share": 1.0}}
    finding = {"level": "warning", "cause": "<i>", "examples": [{"row": 0, "value": "<u>"}]}
    report["findings"] = [{**finding, "rule": "range", "column": name, "message": name} for name in NAMES]
    write_json(path, report)
    one = app_page("data").run()
    assert (errors_of(one), len(one.selectbox(key="data_column").options)) == ([], 500)
    for name in NAMES:
        one.selectbox(key="data_column").set_value(name).run()
        assert errors_of(one) == []
    assert "<script>" not in text_of(one).replace("\\<script\\>", "")


def _wide_form() -> None:
    from app import form_fields
    from pipeline.schema import Column
    from tests.app.test_extreme_inputs import NAMES

    kinds = ("integer", "float", "boolean", "category", "text", "datetime")
    for at, name in enumerate([*NAMES, *(f"column {at}" for at in range(495))]):
        kind = kinds[at % len(kinds)]
        words = NAMES if kind == "category" else ()
        form_fields.feature_input(Column(name, kind, "string", nullable=True, title=name, unit="<i>", categories=words))


def test_a_form_has_a_field_for_each_of_500_columns_of_any_name_and_kind() -> None:
    one = AppTest.from_function(_wide_form, default_timeout=60).run()
    made = [*one.number_input, *one.selectbox, *one.text_input]
    assert (errors_of(one), len(made)) == ([], 500)
    assert not any("<script>" in field.label.replace("\\<script\\>", "") for field in made)
