"""Parts get the predictions of the whole file; a bad row, a full disk or a damaged file leaves no manifest."""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from pipeline.errors import DataError, DependencyUnavailable
from pipeline.package import PackageStore, load_package
from pipeline.package.remote_store import PACKAGES_URL_ENV
from pipeline.parts import read_manifest, run_part
from pipeline.serving.files.file_scorer import score_file
from pipeline.serving.files.scoring_job import ScoringJob
from pipeline.state import open_state
from pipeline.state.tables import predictions
from tests.fixtures.registered_project import package_folder
from tests.pipeline.serving.files.conftest import PartScoring
from tests.pipeline.serving.files.scored_parts import many_rows, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def with_values(table: pa.Table, column: str, values: dict[int, Any]) -> pa.Table:
    """Return the table with other values in some rows of a column."""
    cells = table[column].to_pylist()
    for row, value in values.items():
        cells[row] = value
    return table.set_column(table.column_names.index(column), column, pa.array(cells, table.schema.field(column).type))


def test_parts_have_the_predictions_of_the_whole_file(scoring: PartScoring) -> None:
    source = write_rows(scoring.root / "in.parquet", many_rows(900), group_rows=60)
    scoring.run(scoring.plan(source))
    score_file(scoring.package, source, scoring.root / "whole.parquet")
    assert scoring.output().equals(pq.read_table(scoring.root / "whole.parquet"))


def test_csv_files_are_parts_and_csv_is_written_on_request(scoring: PartScoring) -> None:
    table = many_rows(90)
    for name, rows in (("in/a.csv", table.slice(0, 50)), ("in/b b*.csv", table.slice(50))):
        write_rows(scoring.root / name, rows)
    manifest = scoring.run(scoring.plan(scoring.root / "in", suffix=".csv"))
    files = [part["files"][0]["name"] for part in manifest["parts"]]
    scored = pd.concat([pd.read_csv(scoring.root / "out" / name) for name in files])
    assert [part["n_rows"] for part in manifest["parts"]] == [50, 40]
    assert scored["prediction"].tolist() == _predictions(scoring, 90)


def _predictions(scoring: PartScoring, n_rows: int) -> list[str]:
    source = write_rows(scoring.root / "check.parquet", many_rows(n_rows))
    score_file(scoring.package, source, scoring.root / "check.csv")
    return list(pd.read_csv(scoring.root / "check.csv")["prediction"])


def test_the_first_twenty_problems_over_all_parts_are_named_by_their_row_in_the_whole(scoring: PartScoring) -> None:
    first = with_values(many_rows(200), "Going_outside", {130: 70, 131: 70})
    second = with_values(many_rows(200), "Going_outside", dict.fromkeys(range(5, 200), 70))
    write_rows(scoring.root / "in/a.parquet", first, group_rows=50)
    write_rows(scoring.root / "in/b.parquet", second, group_rows=50)
    with pytest.raises(DataError, match="197 problems in 400 rows, so there is no manifest") as caught:
        scoring.run(scoring.plan(scoring.root / "in"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert [line.partition(" (")[0] for line in lines[:20]] == [f"row {row}" for row in (131, 132, *range(206, 224))]
    assert "in/b.parquet, row 6): Going_outside: expected a whole number from 0 to 7" in lines[2]
    assert read_manifest(scoring.folder()) is None


def test_a_part_with_invalid_rows_has_no_file(scoring: PartScoring) -> None:
    rows = with_values(many_rows(200), "Going_outside", {130: 70})
    source = write_rows(scoring.root / "in.parquet", rows, group_rows=50)
    with pytest.raises(DataError, match=r"row 131 \(.*in.parquet, row 131\)"):
        scoring.run(scoring.plan(source))
    assert [path.name[:11] for path in sorted((scoring.root / "out").glob("part-*"))] == ["part-000000"]


def drop_feature(table: pa.Table) -> pa.Table:
    return table.append_column("unknown", pa.nulls(table.num_rows, pa.int64()))


def change_type(table: pa.Table) -> pa.Table:
    index = table.column_names.index("Going_outside")
    return table.set_column(index, "Going_outside", pa.array(["many"] * table.num_rows))


def drop_id(table: pa.Table) -> pa.Table:
    return table.drop_columns("id")


def change_id_type(table: pa.Table) -> pa.Table:
    return table.set_column(table.column_names.index("id"), "id", table["id"].cast(pa.string()))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_feature, "unknown"),
        (change_type, "Going_outside"),
        (drop_id, r"lacks the id id, which .*a\..* has"),
        (change_id_type, r"b\.parquet: its output has the columns .*'id': 'string'"),
    ],
)
def test_a_file_of_another_form_among_many_is_named(
    scoring: PartScoring, change: Callable[[pa.Table], pa.Table], message: str, suffix: str
) -> None:
    if suffix == ".csv" and change is change_id_type:
        return  # ids of CSV files are texts
    write_rows(scoring.root / f"in/a{suffix}", many_rows(50))
    write_rows(scoring.root / f"in/b{suffix}", change(many_rows(50)))
    with pytest.raises(DataError, match=rf"(?s)b\{suffix}.*{message}|{message}"):
        scoring.run(scoring.plan(scoring.root / "in"))
    assert read_manifest(scoring.folder()) is None


