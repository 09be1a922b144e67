"""`mlops parts`: any scheduler runs the parts of a plan."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.parts_commands import PART_JOBS
from pipeline.errors import UnknownOption

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Mlops = Callable[..., str]

PLAN = ("parts", "plan", "predict", "in", "-o", "out", "--part-rows", "20")


def test_tasks_of_other_schedulers_run_the_parts(run_in_rows: Mlops) -> None:
    run_in_rows(*PLAN)
    for name, numbers in (("JOB_COMPLETION_INDEX", "03"), ("SLURM_ARRAY_TASK_ID", "142")):
        for number in numbers:
            assert f"part {number} of 5" in run_in_rows("parts", "run", "out", env={name: number})
    assert "90 rows scored in 5 parts" in run_in_rows("parts", "commit", "out")
    assert "committed this job at" in run_in_rows("parts", "commit", "out", expect=6)


def test_a_part_that_is_done_is_left_as_it_is(rows_project: Path, run_in_rows: Mlops) -> None:
    run_in_rows(*PLAN)
    assert run_in_rows("parts", "run", "out", "--index", "1").endswith("20 rows done\n")
    files = sorted((rows_project / "out").glob("part-*"))
    assert "done in an earlier run" in run_in_rows("parts", "run", "out", "--index", "1")
    assert sorted((rows_project / "out").glob("part-*")) == files
    assert "part 5: the plan has parts 0 to 4" in run_in_rows("parts", "run", "out", "--index", "5", expect=2)


def test_the_state_of_a_folder_is_printed(run_in_rows: Mlops) -> None:
    assert "has no plan; write one with `mlops parts plan" in run_in_rows("parts", "status", "out", expect=2)
    run_in_rows(*PLAN)
    run_in_rows("parts", "run", "out", "--index", "1")
    assert "1 of 5 parts done\n  missing: 0, 2, 3, 4\n  not committed" in run_in_rows("parts", "status", "out")
    assert "4 parts of 5 did not run: 0, 2, 3, 4" in run_in_rows("parts", "commit", "out", expect=2)
    for number in "0234":
        run_in_rows("parts", "run", "out", "--index", number)
    assert "next: mlops parts commit out" in run_in_rows("parts", "status", "out")
    committed = json.loads(run_in_rows("parts", "commit", "out", "--json"))
    assert f"by {committed['committed_by']}" in run_in_rows("parts", "status", "out")
    progress = json.loads(run_in_rows("parts", "status", "out", "--json"))
    assert (progress["n_done"], progress["missing"], len(progress["files"])) == (5, [], 5)


def test_old_files_of_no_result_are_removed(rows_project: Path, run_in_rows: Mlops) -> None:
    run_in_rows(*PLAN)
    (rows_project / "out/part-000000-00000000.parquet").write_bytes(b"of an attempt that died")
    assert "0 files removed" in run_in_rows("parts", "clean", "out")
    assert "1 file removed" in run_in_rows("parts", "clean", "out", "--min-age-hours", "0")


def test_the_plan_of_an_unknown_job_is_refused() -> None:
    with pytest.raises(UnknownOption, match=r"job of a plan: 'predct' is not known; .*did you mean 'predict'"):
        PART_JOBS["predct"]
