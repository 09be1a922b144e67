"""A plan covers each row once, in order, and depends on nothing but its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Conflict, DataError, UsageError
from pipeline.parts import PartPlan, SourceFile, find_plan, plan_parts, read_plan, store_plan
from pipeline.storage import StoragePath
from tests.pipeline.parts.row_sums import row_plan

if TYPE_CHECKING:
    from pathlib import Path

GROUPS = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=4)


@settings(deadline=None)
@given(groups=GROUPS, part_rows=st.integers(1, 20))
def test_parts_cover_each_row_once_in_order(groups: list[list[int]], part_rows: int) -> None:
    sources = [SourceFile(f"{at}.parquet", "v", 1, tuple(rows)) for at, rows in enumerate(groups)]
    if not sum(map(sum, groups)):
        with pytest.raises(DataError, match="without rows"):
            plan_parts("job", {}, sources, part_rows=part_rows)
        return
    plan = plan_parts("job", {}, sources, part_rows=part_rows)
    covered = [part.first_row + row for part in plan.parts for row in range(part.n_rows)]
    assert covered == list(range(plan.n_rows))
    for part in plan.parts:
        rows = plan.source_of(part).group_rows
        assert sum(rows[part.first_group : part.end_group]) == part.n_rows
        assert sum(rows[: part.first_group]) == part.file_row
        assert part.n_rows <= part_rows or sum(n > 0 for n in rows[part.first_group : part.end_group]) == 1


def test_a_plan_is_read_as_it_was_stored(tmp_path: Path) -> None:
    folder = StoragePath.parse(tmp_path)
    store_plan(row_plan(), folder)
    store_plan(row_plan(), folder)
    assert read_plan(folder) == row_plan()


def test_another_plan_is_refused_in_the_same_folder(tmp_path: Path) -> None:
    folder = StoragePath.parse(tmp_path)
    store_plan(row_plan(), folder)
    with pytest.raises(Conflict, match=r"has the parts of another job \(sums, 10 rows, plan [0-9a-f]{12}\)"):
        store_plan(row_plan(part_rows=4), folder)


def test_a_folder_without_a_plan_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no plan; write one with `mlops parts plan"):
        read_plan(StoragePath.parse(tmp_path))


def test_the_digest_changes_with_each_input() -> None:
    def plan(job: str = "a", settings: int = 1, version: str = "v", part_rows: int = 2) -> PartPlan:
        return plan_parts(job, {"x": settings}, [SourceFile("f", version, 1, (1, 1, 1))], part_rows=part_rows)

    plans = [plan(), plan(job="b"), plan(settings=2), plan(version="w"), plan(part_rows=1)]
    assert len({each.digest for each in plans}) == len(plans)


def test_the_time_of_a_file_is_stored_and_changes_no_digest(tmp_path: Path) -> None:
    plans = [plan_parts("job", {}, [SourceFile("f", "v", 1, (1,), modified_ns)], part_rows=1) for modified_ns in (0, 7)]
    assert plans[0].digest == plans[1].digest
    folder = StoragePath.parse(tmp_path)
    store_plan(plans[1], folder)
    assert find_plan(folder) == plans[1]
    assert find_plan(folder / "other") is None
