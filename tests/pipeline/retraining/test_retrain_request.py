"""A request rests on the version in Production, its own monitor runs and its own labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.retraining.retrain_request import ask_for_retrain, look_ahead
from tests.pipeline.retraining.retrain_fixtures import context_of, log_labels, record_degradation, set_stage

if TYPE_CHECKING:
    from pathlib import Path


def test_degradation_of_an_earlier_version_does_not_count(project: Path) -> None:
    record_degradation(project)
    with context_of(project) as context:
        assert look_ahead(context).inputs.degraded == ["log_loss"]
    set_stage(project, 2, "Production")
    with context_of(project) as context:
        assert look_ahead(context).inputs.degraded == []


def test_labels_are_counted_by_caller_without_a_change(project: Path) -> None:
    log_labels(project, 21)
    with context_of(project) as context:
        outlook = look_ahead(context)
    assert [(caller.caller, caller.n_labels) for caller in outlook.callers] == [("ada", 11), ("bob", 10)]
    assert outlook.as_dict()["n_new_labels"] == 21


def test_without_a_champion_nothing_is_asked_for(project: Path) -> None:
    set_stage(project, 1, "Archived")
    with context_of(project) as context, pytest.raises(UsageError, match="no version is in Production"):
        ask_for_retrain(context, look_ahead(context), cause="person", reason="")


def test_a_project_without_git_is_refused(project: Path) -> None:
    with context_of(project) as context, pytest.raises(DependencyUnavailable, match="is in no git repository"):
        ask_for_retrain(context, look_ahead(context), cause="person", reason="")
