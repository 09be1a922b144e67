"""Plan, trials and failures of a sweep survive in its folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.config.hydra_job import HydraJob, SweepPlan, record_failure, sweep_stop_reason
from pipeline.sweeps import sweep_results
from pipeline.sweeps.hydra_callback import sweep_summary
from pipeline.sweeps.trial import trial_line

if TYPE_CHECKING:
    from pathlib import Path

TRIAL = sweep_results.TrialResult(
    number=0,
    label="model=knn",
    metric="log_loss",
    value=0.25,
    std=0.01,
    higher_is_better=False,
    run_key="abcdef0123456789",
    was_recorded=False,
    duration_s=1.5,
    overrides=("model=knn",),
)


def test_a_plan_is_read_back(tmp_path: Path) -> None:
    plan = SweepPlan(tmp_path, ("model", "seed"), 4, "minimize", "log_loss")
    assert sweep_results.read_plan(tmp_path) is None
    sweep_results.write_plan(plan)
    assert sweep_results.read_plan(tmp_path) == plan


def test_the_parent_run_is_read_back(tmp_path: Path) -> None:
    assert sweep_results.read_parent(tmp_path) is None
    sweep_results.write_parent(tmp_path, "run-1")
    assert sweep_results.read_parent(tmp_path) == "run-1"


def test_trials_are_read_from_the_worst_to_the_best(tmp_path: Path) -> None:
    values = [0.3, 0.1, 0.2]
    for number, value in enumerate(values):
        sweep_results.write_trial(tmp_path / str(number), replace(TRIAL, number=number, value=value))
    assert [trial.value for trial in sweep_results.read_trials(tmp_path)] == [0.3, 0.2, 0.1]
    for number, value in enumerate(values):
        trial = replace(TRIAL, number=number, value=value, higher_is_better=True)
        sweep_results.write_trial(tmp_path / str(number), trial)
    assert [trial.value for trial in sweep_results.read_trials(tmp_path)] == [0.1, 0.2, 0.3]


def test_a_failure_is_recorded_and_stops_the_sweep_on_request(tmp_path: Path) -> None:
    job = HydraJob(("seed=1",), 3, tmp_path)
    record_failure(job, "no rows", stop=False)
    assert sweep_stop_reason(tmp_path) is None
    record_failure(job, "no rows", stop=True)
    assert sweep_stop_reason(tmp_path) == "no rows"
    assert sweep_results.read_failures(tmp_path) == [{"number": 3, "overrides": ["seed=1"], "message": "no rows"}]


def test_the_summary_lists_failures_first_and_the_best_trial_last(tmp_path: Path) -> None:
    sweep_results.write_trial(tmp_path / "0", TRIAL)
    sweep_results.write_trial(tmp_path / "1", replace(TRIAL, number=1, value=0.125, run_key="1234567890"))
    record_failure(HydraJob(("model=svm",), 2, tmp_path), "it diverged", stop=False)
    lines = sweep_summary(tmp_path).splitlines()
    assert lines[2].split() == ["2", "failed", "model=svm"]
    assert [line.split()[0] for line in lines[3:5]] == ["0", "1"]
    assert lines[5:] == [
        "2 finished (0 already known), 1 failed",
        "  [2] it diverged",
        "The last trial is the best; adopt it with `mlops tracking adopt 12345678 --as NAME`.",
    ]


def test_a_line_of_a_trial_has_objective_and_duration() -> None:
    assert trial_line(TRIAL) == "model=knn: log_loss 0.25000 +- 0.01000 (1.5 s)"
    assert trial_line(replace(TRIAL, std=None, was_recorded=True)) == "model=knn: log_loss 0.25000 (already known)"
