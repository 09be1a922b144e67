"""A plan names the package, the ids and the rows, and reads no row of Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DataError, UsageError
from pipeline.serving.files.scoring_job import ScoringSettings
from tests.pipeline.serving.files.scored_parts import many_rows, write_rows

if TYPE_CHECKING:
    from tests.pipeline.serving.files.conftest import PartScoring


def test_a_plan_has_the_ids_of_the_files_and_the_package(scoring: PartScoring) -> None:
    write_rows(scoring.root / "in/b.parquet", many_rows(40), group_rows=15)
    write_rows(scoring.root / "in/a.parquet", many_rows(20), group_rows=15)
    plan = scoring.plan(scoring.root / "in", part_rows=30)
    settings = ScoringSettings.from_plan(plan)
    assert (settings.package, settings.ids) == (scoring.package.digest, ("id",))
    assert [(part.source, part.first_row, part.n_rows) for part in plan.parts] == [(0, 0, 20), (1, 20, 30), (1, 50, 10)]


def test_a_plan_of_many_small_files_has_a_part_for_each(scoring: PartScoring) -> None:
    rows = many_rows(5)
    for number in range(300):
        write_rows(scoring.root / f"in/{number:04d}.parquet", rows)
    plan = scoring.plan(scoring.root / "in")
    assert [part.first_row for part in plan.parts] == list(range(0, 1_500, 5))


def test_files_of_two_formats_and_files_without_rows_are_refused(scoring: PartScoring) -> None:
    write_rows(scoring.root / "in/a.parquet", many_rows(0))
    with pytest.raises(DataError, match="1 file without rows; expected at least one row"):
        scoring.plan(scoring.root / "in")
    write_rows(scoring.root / "in/b.csv", many_rows(5))
    with pytest.raises(DataError, match="has files of several formats"):
        scoring.plan(scoring.root / "in")
    (scoring.root / "in.xlsx").touch()
    with pytest.raises(UsageError, match="is read in parts only as CSV or Parquet"):
        scoring.plan(scoring.root / "in.xlsx")


@pytest.mark.parametrize("name", ["empty.csv", "empty.parquet"])
def test_a_file_of_no_bytes_among_many_is_named(scoring: PartScoring, name: str) -> None:
    write_rows((scoring.root / "in/a").with_suffix(name[5:]), many_rows(5))
    (scoring.root / "in" / name).touch()
    with pytest.raises(DataError, match=name):
        scoring.plan(scoring.root / "in")
