"""Validation in parts gives the report of one pass, byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from pipeline.files import canonical_json, read_json
from pipeline.schema import Schema
from pipeline.storage import StoragePath
from pipeline.validation import refusal_lines, select_training_rows, validate_rows
from tests.fixtures.proof import is_long
from tests.pipeline.part_validation.checked_files import check_in_parts, declare, make_rows

if TYPE_CHECKING:
    from pathlib import Path

N_ROWS = 10_000_000 if is_long() else 160_000
CONFIG = declare(unique=["many", "day"])
SCHEMA = Schema.from_config(CONFIG.data)


@pytest.fixture(scope="module")
def rows_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    make_rows(N_ROWS).to_parquet(path, row_group_size=N_ROWS // 16, index=False)
    return path


def test_parts_of_any_number_on_any_number_of_workers_give_the_report_of_one_pass(
    rows_file: Path, tmp_path: Path
) -> None:
    report = validate_rows(rows_file, SCHEMA, CONFIG.validation, name="made")
    failing = {(finding.column, finding.check) for finding in report.findings if finding.rule == "schema"}
    assert {("whole", "unique"), ("many, day", "unique_together"), ("word", "isin"), ("salary", "le")} <= failing
    assert (report.n_duplicates > 0, report.failed_rows.count() > 0) == (True, True)
    reports = set()
    for n_parts, workers in ((1, 1), (8, 1), (16, 1), (16, 2)):
        folder = tmp_path / f"{n_parts}-{workers}"
        result = check_in_parts(CONFIG, [rows_file], folder, part_rows=16 // n_parts * (N_ROWS // 16), workers=workers)
        assert len(list(folder.glob("*.hashes"))) == n_parts
        assert tuple(result["refusals"]) == refusal_lines(report, SCHEMA, CONFIG.validation)
        reports.add((folder / "validation.json").read_text())
    assert reports == {canonical_json(report.as_dict())}


def test_rows_without_a_class_are_set_aside_in_each_part(tmp_path: Path) -> None:
    config = declare(unlabeled="set_aside")
    frame = make_rows(2_000)
    frame.loc[frame.index % 7 == 3, "outcome"] = "unknown"
    frame.loc[frame.index % 11 == 3, "outcome"] = None
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path, row_group_size=130)
    whole = select_training_rows(frame, Schema.from_config(config.data), config.validation, name="made").report
    check_in_parts(config, [path], tmp_path / "out", part_rows=300)
    assert (tmp_path / "out/validation.json").read_text() == canonical_json(whole.as_dict())


def test_files_of_csv_are_parts_with_the_findings_of_their_rows(tmp_path: Path) -> None:
    frame = make_rows(400).drop(columns="text")
    frame.loc[~np.isfinite(frame["real"].astype(float)), "real"] = None  # CSV has no infinity
    columns = {name: keys for name, keys in declare().data.model_dump(mode="json")["columns"].items() if name != "text"}
    config = declare(columns=columns)
    sources = []
    for at, start in enumerate((0, 150)):
        frame.iloc[start : [150, 400][at]].to_csv(tmp_path / f"{at}.csv", index=False)
        sources.append(tmp_path / f"{at}.csv")
    frame.to_parquet(tmp_path / "rows.parquet")
    whole = validate_rows(tmp_path / "rows.parquet", Schema.from_config(config.data), config.validation, name="made")
    result = check_in_parts(config, sources, tmp_path / "out")
    assert (tmp_path / "out/validation.json").read_text() == canonical_json(whole.as_dict())
    assert {problem["path"] for problem in result["problems"]} == {str(path) for path in sources}


def test_a_line_that_cannot_be_read_leaves_no_report(tmp_path: Path) -> None:
    config = declare(columns={"whole": {"dtype": "Int64"}})
    (tmp_path / "1.csv").write_text("whole,outcome\n1,no\n")
    (tmp_path / "2.csv").write_text("whole,outcome\nmany,no\n")
    result = check_in_parts(config, [tmp_path / "1.csv", tmp_path / "2.csv"], tmp_path / "out")
    assert (result["report"], (tmp_path / "out/validation.json").exists()) == (None, False)
    (problem,) = result["problems"]
    assert (problem["path"], problem["line"], problem["value"]) == (str(tmp_path / "2.csv"), 2, "'many'")


def test_a_check_of_a_whole_column_is_named_as_not_checked(tmp_path: Path) -> None:
    config = declare(columns={"whole": {"dtype": "Int64", "checks": {"unique_values_eq": [1, 2]}}})
    pd.DataFrame({"whole": [1, 2, 3, 2], "outcome": ["no", "yes"] * 2}).to_parquet(tmp_path / "rows.parquet")
    result = check_in_parts(config, [tmp_path / "rows.parquet"], tmp_path / "out")
    report = read_json(tmp_path / "out/validation.json")
    assert report["not_checked"] == ["whole: unique_values_eq needs all values at once"]
    assert [text.partition(":")[0] for text in result["not_checked"]] == ["whole", "split and folds"]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_files_in_an_object_store_give_the_report_of_local_ones(s3_bucket: str, tmp_path: Path, suffix: str) -> None:
    config = declare(columns={"whole": {"dtype": "Int64", "unique": True}})
    frame = pd.DataFrame({"whole": [*range(40), 7], "outcome": ["no", *["yes", "no"] * 20]})
    source = tmp_path / f"rows.{suffix}"
    frame.to_parquet(source, row_group_size=15) if suffix == "parquet" else frame.to_csv(source, index=False)
    (StoragePath.parse(s3_bucket) / source.name).write_bytes(source.read_bytes())
    check_in_parts(config, [source], tmp_path / "out", part_rows=15)
    check_in_parts(config, [f"{s3_bucket}/{source.name}"], f"{s3_bucket}/out", part_rows=15)
    report = (StoragePath.parse(s3_bucket) / "out" / "validation.json").read_bytes()
    assert report == (tmp_path / "out/validation.json").read_bytes()
    assert [finding["n_failed"] for finding in json.loads(report)["findings"] if finding["rule"] == "schema"] == [2]
