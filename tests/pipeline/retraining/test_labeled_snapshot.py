"""A snapshot of labeled rows is the same from every copy of the log, and names whose rows it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline import files
from pipeline import state as store
from pipeline.errors import ConfigError, DataError
from pipeline.retraining.labeled_snapshot import (
    labeled_frame,
    retrains_with_subject,
    snapshots_with_subject,
    write_snapshot,
)
from pipeline.schema import Schema
from pipeline.state.schema_migration import ensure_schema
from tests.pipeline.retraining.labeled_log import DAY, MODEL, START, Logged, problem, write_outcomes, write_predictions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.state import State

ROWS = [Logged(3, at=START + DAY, subject="ada"), Logged(1, "Bonn", weight=4.0), Logged(2, None), Logged(7)]
OUTCOMES = (("p0", "yes", "a"), ("p1", "no", ""), ("p2", "gone", "a"), ("p2", "yes", "b"))
WANTED = store.LabeledRows(MODEL, until_prediction=3, until_outcome=4)
SCHEMA = Schema.from_config(problem())


@pytest.fixture
def log(state: State) -> State:
    write_predictions(state, ROWS)
    write_outcomes(state, *OUTCOMES)
    return state


@pytest.fixture
def copied_log(tmp_path: Path) -> Iterator[State]:
    """The same log in another database, that went on since."""
    copied = store.connect_to(f"sqlite:///{tmp_path / 'copy.db'}", setting_name="here")
    ensure_schema(copied)
    write_predictions(copied, [*ROWS, Logged(8)])
    write_outcomes(copied, *OUTCOMES, ("p0", "no", "c"), ("p3", "no", "c"))
    yield copied
    copied.close()


def test_a_snapshot_holds_typed_rows_in_the_order_of_the_log(log: State, tmp_path: Path) -> None:
    snapshot = write_snapshot(log, SCHEMA, WANTED, root=tmp_path, number=5)
    assert (snapshot.path, snapshot.n_rows) == ("data/external/labeled/people_model-5.parquet", 3)
    assert (snapshot.first_at, snapshot.last_at) == (START, START + DAY)
    assert snapshot.n_rows_by_caller == {"": 1, "a": 1, "b": 1}
    expected = pd.DataFrame(
        {
            "number": pd.array([3, 1, 2], "Int64"),
            "city": pd.array(["Ulm", "Bonn", None], "string"),
            "outcome": pd.array(["yes", "no", "yes"], "string"),
            "snapshot_at": pd.Series([START + DAY, START, START]).astype("datetime64[us]"),
            "snapshot_weight": pd.array([1.0, 4.0, 1.0], "Float64"),
            "snapshot_origin": pd.array(["a", "", "b"], "string"),
            "snapshot_key": pd.array(["p0", "p1", "p2"], "string"),
        }
    )
    pd.testing.assert_frame_equal(files.read_parquet(tmp_path / snapshot.path), expected)


def test_a_log_that_went_on_elsewhere_gives_the_same_bytes(log: State, copied_log: State, tmp_path: Path) -> None:
    first = write_snapshot(log, SCHEMA, WANTED, root=tmp_path / "here", number=1)
    second = write_snapshot(copied_log, SCHEMA, WANTED, root=tmp_path / "there", number=1)
    assert first == second
    description = "data/external/labeled/people_model-1.json"
    assert (tmp_path / "here" / description).read_bytes() == (tmp_path / "there" / description).read_bytes()


def test_an_outcome_of_no_class_is_left_out_and_counted(log: State, tmp_path: Path) -> None:
    wanted = store.LabeledRows(MODEL, until_prediction=3, until_outcome=3)
    snapshot = write_snapshot(log, SCHEMA, wanted, root=tmp_path, number=1)
    assert (snapshot.n_rows, snapshot.n_other_outcomes) == (2, 1)


def test_a_log_without_outcomes_is_refused(log: State, tmp_path: Path) -> None:
    wanted = store.LabeledRows(MODEL, until_prediction=3, until_outcome=0)
    with pytest.raises(DataError, match="people_model: no prediction up to number 3 has an outcome of the classes no"):
        write_snapshot(log, SCHEMA, wanted, root=tmp_path, number=1)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("policy", ["bin", "hash", "drop"])
def test_a_feature_that_is_not_logged_in_full_is_refused_by_name(policy: str) -> None:
    private = Schema.from_config(problem(number={"dtype": "Int64", "store": policy}))
    with pytest.raises(ConfigError, match=f"number: the prediction log stores it with `store: {policy}`; labeled rows"):
        labeled_frame([row('{"city": "Ulm"}')], private)


@pytest.mark.parametrize(
    ("features", "column", "message"),
    [
        ('{"number": 1}', {"number": {"dtype": "boolean"}}, "number: boolean: bool is declared, the source has int64"),
        ('{"number": {"bin": 3}}', {}, "number: integer: int64 is declared, the source has struct"),
        ('{"number": "1;2"}', {}, "number: integer"),
        ('{"number": 1.5}', {}, "number: integer"),
    ],
)
def test_values_of_another_declaration_are_refused(
    features: str, column: dict[str, dict[str, object]], message: str
) -> None:
    with pytest.raises(DataError, match=f"prediction log: {message}"):
        labeled_frame([row(features)], Schema.from_config(problem(**column)))


def test_values_of_several_types_in_one_feature_are_refused() -> None:
    with pytest.raises(DataError, match="prediction log: number: holds values of several types, and Int64 is declared"):
        labeled_frame([row('{"number": 1}'), row('{"number": "one"}')], SCHEMA)


def test_logged_moments_are_read_whatever_form_the_files_have() -> None:
    day = {"dtype": "datetime64[us]", "format": "%d.%m.%Y", "zone": "Europe/Berlin"}
    frame = labeled_frame([row('{"number": 1, "day": "2026-03-01T10:00:00"}')], Schema.from_config(problem(day=day)))
    assert frame["day"].tolist() == [pd.Timestamp("2026-03-01T10:00:00")]


def row(features: str) -> store.LabeledRow:
    return store.LabeledRow(1, "p0", START, features, 1.0, "yes", "")


def test_only_snapshots_with_rows_of_a_subject_are_named(log: State, tmp_path: Path) -> None:
    write_snapshot(log, SCHEMA, WANTED, root=tmp_path, number=1)
    later = store.LabeledRows(MODEL, after_prediction=1, until_prediction=3, until_outcome=4)
    write_snapshot(log, SCHEMA, later, root=tmp_path, number=2)
    assert snapshots_with_subject(log, "ada", root=tmp_path) == ["data/external/labeled/people_model-1.parquet"]
    assert snapshots_with_subject(log, "eve", root=tmp_path) == []


@pytest.mark.parametrize("description", ["{}", "[]", "{", '{"rows": {"since": 1}}'])
def test_a_snapshot_with_a_damaged_description_is_named(log: State, tmp_path: Path, description: str) -> None:
    folder = tmp_path / "data/external/labeled"
    folder.mkdir(parents=True)
    (folder / "m-1.json").write_text(description, encoding="utf-8")
    assert snapshots_with_subject(log, "eve", root=tmp_path) == ["data/external/labeled/m-1.parquet"]


def test_retrains_that_learned_from_a_subject_are_found_without_their_files(log: State) -> None:
    with log.writing() as connection:
        for until in (0, 3):
            retrain = store.Retrain(
                MODEL, "person", 1, "ada", 1, state="refused", until_prediction=until, until_outcome=4
            )
            store.add_retrain(connection, replace(retrain, snapshot_sha256="a" * 64))
    assert [retrain.until_prediction for retrain in retrains_with_subject(log, "ada")] == [3]
    assert retrains_with_subject(log, "eve") == []
