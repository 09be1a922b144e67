"""Runs are selected by id, prefix or name, and compared by what differs."""

from __future__ import annotations

import pytest

from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.tracking.run_search import RecordedRun, require_store, runs_table, select_runs
from pipeline.tracking.run_store import StoreUnreachable


def recorded_run(run_id: str, name: str, **params: str) -> RecordedRun:
    return RecordedRun(run_id, name, "FINISHED", 0, 1, params, {"loss": 0.5}, {}, "")


RUNS = [
    recorded_run("aaaa1111", "forest", depth="3", seed="1"),
    recorded_run("aaaa2222", "boosting", depth="4", seed="1"),
    recorded_run("bbbb3333", "boosting", seed="1"),
]


@pytest.mark.parametrize(("word", "run_id"), [("aaaa1111", "aaaa1111"), ("aaaa2", "aaaa2222"), ("forest", "aaaa1111")])
def test_a_run_is_selected_by_id_prefix_or_name(word: str, run_id: str) -> None:
    assert [run.run_id for run in select_runs(RUNS, [word])] == [run_id]


def test_all_runs_are_selected_without_ids() -> None:
    assert select_runs(RUNS, None) == RUNS


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("forrest", "no run has the id or name 'forrest'; did you mean 'forest'"),
        ("aaa", "no run has the id or name 'aaa'"),
        ("aaaa", "2 runs match 'aaaa': aaaa1111, aaaa2222"),
        ("boosting", "2 runs match 'boosting': aaaa2222, bbbb3333"),
    ],
)
def test_an_unknown_or_ambiguous_word_is_named(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select_runs(RUNS, [word])


def test_the_table_has_differing_parameters_and_all_metrics() -> None:
    table = runs_table(RUNS)
    assert list(table.columns) == ["run_id", "name", "status", "params.depth", "metrics.loss"]
    assert table["params.depth"].isna().tolist() == [False, False, True]
    assert list(runs_table([]).columns) == ["run_id", "name", "status"]


def test_an_unreachable_store_is_an_unavailable_dependency() -> None:
    with pytest.raises(DependencyUnavailable, match="unreachable: no route"), require_store():
        raise StoreUnreachable("no route")
