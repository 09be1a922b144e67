"""Labeled rows follow those of before, each with a weight by its age."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipeline import files
from pipeline.config.groups.data_config import DataConfig
from pipeline.data.sources import check_source, fetch_rows
from pipeline.data.splitters import split_train_test
from pipeline.errors import ConfigError, DataError
from pipeline.retraining.labeled_snapshot import labeled_frame
from pipeline.schema import Schema
from pipeline.state import LabeledRow
from tests.pipeline.retraining.labeled_log import DAY, START, problem

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT = "data/external/labeled/people_model-1.parquet"
HISTORY = {"kind": "csv", "path": "data/external/people.csv"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a snapshot of three rows, the last one ten days after the others, and a file of two rows."""
    rows = [
        LabeledRow(at, f"p{at}", START + days * DAY, json.dumps({"number": at, "city": "Ulm"}), weight, "yes", "a")
        for at, (days, weight) in enumerate([(0, 1.0), (0, 4.0), (10, 1.0)])
    ]
    (tmp_path / SNAPSHOT).parent.mkdir(parents=True)
    files.write_parquet(tmp_path / SNAPSHOT, labeled_frame(rows, Schema.from_config(problem())))
    (tmp_path / HISTORY["path"]).write_text("number,city,outcome\n8,Bonn,no\n9,,yes\n")
    return tmp_path


def fetch(root: Path, columns: dict[str, Any] | None = None, **source: Any) -> pd.DataFrame:
    config = problem({"kind": "labeled", "path": SNAPSHOT, **source}, **(columns or {}))
    return fetch_rows(config, root=root).frame


def test_labeled_rows_have_the_declared_columns_and_the_weight_of_the_log(root: Path) -> None:
    expected = pd.DataFrame(
        {
            "number": pd.array([0, 1, 2], "Int64"),
            "city": pd.array(["Ulm"] * 3, "string"),
            "snapshot_weight": pd.array([1.0, 4.0, 1.0], "Float64"),
            "outcome": pd.array(["yes"] * 3, "string"),
        }
    )
    pd.testing.assert_frame_equal(fetch(root), expected)


def test_a_row_counts_half_after_each_half_life(root: Path) -> None:
    assert fetch(root, half_life_days=5.0)["snapshot_weight"].tolist() == [0.25, 1.0, 1.0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({}, [1.0, 1.0]),
        ({"half_life_days": 5.0}, [0.25, 0.25]),
        ({"half_life_days": 5.0, "history_at": "2024-09-29T00:00:00"}, [0.125, 0.125]),
        ({"half_life_days": 5.0, "history_at": "2025-09-29T00:00:00"}, [1.0, 1.0]),
    ],
)
def test_history_comes_first_and_is_as_old_as_the_first_labeled_row_unless_declared(
    source: dict[str, Any], expected: list[float], root: Path
) -> None:
    frame = fetch(root, history=HISTORY, **source)
    assert frame["number"].tolist() == [8, 9, 0, 1, 2]
    assert frame["snapshot_weight"].tolist()[:2] == expected


def test_a_declared_weight_of_the_history_is_multiplied(root: Path) -> None:
    (root / HISTORY["path"]).write_text("number,city,copies,outcome\n8,Bonn,6,no\n9,,2,yes\n")
    copies = {"copies": {"dtype": "Int64", "role": "weight"}}
    frame = fetch(root, copies, history=HISTORY, half_life_days=5.0)
    assert frame["copies"].tolist() == [1.5, 0.5, 0.25, 1.0, 1.0]
    assert "snapshot_weight" not in frame


def test_columns_beside_the_features_are_missing_and_a_time_is_that_of_the_prediction(root: Path) -> None:
    columns = {
        "day": {"dtype": "datetime64[us]", "role": "time"},
        "note": {"dtype": "string", "role": "ignore", "nullable": True},
    }
    frame = fetch(root, columns)
    assert frame["day"].tolist() == [pd.Timestamp("2024-10-04")] * 2 + [pd.Timestamp("2024-10-14")]
    assert frame["note"].isna().all()


def test_a_required_column_that_the_log_lacks_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="client: the prediction log has no column with the role id, so labeled rows"):
        fetch(root, {"client": {"dtype": "Int64", "role": "id"}})


def test_the_fingerprint_names_the_snapshot_and_the_files_of_the_history(root: Path) -> None:
    config = problem({"kind": "labeled", "path": SNAPSHOT, "history": HISTORY})
    fingerprint = fetch_rows(config, root=root).fingerprint
    assert fingerprint["until"] == START + 10 * DAY + 1
    assert fingerprint["files"] == {name: files.sha256_file(root / name) for name in (SNAPSHOT, HISTORY["path"])}


def test_a_missing_snapshot_is_named(root: Path) -> None:
    (root / SNAPSHOT).unlink()
    with pytest.raises(DataError, match=f"data.source.path: {SNAPSHOT} not found"):
        fetch(root)


def test_labeled_rows_leave_each_row_of_the_history_on_its_side_of_a_split(root: Path) -> None:
    lines = "".join(f"{number},Ulm,{'yes' if number % 3 else 'no'}\n" for number in range(200))
    (root / HISTORY["path"]).write_text(f"number,city,outcome\n{lines}")
    before = problem(HISTORY)
    after = problem({"kind": "labeled", "path": SNAPSHOT, "history": HISTORY, "half_life_days": 5.0})
    sides = [
        split_train_test(fetch_rows(config, root=root).frame, Schema.from_config(config), config.split, seed=3).test
        for config in (before, after)
    ]
    assert set(sides[0]["number"]) == set(sides[1]["number"])
    assert len(sides[1]) >= len(sides[0]) > 50


def test_a_synthetic_history_needs_no_weight_in_its_profile(root: Path) -> None:
    component = {
        "share": 1.0,
        "label": "yes",
        "weights": {"number": [1, 1], "city": [1, 1]},
        "missing_count": [1.0],
        "missing_rate": {},
    }
    plain = problem({"kind": "labeled", "path": SNAPSHOT, "history": {"kind": "csv", "path": "data/external/a.csv"}})
    settings = plain.model_dump(mode="json") | {
        "source": {"kind": "labeled", "path": SNAPSHOT, "history": {"kind": "synthetic", "rows": 4, "seed": 1}},
        "profile": {"components": {"all": component}},
    }
    config = DataConfig.model_validate_json(json.dumps(settings))
    check_source(config, Schema.from_config(config), root=root)
    assert fetch_rows(config, root=root).frame["snapshot_weight"].tolist() == [1.0] * 5 + [4.0, 1.0]
