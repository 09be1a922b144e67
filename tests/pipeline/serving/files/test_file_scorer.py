"""A file gets the scores of requests in any format and chunk size, and a killed run resumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from pipeline.errors import DataError, UsageError
from pipeline.package import load_package
from pipeline.schema import Column
from pipeline.serving.files import file_scorer
from pipeline.serving.files.file_log import FilePredictionLog
from pipeline.serving.files.file_scorer import score_file
from pipeline.serving.scorer import RowScorer
from pipeline.state import open_state
from pipeline.state.tables import predictions
from tests.fixtures.registered_project import make_rows
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package import Package


@pytest.fixture(params=["linear", "boosted"])
def package(request: pytest.FixtureRequest, packages: dict[str, Path]) -> Package:
    return load_package(packages[request.param])


def make_frame(n: int) -> pd.DataFrame:
    return pd.DataFrame(make_rows(n)).convert_dtypes()


def write_frame(path: Path, frame: pd.DataFrame) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_gets_the_same_bits_as_requests(package: Package, suffix: str, tmp_path: Path) -> None:
    features = make_rows(1000)
    result = score_file(package, write_frame(tmp_path / f"in{suffix}", make_frame(1000)), tmp_path / "out.parquet")
    scored = RowScorer(package, many_missing=0.5, hash_key=b"").score([tuple(row.values()) for row in features])
    output = pd.read_parquet(tmp_path / "out.parquet")
    assert result.n_rows == 1000
    assert output["prediction"].tolist() == [row.label for row in scored]
    probabilities = output[[f"probability_{name}" for name in package.classes]].to_numpy()
    assert np.array_equal(probabilities, np.array([row.probabilities for row in scored]))
    assert output["confidence"].tolist() == [row.confidence for row in scored]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_output_does_not_depend_on_the_chunk_size(
    package: Package, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_scorer, "TABLE_ROWS", 100)
    source = write_frame(tmp_path / "in.parquet", make_frame(350))
    outputs = set()
    for chunk_rows in (1, 7, 99, 10_000):
        target = tmp_path / f"out{suffix}"
        score_file(package, source, target, chunk_rows=chunk_rows)
        outputs.add(target.read_bytes())
    assert len(outputs) == 1


@pytest.mark.parametrize("group_rows", [33, 100, 350])
def test_the_output_does_not_depend_on_how_the_source_is_stored(
    package: Package, group_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_scorer, "TABLE_ROWS", 100)
    frame = make_frame(350)
    outputs = set()
    for use_dictionary in (True, False):
        frame.to_parquet(tmp_path / "in.parquet", row_group_size=group_rows, use_dictionary=use_dictionary, index=False)
        score_file(package, tmp_path / "in.parquet", tmp_path / "out.parquet")
        outputs.add((tmp_path / "out.parquet").read_bytes())
    score_file(package, write_frame(tmp_path / "in.csv", frame), tmp_path / "out.parquet")
    outputs.add((tmp_path / "out.parquet").read_bytes())
    assert len(outputs) == 1


@pytest.mark.usefixtures("starts_processes")
def test_a_killed_run_resumes_at_its_last_table(packages: dict[str, Path], tmp_path: Path) -> None:
    source = write_frame(tmp_path / "in.parquet", make_frame(6_000))
    code = (
        "import sys; from pathlib import Path; from pipeline.package import load_package;"
        "from pipeline.serving.files import file_scorer as s; s.TABLE_ROWS = 200;"
        "result = s.score_file(load_package(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), chunk_rows=10);"
        "print(result.n_rows, result.n_resumed)"
    )
    target = tmp_path / "out.csv"
    command = [sys.executable, "-c", code, str(packages["linear"]), str(source), str(target)]
    process = subprocess.Popen(command, cwd=ROOT)
    tables = tmp_path / ".out.csv.tables"
    deadline = time.monotonic() + 60
    while len(list(tables.glob("0*.arrow"))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not target.exists()
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    n_rows, n_resumed = map(int, second.stdout.split())
    assert n_rows == 6_000
    assert n_resumed >= 600
    score_file(load_package(packages["linear"]), source, tmp_path / "whole.csv")
    assert target.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not tables.exists()


def test_tables_of_another_source_are_discarded(package: Package, tmp_path: Path) -> None:
    tables = tmp_path / ".out.csv.tables"
    tables.mkdir()
    (tables / "000000.arrow").write_bytes(b"of another run")
    (tables / "plan.json").write_text(json.dumps({"source": "another"}), encoding="utf-8")
    result = score_file(package, write_frame(tmp_path / "in.csv", make_frame(10)), tmp_path / "out.csv")
    assert (result.n_rows, result.n_resumed) == (10, 0)


def test_an_invalid_value_is_named_by_its_row_and_nothing_is_written(package: Package, tmp_path: Path) -> None:
    frame = make_frame(50)
    frame.loc[30, "Going_outside"] = 70
    frame.loc[40, "Stage_fear"] = "Maybe"
    source = write_frame(tmp_path / "in.parquet", frame)
    with pytest.raises(
        DataError, match=r"(?s)row 31: Going_outside: expected a whole number from 0 to 7.*row 41: Stage_fear"
    ):
        score_file(package, source, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_feature_that_the_file_lacks_is_missing_in_each_row(package: Package, suffix: str, tmp_path: Path) -> None:
    frame = make_frame(5)
    lacking = write_frame(tmp_path / f"lacking{suffix}", frame.drop(columns="Stage_fear"))
    empty = write_frame(tmp_path / f"empty{suffix}", frame.assign(Stage_fear=None))
    for source in (lacking, empty):
        score_file(package, source, source.with_name(f"{source.stem}.out.csv"))
    assert (tmp_path / "lacking.out.csv").read_bytes() == (tmp_path / "empty.out.csv").read_bytes()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_column_that_is_not_declared_is_refused(package: Package, suffix: str, tmp_path: Path) -> None:
    source = write_frame(tmp_path / f"in{suffix}", make_frame(5).rename(columns={"Stage_fear": "Stage_fears"}))
    with pytest.raises(DataError, match=r"'Stage_fears' \(is not a feature of this model.*did you mean 'Stage_fear'"):
        score_file(package, source, tmp_path / "out.csv")


def test_declared_columns_beyond_the_features_are_left_out(package: Package, tmp_path: Path) -> None:
    source = write_frame(tmp_path / "in.parquet", make_frame(5).assign(Personality="Introvert"))
    score_file(package, source, tmp_path / "out.parquet")
    names = ["prediction", "confidence", *(f"probability_{name}" for name in package.classes), "warnings"]
    assert pq.read_schema(tmp_path / "out.parquet").names == names


def test_texts_that_a_spreadsheet_would_calculate_are_escaped_on_request(package: Package, tmp_path: Path) -> None:
    ids = ["=1+1", "+1", "-1", "@SUM(1)", " =1", "\t=1", "\uff1d1", "a=1", "1-1", "", "line\n=1"]
    columns = (*package.schema.columns, Column("key", "text", "string", role="id"))
    package = replace(package, schema=replace(package.schema, columns=columns))
    source = write_frame(tmp_path / "in.parquet", make_frame(len(ids)).assign(key=pd.array(ids, "string")))
    read_options = {"keep_default_na": False, "dtype": {"key": str}}
    for name, escapes in (("plain.csv", False), ("plain.parquet", True)):
        score_file(package, source, tmp_path / name, escapes_formulas=escapes)
    score_file(package, source, tmp_path / "escaped.csv", escapes_formulas=True)
    plain, escaped = (pd.read_csv(tmp_path / f"{name}.csv", **read_options) for name in ("plain", "escaped"))
    assert plain["key"].tolist() == ids == pd.read_parquet(tmp_path / "plain.parquet")["key"].tolist()
    assert escaped["key"].tolist() == [f"'{text}" for text in ids[:7]] + ids[7:]
    assert escaped.drop(columns="key").equals(plain.drop(columns="key"))


@pytest.mark.parametrize("name", ["out.xlsx", "out"])
def test_other_formats_are_refused(package: Package, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="accepted are files that end with"):
        score_file(package, write_frame(tmp_path / "in.csv", make_frame(5)), tmp_path / name)


def test_a_file_that_is_scored_twice_is_logged_once(project: Path, packages: dict[str, Path], tmp_path: Path) -> None:
    package = load_package(packages["linear"])
    source = write_frame(tmp_path / "in.parquet", make_frame(700))
    state = open_state(project)
    log = FilePredictionLog(state, "personality_model", 1, 1, RowScorer(package, many_missing=1.0, hash_key=b""))
    for name in ("first.parquet", "second.parquet"):
        score_file(package, source, tmp_path / name, log=log)
    with state.reading() as connection:
        logged = list(connection.execute(select(predictions).order_by(predictions.c.seq)))
    state.close()
    output = pd.read_parquet(tmp_path / "second.parquet")
    assert [row.prediction_id for row in logged] == output["prediction_id"].tolist()
    assert [row.prediction for row in logged] == output["prediction"].tolist()
    assert [row.confidence for row in logged] == output["confidence"].tolist()
    assert [json.loads(row.features) for row in logged] == make_rows(700)
    assert {(row.source, row.digest) for row in logged} == {("file", package.digest)}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_gets_the_warnings_of_requests(package: Package, suffix: str, tmp_path: Path) -> None:
    columns = tuple(
        replace(column, unseen="other" if column.kind == "category" else "refuse", checks={})
        for column in package.schema.columns
    )
    package = replace(package, schema=replace(package.schema, columns=columns))
    rows = make_rows(40)
    rows[3] |= {"Stage_fear": "Perhaps", "Going_outside": 10**9}
    rows[7] |= {"Going_outside": -(10**9)}
    source = write_frame(tmp_path / f"in{suffix}", pd.DataFrame(rows).convert_dtypes())
    result = score_file(package, source, tmp_path / "out.parquet")
    scored = RowScorer(package, many_missing=1.0, hash_key=b"").score([tuple(row.values()) for row in rows])
    warnings = [json.loads(f"{{{row.json_suffix[2:]}}}")["warnings"] for row in scored]
    expected = ["; ".join(f"{each['feature']}: {each['rule']}" for each in of_row) for of_row in warnings]
    assert pd.read_parquet(tmp_path / "out.parquet")["warnings"].fillna("").tolist() == expected
    assert expected[3] == "Stage_fear: unseen; Going_outside: out_of_range"
    assert result.warnings == {"Stage_fear: unseen": 1, "Going_outside: out_of_range": 2}