@pytest.mark.parametrize("change", [drop_feature, change_type])
def test_a_line_that_sums_up_a_file_is_no_problem_of_it(
    scoring: PartScoring, change: Callable[[pa.Table], pa.Table]
) -> None:
    write_rows(scoring.root / "in/a.parquet", change(many_rows(50)))
    with pytest.raises(DataError, match="1 problem in 50 rows") as caught:
        scoring.run(scoring.plan(scoring.root / "in"))
    assert "nothing was read" not in str(caught.value)


def test_a_damaged_file_among_many_is_named_and_a_later_run_continues(scoring: PartScoring) -> None:
    for number in range(4):
        write_rows(scoring.root / f"in/{number}.parquet", many_rows(100), group_rows=50)
    plan = scoring.plan(scoring.root / "in")
    path = scoring.root / "in/2.parquet"
    good, at = path.read_bytes(), path.stat()
    path.write_bytes(good[:4] + b"\xff" * 400 + good[404:])
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    with pytest.raises(DataError, match=r"2\.parquet: is no readable Parquet file"):
        scoring.run(plan)
    path.write_bytes(good)
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert scoring.run(plan)["n_rows"] == 400


def test_an_empty_file_among_many_has_no_part(scoring: PartScoring) -> None:
    write_rows(scoring.root / "in/a.parquet", many_rows(0))
    write_rows(scoring.root / "in/b.parquet", many_rows(30))
    manifest = scoring.run(scoring.plan(scoring.root / "in"))
    assert (len(manifest["sources"]), [part["n_rows"] for part in manifest["parts"]]) == (2, [30])


def test_a_source_that_is_replaced_after_planning_is_refused(scoring: PartScoring) -> None:
    source = write_rows(scoring.root / "in.parquet", many_rows(100))
    plan = scoring.plan(source)
    rows = with_values(many_rows(100), "Going_outside", {5: 1})
    source.unlink()
    write_rows(source, rows)
    with pytest.raises(DataError, match="changed since the job was planned"):
        scoring.run(plan)


def test_a_full_disk_ends_the_run_and_a_later_one_completes_it(scoring: PartScoring) -> None:
    source = write_rows(scoring.root / "in.parquet", many_rows(3_000), group_rows=1_500)
    plan = scoring.plan(source, part_rows=1_500)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, limits[1]))
    try:
        with pytest.raises(DependencyUnavailable, match=r"part-000000-.*nothing was changed. Free disk space"):
            scoring.run(plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(path.name for path in (scoring.root / "out").iterdir()) == ["_plan.json"]
    assert scoring.run(plan)["n_rows"] == 3_000


def test_each_row_is_logged_once_though_parts_run_twice(project: Path) -> None:
    scoring = PartScoring(project, load_package(package_folder(project, 1)))
    source = write_rows(project / "in.parquet", many_rows(700).drop_columns("id"), group_rows=50)
    first = scoring.plan(source, output="first", is_logged=True)
    run_part(ScoringJob(project), first, scoring.folder("first"), 1)  # and the machine is gone
    for output, part_rows in (("out", 350), ("again", 350), ("other", 100)):
        scoring.run(scoring.plan(source, output=output, part_rows=part_rows, is_logged=True), output=output)
    state = open_state(project)
    with state.reading() as connection:
        logged = list(connection.execute(select(predictions.c.prediction_id).order_by(predictions.c.seq)).scalars())
    state.close()
    outputs = [scoring.output(name)["prediction_id"].to_pylist() for name in ("out", "again", "other")]
    assert outputs == [sorted(logged)] * 3
    assert len(set(logged)) == 700


def test_a_worker_without_the_project_writes_no_log(
    scoring: PartScoring, package_with_id: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = scoring.plan(write_rows(scoring.root / "in.parquet", many_rows(30)), is_logged=True)
    monkeypatch.setenv(PACKAGES_URL_ENV, f"file://{scoring.root}/packages")
    PackageStore(scoring.root / "other").add(package_with_id)
    with pytest.raises(DependencyUnavailable, match="none/state: is not on this machine; --log needs the project"):
        run_part(ScoringJob(scoring.root / "none"), plan, scoring.folder(), 0)


def test_warnings_of_parts_add_up(scoring: PartScoring) -> None:
    whole = score_file(
        scoring.package,
        write_rows(scoring.root / "in.parquet", many_rows(900), group_rows=60),
        scoring.root / "whole.parquet",
    )
    manifest = scoring.run(scoring.plan(scoring.root / "in.parquet"))
    assert manifest["result"]["warnings"] == dict(whole.warnings)
